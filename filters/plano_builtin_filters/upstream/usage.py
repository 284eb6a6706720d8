"""What an answer says of itself: tokens, id, model, why it ended. Reads, never changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson
from plano_filters import Usage
from plano_filters.dialect import Dialect
from plano_filters.facts import ResponseInfo

_FINISH: Final = re.compile(rb'"finish_reason"\s*:\s*"')
_ENDS: Final[Mapping[Dialect, tuple[bytes, ...]]] = {
    "chat": (b"[DONE]",),
    "embeddings": (b"[DONE]",),
    "messages": (b"message_stop",),
    "responses": (b"response.completed", b"response.incomplete", b"response.failed"),
}


def ends(block: bytes, dialect: Dialect) -> bool:
    """Say whether complete events hold the end of their stream.

    A chat stream that gave its `finish_reason` counts too: some providers never send `[DONE]`.
    """
    if any(mark in block for mark in _ENDS[dialect]):
        return True
    return dialect == "chat" and _FINISH.search(block) is not None


def is_error(data: bytes, name: str) -> str | None:
    """Return the message of an event that reports an error; None if it reports none."""
    if name != "error" and b'"error"' not in data:
        return None
    document = decode(data)
    error = document.get("error")
    if isinstance(error, dict):
        return str(error.get("message") or error.get("type") or "error")[:300]
    if isinstance(error, str) and error:
        return error[:300]
    return str(document.get("message") or "error")[:300] if name == "error" else None


def decode(data: bytes) -> Mapping[str, Any]:
    """Decode a JSON object; empty if it is none."""
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def info_of(document: Mapping[str, Any]) -> ResponseInfo:
    """Read id, model and finish reasons of an answer or of one event."""
    inner = document.get("response") or document.get("message") or document
    inner = inner if isinstance(inner, dict) else document
    reasons = [
        choice["finish_reason"]
        for choice in _list(inner.get("choices"))
        if isinstance(choice, dict) and isinstance(choice.get("finish_reason"), str)
    ]
    stop = inner.get("stop_reason") or _dict(document.get("delta")).get("stop_reason")
    if isinstance(stop, str):
        reasons.append(stop)
    if inner.get("object") == "response" and isinstance(inner.get("status"), str):
        reasons.append(inner["status"])
    return ResponseInfo(_text(inner.get("id")), _text(inner.get("model")), tuple(reasons))


def usage_of(document: Mapping[str, Any]) -> Usage | None:
    """Read the tokens of an answer or of one event, whichever dialect it is in."""
    inner = _dict(document.get("response")) or _dict(document.get("message"))
    found = _dict(document.get("usage")) or _dict(inner.get("usage"))
    if not found:
        return None
    if "prompt_tokens" in found or "completion_tokens" in found:
        details = _dict(found.get("prompt_tokens_details"))
        out = _dict(found.get("completion_tokens_details"))
        return Usage(
            input_tokens=_count(found.get("prompt_tokens")),
            output_tokens=_count(found.get("completion_tokens")),
            cached_tokens=_count(details.get("cached_tokens")),
            cache_write_tokens=_count(details.get("cache_write_tokens")),
            reasoning_tokens=_count(out.get("reasoning_tokens")),
        )
    cached = _count(found.get("cache_read_input_tokens"))
    written = _count(found.get("cache_creation_input_tokens"))
    details = _dict(found.get("input_tokens_details"))
    fresh = _count(found.get("input_tokens"))
    return Usage(
        # Anthropic reports cached tokens apart, OpenAI within the input.
        input_tokens=None if fresh is None else fresh + (cached or 0) + (written or 0),
        output_tokens=_count(found.get("output_tokens")),
        cached_tokens=cached if cached is not None else _count(details.get("cached_tokens")),
        cache_write_tokens=written,
        reasoning_tokens=_count(_dict(found.get("output_tokens_details")).get("reasoning_tokens")),
    )


def merge(old: Usage | None, new: Usage) -> Usage:
    """Take the later report of a stream, keeping what it does not repeat."""
    if old is None:
        return new
    later = new.input_tokens if new.input_tokens else old.input_tokens
    return Usage(
        input_tokens=later,
        output_tokens=_or(new.output_tokens, old.output_tokens),
        cached_tokens=_or(new.cached_tokens, old.cached_tokens),
        cache_write_tokens=_or(new.cache_write_tokens, old.cache_write_tokens),
        reasoning_tokens=_or(new.reasoning_tokens, old.reasoning_tokens),
    )


def _or(new: int | None, old: int | None) -> int | None:
    return new if new is not None else old


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
