"""What an answer says of itself: tokens, id, model, why it ended. Reads, never changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from plano_filters import Usage
from plano_filters.facts import ResponseInfo

TELLING: Final = re.compile(
    rb'"usage"\s*:\s*\{|"(?:finish|stop)_reason"\s*:\s*"|"response\.(?:incomplete|failed|cancelled)"'
)
"""Events without any of these say nothing of tokens or of the end."""
_RUNNING: Final = frozenset({"in_progress", "queued"})


def is_error(data: bytes, name: str) -> bool:
    """Say whether an event reports an error instead of being part of an answer."""
    if name == "error":
        return True
    if b'"error"' not in data:
        return False
    document = decode(data)
    return document.get("type") == "error" or bool(document.get("error"))


def error_codes(document: Mapping[str, Any]) -> set[str]:
    """Return what an error answer calls its error: its code and its type."""
    error = _dict(document.get("error"))
    return {value for value in (error.get("code"), error.get("type")) if isinstance(value, str)}


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
    status = inner.get("status")
    if inner.get("object") == "response" and isinstance(status, str) and status not in _RUNNING:
        reasons.append(status)
    return ResponseInfo(_text(inner.get("id")), _text(inner.get("model")), tuple(reasons))


def usage_of(document: Mapping[str, Any]) -> Usage | None:
    """Read the tokens of an answer or of one event, whichever dialect it is in."""
    # Groq reports the tokens of a stream in a place of its own.
    places = (document, *(_dict(document.get(key)) for key in ("response", "message", "x_groq")))
    found = next((told for place in places if (told := _dict(place.get("usage")))), None)
    if found is None:
        return None
    if "prompt_tokens" in found or "completion_tokens" in found:
        return _chat_usage(found)
    return _items_usage(found)


def _chat_usage(found: Mapping[str, Any]) -> Usage:
    """Read the counts of chat completions and embeddings: the input counts cached tokens in."""
    details = _dict(found.get("prompt_tokens_details"))
    given = _count(found.get("prompt_tokens"))
    return Usage(
        input_tokens=given,
        output_tokens=_output(found.get("completion_tokens"), given, found),
        # DeepSeek and Moonshot had caches before OpenAI had a name for them.
        cached_tokens=_first(
            details.get("cached_tokens"),
            found.get("prompt_cache_hit_tokens"),
            found.get("cached_tokens"),
        ),
        cache_write_tokens=_count(details.get("cache_write_tokens")),
        reasoning_tokens=_count(
            _dict(found.get("completion_tokens_details")).get("reasoning_tokens")
        ),
    )


def _items_usage(found: Mapping[str, Any]) -> Usage:
    """Read the counts of messages, where cached tokens stand apart, and of responses."""
    inside, out = (_dict(found.get(f"{side}_tokens_details")) for side in ("input", "output"))
    cached = _count(found.get("cache_read_input_tokens"))
    written = _count(found.get("cache_creation_input_tokens"))
    fresh = _count(found.get("input_tokens"))
    return Usage(
        input_tokens=None if fresh is None else fresh + (cached or 0) + (written or 0),
        output_tokens=_output(found.get("output_tokens"), fresh, found),
        cached_tokens=_first(cached, inside.get("cached_tokens")),
        cache_write_tokens=_first(written, inside.get("cache_write_tokens")),
        cache_write_1h_tokens=_count(
            _dict(found.get("cache_creation")).get("ephemeral_1h_input_tokens")
        ),
        reasoning_tokens=_first(out.get("reasoning_tokens"), out.get("thinking_tokens")),
    )


def _output(told: object, given: int | None, found: Mapping[str, Any]) -> int | None:
    """Return the output tokens, reasoning included.

    Gemini and xAI leave it out of the output, but not out of the total.
    """
    made, total = _count(told), _count(found.get("total_tokens"))
    if made is None or given is None or total is None:
        return made
    return max(made, total - given)


def merge(old: Usage | None, new: Usage) -> Usage:
    """Take the later report of a stream, keeping what it does not repeat."""
    if old is None:
        return new
    return Usage(
        # Anthropic's last report may count the input without its cached part, or as 0.
        input_tokens=_most(new.input_tokens, old.input_tokens),
        output_tokens=_or(new.output_tokens, old.output_tokens),
        cached_tokens=_or(new.cached_tokens, old.cached_tokens),
        cache_write_tokens=_or(new.cache_write_tokens, old.cache_write_tokens),
        cache_write_1h_tokens=_or(new.cache_write_1h_tokens, old.cache_write_1h_tokens),
        reasoning_tokens=_or(new.reasoning_tokens, old.reasoning_tokens),
    )


def _most(*counts: int | None) -> int | None:
    return max((count for count in counts if count is not None), default=None)


def _or(new: int | None, old: int | None) -> int | None:
    return new if new is not None else old


def _first(*values: object) -> int | None:
    """Return the first of some values that is a count."""
    return next((count for value in values if (count := _count(value)) is not None), None)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
