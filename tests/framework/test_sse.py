"""Splitting event streams: every byte kept, every event whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters.sse import Event, Splitter, event

STREAM = (
    ": comment\n\n"
    'data: {"a": 1}\n\n'
    "event: ping\r\ndata: x\r\n\r\n"
    "data: one\ndata: two\n\n"
    "data:no space\r\r"
    "id: 7\n\n"
    "data: schön 😀\n\n"
    "data: [DONE]\n\n"
).encode()


def split(chunks: list[bytes]) -> tuple[list[Event], bytes]:
    """Feed chunks and return the events and the rest."""
    splitter = Splitter()
    events = [found for chunk in chunks for found in splitter.feed(chunk)]
    return events, splitter.flush()


def meaning(events: list[Event]) -> list[tuple[str, bytes]]:
    """Return what the events that carry something say."""
    return [(found.name, found.data) for found in events if found.data or found.name]


def test_events_are_cut_at_blank_lines() -> None:
    """Names, joined data lines and comments come out as the standard says."""
    events, rest = split([STREAM])

    assert meaning(events) == [
        ("", b'{"a": 1}'),
        ("ping", b"x"),
        ("", b"one\ntwo"),
        ("", b"no space"),
        ("", "schön 😀".encode()),
        ("", b"[DONE]"),
    ]
    assert rest == b""


@pytest.mark.parametrize("cut", range(1, len(STREAM)))
def test_a_stream_torn_anywhere_has_the_same_events(cut: int) -> None:
    """Two chunks, cut at any byte, give the same events and the same bytes."""
    events, rest = split([STREAM[:cut], STREAM[cut:]])

    assert meaning(events) == meaning(split([STREAM])[0])
    assert b"".join(found.raw for found in events) + rest == STREAM


@given(
    st.lists(st.sampled_from([b"data: x", b"event: e", b"\n", b"\r", b"\r\n", b":", b"\xf0\x9f"])),
    st.lists(st.integers(1, 5)),
)
def test_no_byte_is_lost(parts: list[bytes], sizes: list[int]) -> None:
    """Whatever arrives, and however it is torn, all of it comes out in order."""
    stream = b"".join(parts)
    chunks = []
    position = 0
    for size in [*sizes, len(stream)]:
        chunks.append(stream[position : position + size])
        position += size

    events, rest = split(chunks)

    assert b"".join(found.raw for found in events) + rest == stream


def test_an_incomplete_event_is_held() -> None:
    """Bytes of an event without its blank line are the rest, not an event."""
    splitter = Splitter()

    assert splitter.feed(b"data: a") == []
    assert splitter.rest == b"data: a"
    assert [found.data for found in splitter.feed(b"b\n\n")] == [b"ab"]


def test_what_is_written_is_read_back() -> None:
    """`event` writes what `Event` reads."""
    written = Event(event(b"payload", "name"))

    assert (written.name, written.data) == ("name", b"payload")
