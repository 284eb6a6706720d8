"""Cutting a streamed answer into what one call to a service sees, without I/O.

Models send a few letters at a time, so what a service looks for is torn over several events.
Here the text of neighbouring events is put together first.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from plano_builtin_filters.remote import deltas
from plano_builtin_filters.remote.deltas import Delta, Place
from plano_filters import jsonbody, sse
from plano_filters.dialect import Dialect
from plano_filters.sse import Event

Unit = Literal["event", "sentence", "answer"]
LONGEST: Final = 600
"""Characters that may wait for the end of their sentence."""
_END: Final = re.compile(r"[.!?\u2026][\"'\u201d\u2019)\]]*\s+|\n+|[\u3002\uff01\uff1f]+")
"""Of a sentence, with what closes behind it. The last three are those of Chinese and Japanese."""
_SPACE: Final = re.compile(r"\s+")


class TooMuchHeld(Exception):
    """An answer is larger than what may be held of it."""


def cut(text: str, longest: int = LONGEST) -> int:
    """Return how much of a text is whole sentences; of one that is too long, whole words.

    Args:
        text: What has arrived.
        longest: Characters that may wait for the end of a sentence.
    """
    end = max((match.end() for match in _END.finditer(text)), default=0)
    if len(text) - end <= longest:
        return end
    return max((match.end() for match in _SPACE.finditer(text, end)), default=len(text))


@dataclass(slots=True)
class _Run:
    """Text of one lane that waits for its end, and the document it will go out in."""

    place: Place
    text: str
    document: Any
    name: str
    event: Event | None
    """The event it came in, as long as it is just that."""

    def add(self, delta: Delta, name: str) -> None:
        self.text += delta.text
        self.document = deltas.merged(self.document, delta.document)
        self.name, self.event = name, None

    def take(self, length: int) -> bytes:
        """Return an event with so many characters, and keep the others."""
        if self.event is not None and length == len(self.text):
            return self.event.raw
        head, self.text, self.event = self.text[:length], self.text[length:], None
        document = deltas.written(self.document, self.place, head)
        self.document = deltas.without_logprobs(self.document)
        return sse.event(jsonbody.encode(document), self.name)


class Units:
    """Takes events, gives blocks of events to ask about. Nothing is lost, nothing is torn.

    Args:
        dialect: Says where the text of an event stands.
        unit: How much one block is to hold.
        limit: Bytes of an answer that may be held.
    """

    def __init__(self, dialect: Dialect, unit: Unit, limit: int) -> None:
        self._dialect: Dialect = dialect
        self._unit = unit
        self._limit = limit
        self._size = 0
        self._runs: dict[Hashable, _Run] = {}
        self._ready: list[bytes] = []

    def take(self, events: Sequence[Event]) -> bytes:
        """Take the next events; return what is to be asked about now, empty for nothing yet.

        Raises:
            TooMuchHeld: More would have to be held than may be.
        """
        if self._unit == "event":
            return b"".join([event.raw for event in events])
        for event in events:
            self._size += len(event.raw)
            self._one(event)
        if self._unit == "answer":
            if self._size > self._limit:
                raise TooMuchHeld(f"the answer is larger than {self._limit} bytes")
            return b""
        for lane, run in list(self._runs.items()):
            length = cut(run.text)
            if length and length == len(run.text):
                self._flush_lane(lane)
            elif length:
                self._ready.append(run.take(length))
        return self._taken()

    def end(self) -> bytes:
        """Return what is left at the end of the stream."""
        self._flush()
        return self._taken()

    def _one(self, event: Event) -> None:
        delta = deltas.read(event, self._dialect)
        if delta is None:
            self._flush()
            self._ready.append(event.raw)
            return
        run = self._runs.get(delta.lane)
        if run is not None and run.place != delta.place:
            self._flush_lane(delta.lane)
            run = None
        if run is None:
            made = _Run(delta.place, delta.text, delta.document, event.name, event)
            self._runs[delta.lane] = made
        else:
            run.add(delta, event.name)
        if delta.last:
            self._flush_lane(delta.lane)

    def _flush(self) -> None:
        for lane in list(self._runs):
            self._flush_lane(lane)

    def _flush_lane(self, lane: Hashable) -> None:
        run = self._runs.pop(lane)
        self._ready.append(run.take(len(run.text)))

    def _taken(self) -> bytes:
        block, self._ready = b"".join(self._ready), []
        return block
