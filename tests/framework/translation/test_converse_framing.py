"""The frames of AWS's event streams."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters.translation.messages_to_converse import BrokenFrame, Frame, Frames
from tests.support.converse import frame

HEADERS = {":event-type": "messageStart", ":message-type": "event"}
WIRE = frame(b'{"a":1}', HEADERS)

frames = st.lists(
    st.tuples(
        st.binary(max_size=60),
        st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=30), max_size=4),
    ),
    max_size=4,
)


@given(frames, st.lists(st.integers(min_value=1, max_value=40), min_size=1))
def test_frames_torn_anywhere_are_the_same(
    written: list[tuple[bytes, dict[str, str]]], sizes: list[int]
) -> None:
    """However the network cuts them, they are read as they were written, and nothing is left."""
    wire = b"".join(frame(payload, headers) for payload, headers in written)
    reading, found, at, turn = Frames(), [], 0, 0
    while at < len(wire):
        size = sizes[turn % len(sizes)]
        found += reading.feed(wire[at : at + size])
        at, turn = at + size, turn + 1

    assert found == [Frame(headers, payload) for payload, headers in written]
    assert not reading.torn


def test_a_frame_has_come_with_its_last_byte() -> None:
    """Cut at every byte in turn, it is held until then, and known to be torn."""
    for cut in range(1, len(WIRE)):
        reading = Frames()
        assert reading.feed(WIRE[:cut]) == []
        assert reading.torn
        assert reading.feed(WIRE[cut:]) == [Frame(HEADERS, b'{"a":1}')]


@pytest.mark.parametrize("at", range(len(WIRE)))
def test_a_changed_byte_is_never_read(at: int) -> None:
    """Wherever it is, one of the two checksums tells."""
    changed = bytearray(WIRE)
    changed[at] ^= 1

    with pytest.raises(BrokenFrame):
        Frames().feed(bytes(changed))


def raw(head: bytes, *, total: int | None = None) -> bytes:
    """Write a frame with these bytes as headers, and right checksums."""
    prelude = struct.pack("!II", 16 + len(head) if total is None else total, len(head))
    prelude += struct.pack("!I", crc32(prelude))
    return prelude + head + struct.pack("!I", crc32(prelude + head))


@pytest.mark.parametrize(
    "wire",
    [
        raw(b"", total=15),
        raw(b"", total=2**31),
        raw(b"abc", total=16),
        raw(b"\x01a\x0a"),
        raw(b"\x05a"),
        raw(b"\x01a\x07\x00\x05x"),
        raw(b"\x01a\x07\x00\x01\xff"),
    ],
)
def test_what_cannot_be_is_refused(wire: bytes) -> None:
    """Lengths out of all bounds, headers of no type, of no end, or of no text."""
    with pytest.raises(BrokenFrame):
        Frames().feed(wire)


def test_headers_of_other_types_are_passed_over() -> None:
    """Those of interest are strings."""
    head = b"\x01a\x00" + b"\x01b\x04\x00\x00\x00\x01" + b"\x01c\x06\x00\x02xy"
    head += b"\x01d\x09" + bytes(16) + b"\x01e\x07\x00\x01z"

    assert Frames().feed(raw(head)) == [Frame({"e": "z"}, b"")]
