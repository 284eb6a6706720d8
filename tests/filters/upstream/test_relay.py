"""The relay alone: what it yields for any stream, cut anywhere, ended anyhow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.upstream import relay as relaying
from plano_builtin_filters.upstream.attempt import Answer
from plano_builtin_filters.upstream.relay import relay
from plano_builtin_filters.upstream.source import QUEUED, Deadlines
from plano_filters import UpstreamFailed, UpstreamTimeout
from plano_filters.dialect import Dialect
from plano_filters.sse import Splitter

PATIENT = Deadlines(idle=60, total=60, keep_alive=0)
DONE = b"data: [DONE]\n\n"
CUT = httpx.ReadError("cut")


async def chunks(*parts: bytes | Exception | None) -> AsyncIterator[bytes]:
    """Yield chunks; raise an exception; fall silent for ever at None."""
    for part in parts:
        if part is None:
            await asyncio.Event().wait()
        elif isinstance(part, Exception):
            raise part
        else:
            yield part


async def relayed(
    *parts: bytes | Exception | None,
    first: bytes = b"",
    dialect: Dialect = "chat",
    deadlines: Deadlines = PATIENT,
    limit: int = 1000,
    trailing: bool = True,
) -> tuple[list[bytes], Exception | None]:
    """Relay a stream; return what was yielded and what was raised."""
    seen: list[bytes] = []
    answer = Answer(200, [], first, chunks(*parts), Splitter())
    async with AsyncExitStack() as resources:
        body = relay(answer, dialect, deadlines, lambda _: None, resources, trailing=trailing)
        resources.push_async_callback(body.aclose)
        try:
            async for block in body:
                seen.append(block)
                if len(seen) == limit:
                    break
        except (UpstreamFailed, UpstreamTimeout) as error:
            return seen, error
    return seen, None


events = st.lists(
    st.sampled_from([
        b"data: {}\n\n", b"data: 1\r\n\r\n", b": c\n\n", b"id: 1\rdata: x\r\r", b"\n\n",
        "data: 日本\n\n".encode(),
    ])
)  # fmt: skip


@given(events, st.lists(st.integers(0, 200)))
async def test_a_whole_stream_arrives_byte_for_byte(parts: list[bytes], cuts: list[int]) -> None:
    """However the reads fall, what comes out is what went in."""
    text = b"".join(parts) + DONE
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})

    out, error = await relayed(*(text[a:b] for a, b in pairwise(edges)))

    assert (b"".join(out), error) == (text, None)


@given(events, st.integers(0, 200), st.booleans())
async def test_a_broken_stream_ends_between_events(
    parts: list[bytes], cut: int, proper: bool
) -> None:
    """What comes out are whole events, and then an error: never a part that looks whole."""
    text = b"".join(parts)[:cut]
    broken: list[bytes | Exception | None] = [text] if proper else [text, CUT]

    out, error = await relayed(*broken)

    received = b"".join(out)
    assert isinstance(error, UpstreamFailed)
    assert received in (text, text + b"\n\n") or (not proper and text.startswith(received))
    assert not Splitter().feed(b"x" + received) or received.endswith((b"\n", b"\r"))


async def test_what_one_read_delivered_is_one_block() -> None:
    """Events that came together go on together."""
    out, _ = await relayed(b"data: 1\n\ndata: 2\n\ndata: 3", b"\n\n" + DONE)

    assert b"".join(out) == b"data: 1\n\ndata: 2\n\ndata: 3\n\n" + DONE
    assert len(out) <= 2


async def test_a_break_after_the_last_event_broke_nothing() -> None:
    """Some providers reset the connection behind `[DONE]`."""
    assert await relayed(DONE, CUT) == ([DONE], None)


async def test_done_ends_a_stream_that_its_provider_does_not_end() -> None:
    """Clients leave at `[DONE]`; a provider that dawdles behind it does not keep them."""
    assert await relayed(DONE, None) == ([DONE], None)


async def test_only_done_ends_a_stream_early() -> None:
    """In the other dialects providers may say something behind the last event; it is relayed."""
    last = b'data: {"type":"response.completed"}\n\n'

    out, error = await relayed(last, DONE, dialect="responses")

    assert (b"".join(out), error) == (last + DONE, None)


@pytest.mark.parametrize(
    ("dialect", "last"),
    [
        ("messages", b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
        ("responses", b'data: {"type":"response.completed"}\n\n'),
        ("chat", DONE),
    ],
)
async def test_the_last_event_ends_a_stream_that_is_translated(
    dialect: Dialect, last: bytes
) -> None:
    """What comes behind it could not be; a provider that dawdles does not keep the client."""
    assert await relayed(last, None, dialect=dialect, trailing=False) == ([last], None)


@pytest.mark.parametrize("cut", range(1, 16))
async def test_the_last_event_arrives_whole_wherever_it_is_cut(cut: int) -> None:
    """Even the second half of its last line break is relayed."""
    last = b"data: [DONE]\r\n\r\n"

    out, error = await relayed(last[:cut], last[cut:])

    assert (b"".join(out), error) == (last, None)


async def test_a_last_event_without_its_blank_line_counts() -> None:
    """What it says is enough; no byte is added to it."""
    assert await relayed(b"data: [DONE]") == ([b"data: [DONE]"], None)


async def test_an_incomplete_last_event_is_closed_before_the_error() -> None:
    """An error event that follows must not run into it."""
    out, error = await relayed(b"data: 1")

    assert out == [b"data: 1\n\n"]
    assert isinstance(error, UpstreamFailed)


async def test_an_event_too_large_to_hold_is_relayed_in_pieces() -> None:
    """It is not buffered without end; and if it breaks, the error still stands on its own."""
    piece = b"x" * (relaying.MAX_HELD + 1)

    whole, error = await relayed(b"data: " + piece, piece, b"\n\n" + DONE)
    broken, failure = await relayed(b"data: " + piece, CUT)

    assert (b"".join(whole), error) == (b"data: " + piece + piece + b"\n\n" + DONE, None)
    assert b"".join(broken) == b"data: " + piece + b"\n\n"
    assert isinstance(failure, UpstreamFailed)


@pytest.mark.parametrize(
    ("dialect", "sign"),
    [
        ("chat", b": keep-alive\n\n"),
        ("responses", b": keep-alive\n\n"),
        ("messages", b'event: ping\ndata: {"type": "ping"}\n\n'),
    ],
)
async def test_signs_of_life(dialect: Dialect, sign: bytes) -> None:
    """A silent stream says something that the dialect's clients ignore."""
    often = Deadlines(idle=60, total=60, keep_alive=0.005)

    out, _ = await relayed(b"data: 1\n\n", None, dialect=dialect, deadlines=often, limit=3)

    assert out == [b"data: 1\n\n", sign, sign]


