"""How an answer ended, what it cost and what it is called: the same for whole ones and streams."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from plano_filters import jsonbody
from plano_filters.translation.base import Document

_STOP_REASONS: Final = {"length": "max_tokens", "content_filter": "refusal"}


def stop_reason(finish_reason: object, *, called: bool, refused: bool) -> str:
    """Return Anthropic's word for the end of an answer.

    What the answer holds counts for more than the word: some providers say `stop` after calls.

    Args:
        called: Whether the answer has tool calls.
        refused: Whether the model said why it does not answer.
    """
    if refused:
        return "refusal"
    known = _STOP_REASONS.get(finish_reason) if isinstance(finish_reason, str) else None
    return known or ("tool_use" if called else "end_turn")


def ending(reason: str, refusal: str) -> Document:
    """Return the fields of a message that say how it ended."""
    details = None
    if reason == "refusal":
        details = {"type": "refusal", "category": None, "explanation": refusal or None}
    return {"stop_reason": reason, "stop_sequence": None, "stop_details": details}


def usage_of(usage: object) -> Document:
    """Translate the usage; Anthropic counts cached tokens apart, OpenAI within the prompt."""
    found = usage if isinstance(usage, Mapping) else {}
    prompt = _object(found, "prompt_tokens_details")
    read, written = _count(prompt, "cached_tokens"), _count(prompt, "cache_write_tokens")
    counted: Document = {
        "input_tokens": max(_count(found, "prompt_tokens") - read - written, 0),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": _count(found, "completion_tokens"),
    }
    thought = _count(_object(found, "completion_tokens_details"), "reasoning_tokens")
    if thought:
        counted["output_tokens_details"] = {"thinking_tokens": thought}
    return counted


def message_id(completion_id: object) -> str:
    """Return the id of a message: the provider's, in Anthropic's form, or a new one."""
    if not isinstance(completion_id, str) or not completion_id:
        return f"msg_{uuid.uuid4().hex}"
    bare = completion_id.removeprefix("chatcmpl-")
    return bare if bare.startswith("msg_") else f"msg_{bare}"


def new_call_id() -> str:
    """Return an id for a tool call that the provider gave none, or one that is taken."""
    return f"toolu_{uuid.uuid4().hex}"


def arguments_of(function: Mapping[str, Any]) -> str:
    """Return the arguments of a call, or a part of them, as JSON; some providers send an object."""
    found = function.get("arguments")
    if not isinstance(found, Mapping):
        return found if isinstance(found, str) else ""
    try:
        return jsonbody.encode(found).decode()
    except (TypeError, ValueError, RecursionError):  # nested deeper than can be written
        return ""


def _object(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = found.get(name)
    return value if isinstance(value, Mapping) else {}


def _count(found: Mapping[str, Any], name: str) -> int:
    value = found.get(name)
    return max(value, 0) if isinstance(value, int) and not isinstance(value, bool) else 0
