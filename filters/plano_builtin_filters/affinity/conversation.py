"""What is read of a conversation: how it begins, and whether the user has just spoken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from plano_filters import conversation
from plano_filters.conversation import Part
from plano_filters.dialect import Dialect

CHARACTERS_A_TOKEN: Final = 4
"""Plano's estimate."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What all requests of a conversation have in common."""

    system: str
    """The system and developer texts, a line break between them."""
    tools: str
    """The names of the tools, a comma between them."""
    user: str
    """The user's first words."""


def beginning_of(payload: Mapping[str, Any], dialect: Dialect) -> Beginning | None:
    """Return how a conversation begins; None if the user has said nothing yet."""
    system = [conversation.instructions(payload, dialect)]
    user = ""
    for entry in conversation.entries(payload, dialect):
        role = entry.role
        if role in conversation.SYSTEM:
            system.append(entry.text)
        elif role == "user" and not user:
            user = entry.text
    if not user:
        return None
    tools = ",".join(conversation.tool_names(payload))
    return Beginning("\n".join(filter(None, system)), tools, user)


def tokens_of(payload: Mapping[str, Any]) -> int:
    """Estimate the tokens of a prompt from its characters; what is no text is not counted."""
    return sum(map(len, conversation.prompt_texts(payload))) // CHARACTERS_A_TOKEN


def is_user_turn(payload: Mapping[str, Any], dialect: Dialect) -> bool:
    """Say whether the newest entry is the user's: words, or an image, audio or file.

    A tool's result is not, and neither is what a coding agent adds to one. System and developer
    entries are passed over.
    """
    for entry in conversation.entries(payload, dialect, newest_first=True):
        if entry.role not in conversation.SYSTEM:
            users = entry.role == "user" and entry.kind == "message"
            return users and any(_is_users(part) for part in entry.parts())
    return False


def _is_users(part: Part) -> bool:
    if part.kind == "text":
        own = conversation.without_inserted(part.text or "")
        return conversation.says_something(own)
    return part.kind != "tool_result"
