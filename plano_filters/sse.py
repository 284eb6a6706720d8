"""Server-sent events, without I/O: bytes in, events out, every byte kept.

A relay forwards `Event.raw`; whoever needs the content reads `Event.data`. A chunk may end
anywhere: inside a code point, inside CRLF, inside a field name.

Source: WHATWG HTML, section 9.2.6 "Interpreting an event stream".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_BOUNDARY = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE = re.compile(rb"\r\n|\n|\r")
_LONGEST_BOUNDARY: Final = 4
DONE: Final = b"[DONE]"
"""The data of the event that ends an OpenAI chat stream."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, or one block of comments, with the blank line that ends it."""

    raw: bytes

    @property
    def data(self) -> bytes:
        """The joined `data` lines; empty for a block of comments."""
        return b"\n".join(self._field(b"data"))

    @property
    def name(self) -> str:
        """The `event` field; empty when there is none."""
        names = self._field(b"event")
        return names[-1].decode("utf-8", "replace") if names else ""

    def _field(self, wanted: bytes) -> list[bytes]:
        values = []
        for line in _LINE.split(self.raw):
            name, _, value = line.partition(b":")
            if name == wanted:
                values.append(value.removeprefix(b" "))
        return values


class Splitter:
    """Cuts a byte stream at the blank lines between events.

    `b"".join(event.raw for every event) + rest` is exactly what was fed.
    """

    def __init__(self) -> None:
        self._buffer = b""

    @property
    def rest(self) -> bytes:
        """What has arrived of an event that is not complete."""
        return self._buffer

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes and return the events they complete."""
        searched = max(0, len(self._buffer) - _LONGEST_BOUNDARY)
        buffer = self._buffer + chunk if self._buffer else chunk
        events = []
        start = 0
        for boundary in _BOUNDARY.finditer(buffer, searched):
            # A CR at the very end may be half of a CRLF. Its LF then opens the next event, where a
            # blank line means nothing; to wait for it would hold this event back.
            events.append(Event(buffer[start : boundary.end()]))
            start = boundary.end()
        self._buffer = buffer[start:]
        return events

    def flush(self) -> bytes:
        """Return what is left at the end of the stream, and forget it."""
        rest, self._buffer = self._buffer, b""
        return rest


def event(data: bytes, name: str = "") -> bytes:
    """Write one event."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + data + b"\n\n"


__all__ = ["DONE", "Event", "Splitter", "event"]
