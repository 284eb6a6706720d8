"""Blocks of an answer while it streams: what is said, thought or called."""

from __future__ import annotations

import json
from typing import Protocol

from plano_filters.translation.base import Document
from plano_filters.translation.messages_to_chat.outcome import new_call_id


class Piece(Protocol):
    """A block that grows, before and after the client has heard of it."""

    def add(self, text: str) -> None:
        """Keep some more of it."""
        ...

    def take(self) -> str:
        """Return what was added since the last time."""
        ...

    def ready(self) -> bool:
        """Say whether enough is known to begin it."""
        ...

    def complete(self) -> bool:
        """Say whether another block may begin."""
        ...

    def begin(self) -> Document:
        """Return the block as it begins, empty."""
        ...

    def end(self) -> None:
        """Add what the block cannot do without."""
        ...

    def delta(self, text: str) -> Document:
        """Return a delta of the block."""
        ...


class Said:
    """Text or thinking. It is over when something else begins.

    Args:
        kind: `text` or `thinking`.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._delta = f"{kind}_delta"
        self._new = ""

    def add(self, text: str) -> None:
        """Keep some more of it."""
        self._new += text

    def take(self) -> str:
        """Return what was added since the last time."""
        new, self._new = self._new, ""
        return new

    def ready(self) -> bool:
        """Say that it can begin at once."""
        return True

    def complete(self) -> bool:
        """Say that anything may follow."""
        return True

    def begin(self) -> Document:
        """Return an empty block; a signature is not ours to give."""
        empty: Document = {"type": self.kind, self.kind: ""}
        return empty if self.kind == "text" else {**empty, "signature": ""}

    def end(self) -> None:
        """Add nothing: it begins with a first delta."""

    def delta(self, text: str) -> Document:
        """Return a delta."""
        return {"type": self._delta, self.kind: text}


class Call:
    """A tool call. It is over when its arguments are a whole JSON object."""

    def __init__(self) -> None:
        self.id = ""
        """What the client calls it; empty as long as the provider gave no id of its own."""
        self.key = ""
        """What the provider calls it, as far as is known."""
        self.name = ""
        self._arguments: list[str] = []
        self._taken = 0
        self._checked = 0
        self._whole = False

    def add(self, text: str) -> None:
        """Keep some more of the arguments."""
        if text:
            self._arguments.append(text)

    def take(self) -> str:
        """Return the arguments that were added since the last time."""
        new = "".join(self._arguments[self._taken :])
        self._taken = len(self._arguments)
        return new

    def ready(self) -> bool:
        """Say whether the name is known."""
        return bool(self.name)

    def complete(self) -> bool:
        """Say whether the arguments are a whole JSON object, which nothing can be added to."""
        if not self._whole and len(self._arguments) > self._checked:
            self._checked = len(self._arguments)
            closed = self._arguments[-1].rstrip().endswith("}")
            self._whole = closed and _is_object("".join(self._arguments))
        return self._whole

    def begin(self) -> Document:
        """Return a call without arguments; one without an id gets one."""
        self.id = self.id or new_call_id()
        return {"type": "tool_use", "id": self.id, "name": self.name, "input": {}}

    def end(self) -> None:
        """Add an empty object if there are no arguments: a block has at least one delta."""
        if not self._arguments:
            self._arguments.append("{}")

    def delta(self, text: str) -> Document:
        """Return a delta."""
        return {"type": "input_json_delta", "partial_json": text}


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
