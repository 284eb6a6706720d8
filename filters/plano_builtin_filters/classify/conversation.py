"""What a router reads of a request: the words of the user and the assistant, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from plano_builtin_filters.classify.routers.protocol import Role, Turn
from plano_filters.conversation import Entry, entries, says_something, without_inserted
from plano_filters.dialect import Dialect

LIMIT: Final = 16
"""Turns. Plano's `MAX_ROUTING_TURNS`; older ones no longer say what the user wants now."""


def turns_of(
    payload: Mapping[str, Any], dialect: Dialect, *, limit: int = LIMIT
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


def _backwards(payload: Mapping[str, Any], dialect: Dialect) -> Iterator[Turn]:
    """Yield the turns from the user's last one to the first."""
    heard = False
    for entry in entries(payload, dialect, newest_first=True):
        role = entry.role
        if role not in ("user", "assistant") or (role == "assistant" and not heard):
            continue
        if dialect == "responses" and entry.kind != "message":
            continue
        text = without_inserted("\n".join(_words(entry, dialect)))
        if says_something(text):
            heard = True
            speaker: Role = "user" if role == "user" else "assistant"
            yield Turn(speaker, text)


def _words(entry: Entry, dialect: Dialect) -> Iterator[str]:
    """Yield the texts that say something, of the types that the dialect has."""
    for part in entry.parts():
        text = part.text
        known = dialect == "responses" or part.type == "text"
        if known and text is not None and says_something(text):
            yield text
