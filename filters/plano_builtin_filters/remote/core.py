"""What a service's answer means for a request, an answer, or a part of a stream."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from plano_filters.sse import Splitter

NOT_ITS_OWN: Final = ("model", "stream", "routing_preferences")
"""Fields that a service cannot change: they were read, or promised, before it was asked."""
MOST_NAMES: Final = 8
"""Fields that a decision names; a client may send as many as it likes."""
LONGEST_NAME: Final = 40
"""Characters of such a name."""
LONGEST_TEXT: Final = 1000
"""Characters of a refusal to show as its message."""
LONGEST_BODY: Final = 4096
"""Bytes of a refusal to show beside it."""
_TEXTS: Final = ("message", "detail", "error", "reason", "agent_response")
"""Fields in which services say why; the first that is there counts."""
_LINES: Final = (b"data:", b"event:", b"id:", b"retry:", b":")


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done to a request."""

    fields: dict[str, Any] = field(default_factory=dict)
    """New values."""
    removed: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    """Fields it changed that are not its own; they stay."""

    @property
    def text(self) -> str:
        """The change in words."""
        done = [_short(name) for name in self.fields]
        done += [f"{_short(name)} (removed)" for name in self.removed]
        more = f" and {len(done) - MOST_NAMES} more" if len(done) > MOST_NAMES else ""
        told = f"changed {', '.join(done[:MOST_NAMES])}{more}" if done else "let the request pass"
        if self.refused:
            told += f"; not its to change: {', '.join(self.refused)}"
        return told

    @property
    def names(self) -> list[str]:
        """The fields that change, as many as a decision names."""
        return [_short(name) for name in (*self.fields, *self.removed)][:MOST_NAMES]


def _short(name: str) -> str:
    return name[:LONGEST_NAME]


def change(before: Mapping[str, Any], after: Mapping[str, Any]) -> Change:
    """Compare a request with what a service made of it.

    Args:
        before: The body it was shown.
        after: The body it answered with.
    """
    fields = {name: value for name, value in after.items() if _differs(before, name, value)}
    removed = [name for name in before if name not in after]
    refused = [name for name in NOT_ITS_OWN if name in fields or name in removed]
    return Change(
        {name: value for name, value in fields.items() if name not in NOT_ITS_OWN},
        tuple(name for name in removed if name not in NOT_ITS_OWN),
        tuple(refused),
    )


def _differs(before: Mapping[str, Any], name: str, value: object) -> bool:
    return name not in before or _canonical(before[name]) != _canonical(value)


def _canonical(value: object) -> bytes:
    """Write a value in one way; unlike `==`, it tells `true` and 1 apart."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # integers above 64 bits
        return json.dumps(value, sort_keys=True).encode()


def same(before: bytes, after: bytes) -> bool:
    """Say whether two bodies mean the same; services write JSON in their own way."""
    if before == after:
        return True
    try:
        return _canonical(orjson.loads(before)) == _canonical(orjson.loads(after))
    except orjson.JSONDecodeError:
        return False


def refusal(body: bytes) -> tuple[str, object]:
    """Return what a service says why it refuses: a text, and all of it for machines.

    Services answer with JSON of many forms, or with plain text; of a long one there is only the
    text.
    """
    text = body.decode("utf-8", "replace").strip()
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = text
    said = _said(document) or text
    shown = document if len(body) <= LONGEST_BODY else None
    return said[:LONGEST_TEXT], shown


def _said(document: object) -> str:
    if isinstance(document, str):
        return document.strip()
    if isinstance(document, list):
        return next(filter(None, map(_said, document)), "")
    if isinstance(document, dict):
        return next((text for key in _TEXTS if (text := _said(document.get(key)))), "")
    return ""


def is_json_object(body: bytes) -> bool:
    """Say whether a body is a JSON object."""
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def events(body: bytes) -> bytes | None:
    """Return a service's part of a stream, ended by a blank line; None if it is no events.

    Nothing at all is a part, too: it takes out what the service was shown.
    """
    if not body.strip():
        return b""
    splitter = Splitter()
    found = splitter.feed(body)
    ended = body if not splitter.rest.strip() else body.rstrip(b"\r\n") + b"\n\n"
    lines = [one.raw.lstrip(b"\r\n") for one in found] + [splitter.rest.lstrip(b"\r\n")]
    if any(line and not line.startswith(_LINES) for line in lines):
        return None
    return ended


def same_events(before: bytes, after: bytes) -> bool:
    """Say whether two parts of a stream mean the same."""
    if before == after:
        return True
    one, other = _data(before), _data(after)
    return len(one) == len(other) and all(map(same, one, other))


def _data(block: bytes) -> list[bytes]:
    return [event.data for event in Splitter().feed(block + b"\n\n") if event.data]
