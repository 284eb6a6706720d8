"""What a router reads of a request: the words of the user and the assistant, and nothing else.

Requests come as clients write them. What cannot be read is left out; nothing here raises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from plano_builtin_filters.classify.routers.protocol import Role, Turn
from plano_filters.dialect import Dialect

LIMIT: Final = 16
"""Turns. Plano's `MAX_ROUTING_TURNS`; older ones no longer say what the user wants now."""

_FIELDS: Final[Mapping[Dialect, str]] = {
    "chat": "messages",
    "messages": "messages",
    "responses": "input",
}
_WORDS: Final[Mapping[Dialect, tuple[str, ...]]] = {
    "chat": ("text",),
    "messages": ("text",),
    "responses": ("input_text", "output_text", "text"),
}
"""The types of the parts that are text."""
_INSERTED: Final = ("system-reminder", "user-prompt-submit-hook")
"""Tags around what coding agents write into a user's message."""

_Object = Mapping[str, object]


def turns_of(
    payload: Mapping[str, object], dialect: Dialect, *, limit: int = LIMIT
) -> tuple[Turn, ...]:
    """Return the newest turns of a conversation, oldest first; the last one is the user's.

    System, developer and tool entries, images, audio, files, tool calls and thinking are left
    out; so are entries without words, what the assistant said after the user's last words, and
    what a coding agent wrote into a user's message.

    Args:
        payload: The request body. Only its end is read, so a long history costs nothing.
        dialect: How it is written.
        limit: The most turns to return.

    Returns:
        No turn if the user said nothing.
    """
    newest = list(islice(_backwards(payload, dialect), max(limit, 0)))
    return tuple(reversed(newest))


def _backwards(payload: _Object, dialect: Dialect) -> Iterator[Turn]:
    """Yield the turns from the user's last one to the first."""
    if dialect == "responses":
        said = payload.get("input")
        if isinstance(said, str):
            if _says_something(said):
                yield Turn("user", said)
            return
    heard = False
    for entry in _entries_backwards(payload, dialect):
        role = _role(entry)
        if role not in ("user", "assistant") or (role == "assistant" and not heard):
            continue
        if dialect == "responses" and entry.get("type") not in (None, "message"):
            continue
        text = _own(_text(entry.get("content"), dialect))
        if _says_something(text):
            heard = True
            speaker: Role = "user" if role == "user" else "assistant"
            yield Turn(speaker, text)


def _entries_backwards(payload: _Object, dialect: Dialect) -> Iterator[_Object]:
    entries = payload.get(_FIELDS.get(dialect, ""))
    if isinstance(entries, list):
        for entry in reversed(entries):
            if isinstance(entry, Mapping):
                yield entry


def _role(entry: _Object) -> str:
    role = entry.get("role")
    return role if isinstance(role, str) else ""


def _text(content: object, dialect: Dialect) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(_words(content, dialect))


def _words(content: object, dialect: Dialect) -> Iterator[str]:
    """Yield the text parts that say something."""
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping) and part.get("type") in _WORDS[dialect]:
            text = part.get("text")
            if isinstance(text, str) and _says_something(text):
                yield text


def _says_something(text: str) -> bool:
    return bool(text) and not text.isspace()


def _own(text: str) -> str:
    """Leave out what an agent inserted; unterminated, it swallows the rest, as in Plano."""
    for tag in _INSERTED:
        kept, place = [], 0
        while (start := text.find(f"<{tag}>", place)) >= 0:
            kept.append(text[place:start])
            end = text.find(f"</{tag}>", start)
            place = len(text) if end < 0 else end + len(tag) + len("</>")
        text = "".join([*kept, text[place:]])
    return text
