"""The frames of AWS's event streams, without I/O: bytes in, frames out.

A frame is its length, the length of its headers, a checksum of these two, headers, payload, and a
checksum of all. Source: the specification "Amazon Event Stream Encoding" of Smithy.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from zlib import crc32

PRELUDE: Final = 12
"""Bytes: two lengths and their checksum."""
SMALLEST: Final = PRELUDE + 4
LARGEST: Final = 16 * 1024 * 1024 + 128 * 1024
"""Bytes of a frame, by the specification: 16 MiB of payload and 128 KiB of headers."""
_STRING: Final = 7
_FIXED: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""The sizes of the values of a header, by type; types 6 and 7 tell theirs in two bytes."""


class BrokenFrame(ValueError):
    """Bytes that are no frame: a wrong checksum, or lengths that cannot be."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of an event stream."""

    headers: Mapping[str, str]
    """Those that are strings, such as `:event-type`."""
    payload: bytes


class Frames:
    """Cuts a byte stream, torn anywhere, into frames."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def torn(self) -> bool:
        """Whether part of a frame has arrived."""
        return bool(self._held)

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take the next bytes and return the frames they complete.

        Raises:
            BrokenFrame: They are none. What follows cannot be read either.
        """
        self._held += chunk
        found = []
        while len(self._held) >= PRELUDE:
            total, headers, checksum = struct.unpack_from("!III", self._held)
            if crc32(self._held[:8]) != checksum:
                raise BrokenFrame("the checksum of a frame's lengths is wrong")
            if not SMALLEST <= total <= LARGEST or headers > total - SMALLEST:
                raise BrokenFrame("the lengths of a frame cannot be")
            if len(self._held) < total:
                break
            found.append(_frame(bytes(self._held[:total]), headers))
            del self._held[:total]
        return found


def _frame(data: bytes, headers: int) -> Frame:
    (checksum,) = struct.unpack_from("!I", data, len(data) - 4)
    if crc32(data[:-4]) != checksum:
        raise BrokenFrame("the checksum of a frame is wrong")
    payload = PRELUDE + headers
    try:
        return Frame(_headers(data[PRELUDE:payload]), data[payload:-4])
    except (struct.error, IndexError, KeyError, UnicodeDecodeError) as error:
        raise BrokenFrame("the headers of a frame cannot be read") from error


def _headers(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(data):
        value = at + 1 + data[at]
        name, kind = data[at + 1 : value].decode(), data[value]
        value += 1
        if kind in _FIXED:
            size = _FIXED[kind]
        elif kind in (_STRING - 1, _STRING):
            (size,) = struct.unpack_from("!H", data, value)
            value += 2
        else:
            raise BrokenFrame("a frame has a header of an unknown type")
        at = value + size
        if at > len(data):
            raise BrokenFrame("a frame's header is longer than its headers")
        if kind == _STRING:
            found[name] = data[value:at].decode()
    return found
