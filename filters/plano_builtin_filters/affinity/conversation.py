"""What is read of a conversation: how it begins, and whether the user has just spoken.

Requests come as clients write them. What cannot be read is left out; nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from plano_filters.dialect import Dialect

_Object = Mapping[str, object]
_FIELDS: Final[Mapping[Dialect, str]] = {
    "chat": "messages",
    "messages": "messages",
    "responses": "input",
}
_WORDS: Final = ("text", "input_text", "output_text")
"""The types of the parts that are text. No set: a client may write a list for a type."""
_READ: Final = ("messages", "input", "system", "instructions", "tools", "functions")
"""What the model reads."""
_DATA: Final = frozenset(
    {"data", "file_data", "image_url", "url", "encrypted_content", "signature"}
)
"""Fields below that are no text."""
CHARACTERS_A_TOKEN: Final = 4
"""Plano's estimate."""
_SYSTEM: Final = ("system", "developer")
_INSERTED = re.compile(r"<(system-reminder|user-prompt-submit-hook)>.*?(?:</\1>|\Z)", re.DOTALL)
"""What coding agents write into a user's message; unterminated, it swallows the rest."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What all requests of a conversation have in common."""

    system: str
    """The system and developer texts, a line break between them."""
    tools: str
    """The names of the tools, a comma between them."""
    user: str
    """The user's first words."""


def beginning_of(payload: _Object, dialect: Dialect) -> Beginning | None:
    """Return how a conversation begins; None if the user has said nothing yet."""
    instructions = payload.get({"messages": "system", "responses": "instructions"}.get(dialect, ""))
    system = [_text(instructions)]
    user = ""
    for entry in _entries(payload, dialect):
        role = entry.get("role")
        if role in _SYSTEM:
            system.append(_text(entry.get("content")))
        elif role == "user" and not user:
            user = _text(entry.get("content"))
    if not user:
        return None
    return Beginning("\n".join(filter(None, system)), ",".join(_tools(payload)), user)


def tokens_of(payload: _Object) -> int:
    """Estimate the tokens of a prompt from its characters; what is no text is not counted."""
    found, waiting = 0, [payload.get(field) for field in _READ]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found += len(value)
        elif isinstance(value, Mapping):
            waiting += [inner for name, inner in value.items() if name not in _DATA]
        elif isinstance(value, list):
            waiting += value
    return found // CHARACTERS_A_TOKEN


def is_user_turn(payload: _Object, dialect: Dialect) -> bool:
    """Say whether the newest entry is the user's: words, or an image, audio or file.

    A tool's result is not, and neither is what a coding agent adds to one. System and developer
    entries are passed over.
    """
    newest: _Object | None = None
    for entry in _entries(payload, dialect):
        newest = newest if entry.get("role") in _SYSTEM else entry
    if newest is None or newest.get("role") != "user":
        return False
    if newest.get("type") not in (None, "message"):
        return False
    content = newest.get("content")
    if isinstance(content, str):
        return _says_something(content)
    parts = content if isinstance(content, list) else ()
    return any(_is_users(part) for part in parts if isinstance(part, Mapping))


def _is_users(part: _Object) -> bool:
    kind = part.get("type")
    if kind in _WORDS:
        text = part.get("text")
        return isinstance(text, str) and _says_something(text)
    return kind != "tool_result"


def _says_something(text: str) -> bool:
    own = _INSERTED.sub("", text)
    return bool(own) and not own.isspace()


def _entries(payload: _Object, dialect: Dialect) -> Iterator[_Object]:
    entries = payload.get(_FIELDS.get(dialect, ""))
    if isinstance(entries, str):
        yield {"role": "user", "content": entries}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping):
            yield entry


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    texts = [p.get("text") for p in parts if isinstance(p, Mapping) and p.get("type") in _WORDS]
    return "\n".join(text for text in texts if isinstance(text, str))


def _tools(payload: _Object) -> Iterator[str]:
    tools = payload.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, Mapping):
            function = tool.get("function")
            name = function.get("name") if isinstance(function, Mapping) else tool.get("name")
            if isinstance(name, str):
                yield name
