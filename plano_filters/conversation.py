"""The conversation of a request, read alike in every dialect.

Requests come as clients write them. What cannot be read is left out; nothing here raises. Entries,
parts and texts are read as they are asked for: of a long history, whoever looks only at the end
pays only for the end.

Source: the OpenAI and Anthropic API references.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from plano_filters.dialect import Dialect

EntryKind = Literal["message", "tool_call", "tool_result", "thinking", "other"]
PartKind = Literal[
    "text", "image", "audio", "file", "tool_call", "tool_result", "thinking", "other"
]

_ENTRIES: Final[Mapping[Dialect, str]] = {
    "chat": "messages",
    "messages": "messages",
    "responses": "input",
}
_INSTRUCTIONS: Final[Mapping[Dialect, str]] = {"messages": "system", "responses": "instructions"}
SYSTEM: Final = ("system", "developer")
"""The roles of entries that instruct the model."""
_PARTS: Final[Mapping[str, PartKind]] = {
    "text": "text",
    "input_text": "text",
    "output_text": "text",
    "image": "image",
    "image_url": "image",
    "input_image": "image",
    "input_audio": "audio",
    "document": "file",
    "file": "file",
    "input_file": "file",
    "tool_use": "tool_call",
    "tool_result": "tool_result",
    "thinking": "thinking",
    "redacted_thinking": "thinking",
}
_PROMPT: Final = ("messages", "input", "system", "instructions", "tools", "functions")
"""What the model reads."""
_DATA: Final = frozenset(
    {"data", "file_data", "image_url", "url", "encrypted_content", "signature"}
)
"""Fields below that are no text."""
_INSERTED: Final = ("system-reminder", "user-prompt-submit-hook")
"""Tags around what coding agents write into a user's message."""


@dataclass(slots=True)
class Part:
    """One part of what an entry says."""

    raw: Mapping[str, Any]

    @property
    def type(self) -> str:
        """Its type, as written; empty if it has none."""
        kind = self.raw.get("type")
        return kind if isinstance(kind, str) else ""

    @property
    def kind(self) -> PartKind:
        """What it is, in every dialect."""
        return _PARTS.get(self.type, "other")

    @property
    def text(self) -> str | None:
        """The words of a text; None of anything else."""
        text = self.raw.get("text") if self.kind == "text" else None
        return text if isinstance(text, str) else None


@dataclass(slots=True)
class Entry:
    """A message of a conversation, or another item of one."""

    raw: Mapping[str, Any]

    @property
    def role(self) -> str:
        """Whose it is, as written; empty if it does not say."""
        role = self.raw.get("role")
        return role if isinstance(role, str) else ""

    @property
    def kind(self) -> EntryKind:
        """What it is, in every dialect."""
        name = self.raw.get("type")
        if name is None or name == "message":
            return "tool_result" if self.role in ("tool", "function") else "message"
        if not isinstance(name, str):
            return "other"
        if name.endswith("_call"):
            return "tool_call"
        if name.endswith("_call_output"):
            return "tool_result"
        return "thinking" if name == "reasoning" else "other"

    def parts(self) -> Iterator[Part]:
        """Yield what it says, in order; a plain string is one text."""
        return _parts(self.raw.get("content"))

    @property
    def text(self) -> str:
        """Its texts, a line break between them; empty if it has none."""
        return _joined(self.raw.get("content"))


def entries(
    payload: Mapping[str, Any], dialect: Dialect, *, newest_first: bool = False
) -> Iterator[Entry]:
    """Yield the entries of a conversation, one by one.

    Args:
        payload: The request body.
        dialect: How it is written; `embeddings` has no conversation.
        newest_first: Begin at the end.
    """
    given = payload.get(_ENTRIES.get(dialect, ""))
    if isinstance(given, str) and dialect == "responses":
        yield Entry({"role": "user", "content": given})
    elif isinstance(given, list):
        for entry in reversed(given) if newest_first else given:
            if isinstance(entry, dict):
                yield Entry(entry)


def instructions(payload: Mapping[str, Any], dialect: Dialect) -> str:
    """Return the instructions beside a conversation, a line break between their texts.

    Those within it, as in the dialect `chat`, are its entries of a role in `SYSTEM`.
    """
    return _joined(payload.get(_INSTRUCTIONS.get(dialect, "")))


def tool_names(payload: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the tools that a request offers, in its order."""
    tools = payload.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict):
            function = tool.get("function")
            name = (function if isinstance(function, dict) else tool).get("name")
            if isinstance(name, str):
                yield name


def prompt_texts(payload: Mapping[str, Any]) -> Iterator[str]:
    """Yield every text that the model reads, tools' included, in no order.

    Images, files and signatures are left out: what stands for them is no text.
    """
    for inner in _walk([payload.get(field) for field in _PROMPT]):
        if isinstance(inner, str):
            yield inner


def parts_within(payload: Mapping[str, Any]) -> Iterator[Part]:
    """Yield all objects of a conversation as parts, however deep, in no order.

    An image may lie in what a tool returned, and that may be an entry or a part.
    """
    for inner in _walk([payload.get("messages"), payload.get("input")]):
        if isinstance(inner, dict):
            yield Part(inner)


def without_inserted(text: str) -> str:
    """Leave out what a coding agent wrote into a text, as `<system-reminder>`.

    What is not terminated swallows the rest, as in Plano.
    """
    for tag in _INSERTED:
        kept, place = [], 0
        while (start := text.find(f"<{tag}>", place)) >= 0:
            kept.append(text[place:start])
            end = text.find(f"</{tag}>", start)
            place = len(text) if end < 0 else end + len(tag) + len("</>")
        text = "".join([*kept, text[place:]])
    return text


def says_something(text: str) -> bool:
    """Say whether a text has more than white space."""
    return bool(text) and not text.isspace()


def _parts(content: object) -> Iterator[Part]:
    if isinstance(content, str):
        yield Part({"type": "text", "text": content})
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict):
            yield Part(part)


def _joined(content: object) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.text for part in _parts(content) if part.text is not None)


def _walk(waiting: list[Any]) -> Iterator[Any]:
    """Yield all values within some, those that are data excepted."""
    while waiting:
        value = waiting.pop()
        yield value
        if isinstance(value, dict):
            waiting += [inner for name, inner in value.items() if name not in _DATA]
        elif isinstance(value, list):
            waiting += value
