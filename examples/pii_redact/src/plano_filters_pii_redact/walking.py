"""The texts in requests and answers, whatever the dialect."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

Change = Callable[[str], str]

SPOKEN: Final = ("messages", "system", "input", "instructions", "prompt")
"""Top-level fields of a request that hold what was said: chat, messages, responses, embeddings."""
_STRUCTURE: Final = frozenset({
    "id", "type", "role", "name", "model", "status", "detail", "format", "call_id", "object",
    "tool_call_id", "tool_use_id", "item_id", "file_id", "media_type", "mime_type",
    "finish_reason", "stop_reason",
    # Encoded: a number in it is no phone number.
    "data", "file_data", "url", "image_url", "signature", "encrypted_content",
    # What a provider has signed must come back to it as it was.
    "thinking",
})  # fmt: skip
"""Keys whose texts nobody said."""
_JSON: Final = frozenset({"arguments", "partial_json"})
"""Keys whose texts are JSON: what a model passes to tools."""


def mapped(value: Any, change: Change, in_json: Change, key: str = "") -> Any:
    """Return a document with what was said in it changed; a part that stays is the same object.

    Args:
        value: Of a JSON document.
        change: Changes a text.
        in_json: Changes a text that is JSON.
        key: Under which the value stands.
    """
    if isinstance(value, str):
        return (in_json if key in _JSON else change)(value)
    if isinstance(value, list):
        inside = key if key != "input" else ""
        parts = [mapped(part, change, in_json, inside) for part in value]
        return parts if _any_new(parts, value) else value
    if isinstance(value, dict):
        if key == "input":  # of a tool that a model calls: its own names, whatever they are
            return _leaves(value, change)
        fields = {
            name: mapped(part, change, in_json, name) if _said(name, value) else part
            for name, part in value.items()
        }
        return fields if _any_new(fields.values(), value.values()) else value
    return value


def _said(name: str, inside: dict[str, Any]) -> bool:
    """Say whether a field holds what somebody said. Of a document in plain text `data` does."""
    return name not in _STRUCTURE or (name == "data" and inside.get("type") == "text")


def within_json(change: Change) -> Change:
    """Return what changes the texts inside a JSON document; what is none is changed as text."""

    def changed(text: str) -> str:
        try:
            document = json.loads(text)
        except ValueError:
            return change(text)
        new = _leaves(document, change)
        return text if new is document else json.dumps(new, ensure_ascii=False)

    return changed


def _leaves(value: Any, change: Change) -> Any:
    """As `mapped`, for a document in which every text counts: a tool's arguments."""
    if isinstance(value, str):
        new = change(value)
        return value if new == value else new
    if isinstance(value, list):
        parts = [_leaves(part, change) for part in value]
        return parts if _any_new(parts, value) else value
    if isinstance(value, dict):
        fields = {name: _leaves(part, change) for name, part in value.items()}
        return fields if _any_new(fields.values(), value.values()) else value
    return value


def _any_new(new: Any, old: Any) -> bool:
    return any(one is not other and one != other for one, other in zip(new, old, strict=True))