async def test_no_sign_of_life_in_the_middle_of_an_event() -> None:
    """Half an event has arrived: a comment would become part of it."""
    often = Deadlines(idle=0.1, total=60, keep_alive=0.005)

    for start in (b"data: 1", b"data: " + b"x" * (relaying.MAX_HELD + 1)):
        out, error = await relayed(start, None, deadlines=often)

        assert b"keep-alive" not in b"".join(out)
        assert isinstance(error, UpstreamTimeout)


async def test_an_unexpected_error_of_the_transport_is_told_too() -> None:
    """Whatever is raised, the reader of the relay does not wait for ever."""
    _, error = await relayed(b"data: 1\n\n", ValueError("a bug"))

    assert isinstance(error, UpstreamFailed)
    assert isinstance(error.__cause__, ValueError)


async def test_a_slow_client_is_not_the_providers_silence() -> None:
    """While the client has not taken what is there, the idle deadline stands still."""
    short = Deadlines(idle=0.03, total=60, keep_alive=0)
    many = [b"data: %d\n\n" % number for number in range(3 * QUEUED)]
    answer = Answer(200, [], b"data: first\n\n", chunks(*many, DONE), Splitter())
    out = []
    async with AsyncExitStack() as resources:
        async for block in relay(answer, "chat", short, lambda _: None, resources):
            out.append(block)
            if len(out) == 1:
                await asyncio.sleep(0.1)

    assert b"".join(out) == b"data: first\n\n" + b"".join(many) + DONE


async def test_leaving_stops_the_reader() -> None:
    """A relay that is closed leaves no task behind."""
    before = asyncio.all_tasks()

    await relayed(b"data: 1\n\n", None, limit=1)

    assert asyncio.all_tasks() == before
