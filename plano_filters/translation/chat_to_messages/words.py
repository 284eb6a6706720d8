"""What whole answers and streams have in common: ids, reasons to stop, usage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from plano_filters.translation.base import Document

_REASONS: Final = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""All others are `stop`: `end_turn`, `stop_sequence`, `pause_turn`, and those yet to come."""
_TIERS: Final = {"standard": "default", "priority": "priority"}


def string(document: Mapping[str, Any], name: str) -> str:
    """Return a member if it is a string, else an empty one."""
    value = document.get(name)
    return value if isinstance(value, str) else ""


def completion_id(message: Mapping[str, Any]) -> str:
    """Return the id of the completion that a message becomes."""
    return f"chatcmpl-{string(message, 'id')}"


def finish_reason(stop_reason: object, *, called: bool) -> str:
    """Say why a choice ended.

    Args:
        stop_reason: As the provider says.
        called: The answer has calls of tools, which clients look for at `tool_calls` only.
    """
    reason = _REASONS.get(stop_reason, "stop") if isinstance(stop_reason, str) else "stop"
    return "tool_calls" if called and reason == "stop" else reason


def refusal(ended: Mapping[str, Any]) -> str | None:
    """Return the explanation that goes with a refusal, if there is one."""
    details = ended.get("stop_details")
    return (string(details, "explanation") or None) if isinstance(details, dict) else None


def usage(spent: Mapping[str, Any]) -> Document:
    """Translate usage: OpenAI counts what is read from a cache and written to it as prompt.

    Tokens of thought are given only if the provider counts them: unknown is not none.
    """
    read = _tokens(spent, "cache_read_input_tokens")
    written = _tokens(spent, "cache_creation_input_tokens")
    prompt = _tokens(spent, "input_tokens") + read + written
    completion = _tokens(spent, "output_tokens")
    made: Document = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
    }
    details = spent.get("output_tokens_details")
    if isinstance(details, dict):
        thought = _tokens(details, "thinking_tokens")
        made["completion_tokens_details"] = {"reasoning_tokens": thought}
    return made


def service_tier(spent: Mapping[str, Any]) -> Document:
    """Return the tier that served the request, where OpenAI has a word for it."""
    tier = spent.get("service_tier")
    word = _TIERS.get(tier) if isinstance(tier, str) else None
    return {"service_tier": word} if word else {}


def _tokens(spent: Mapping[str, Any], name: str) -> int:
    value = spent.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return max(0, value)
