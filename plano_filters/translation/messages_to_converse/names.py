"""Tool names: Converse takes 64 letters, digits, `_` and `-`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from plano_filters.translation.base import Document, Stream

LONGEST: Final = 64
_KEPT: Final = LONGEST - 9
"""What a short name keeps of the client's, before `_` and eight hex digits of its hash."""
_OTHER: Final = re.compile(r"[^a-zA-Z0-9_-]")


class ToolNames:
    """Makes the names of one request fit, and knows what they were."""

    def __init__(self) -> None:
        self._client: dict[str, str] = {}

    def short(self, name: str) -> str:
        """Return a name that Converse takes; the same one for the same name, always."""
        plain = _OTHER.sub("_", name)
        if plain == name and 0 < len(name) <= LONGEST:
            return name
        short = f"{plain[:_KEPT]}_{sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"
        self._client[short] = name
        return short

    def long(self, name: str) -> str:
        """Return the client's name for one that the provider answered with."""
        return self._client.get(name, name)


@dataclass(frozen=True, slots=True)
class NamedAnswers:
    """Gives the tools in Messages answers their names back; else they stay as they are."""

    names: ToolNames

    def whole(self, document: Mapping[str, Any]) -> Document:
        """Translate a whole answer."""
        content = document.get("content")
        blocks = content if isinstance(content, list) else []
        return {**document, "content": [self.named(block) for block in blocks]}

    def stream(self) -> Stream:
        """Return a translator of one stream."""
        return _NamedStream(self)

    def named(self, block: Any) -> Any:
        """Return a block with the client's name of a tool."""
        if isinstance(block, dict) and block.get("type") == "tool_use":
            return {**block, "name": self.names.long(str(block.get("name", "")))}
        return block


@dataclass(frozen=True, slots=True)
class _NamedStream:
    answers: NamedAnswers

    def take(self, event: Mapping[str, Any]) -> list[Document]:
        if event.get("type") == "content_block_start":
            return [{**event, "content_block": self.answers.named(event.get("content_block"))}]
        return [dict(event)]

    def finish(self) -> list[Document]:
        return []
