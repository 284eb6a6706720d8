"""A stream past a service: order, ends, breaks and size."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from plano_builtin_filters.remote.stream import Ask, Tally, screened
from plano_builtin_filters.remote.units import TooMuchHeld, Unit, Units
from plano_filters import UpstreamFailed
from tests.filters.remote.streams import read_into

ONE, TWO = (b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % t for t in (b"Al", b"ice"))
DONE = b"data: [DONE]\n\n"
BOTH = b'data: {"choices":[{"delta":{"content":"Alice"}}]}\n\n'


async def body(*chunks: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    """Give chunks, then perhaps break."""
    for chunk in chunks:
        yield chunk
    if error is not None:
        raise error


async def through(
    source: AsyncIterator[bytes], ask: Ask, unit: Unit = "sentence", limit: int = 1000
) -> list[bytes]:
    """Read a screened stream to its end."""
    return [part async for part in screened(source, Units("chat", unit, limit), ask, limit=limit)]


async def upper(block: bytes) -> bytes:
    """Shout."""
    return block.replace(b"Alice", b"ALICE")


async def test_chunks_may_end_anywhere() -> None:
    """A name torn over events and over chunks is one name to the service."""
    stream = ONE + TWO + DONE
    torn = [stream[at : at + 7] for at in range(0, len(stream), 7)]

    assert b"".join(await through(body(*torn), upper)) == BOTH.replace(b"Alice", b"ALICE") + DONE


async def test_the_order_is_that_of_the_answer() -> None:
    """One call at a time: the next is made when the last one's part has been sent on."""
    log: list[str] = []

    async def ask(block: bytes) -> bytes:
        log.append("asked")
        return block

    async for part in screened(body(ONE, TWO, DONE), Units("chat", "event", 1), ask, limit=1000):
        log += ["sent", str(len(part))]

    assert log == [word for one in (ONE, TWO, DONE) for word in ("asked", "sent", str(len(one)))]


async def test_signs_of_life_pass_at_once() -> None:
    """Nobody asks about a comment or a ping, and no text waits for them or they for it."""
    ping = b'event: ping\ndata: {"type":"ping"}\n\n'
    seen: list[bytes] = []

    async def ask(block: bytes) -> bytes:
        seen.append(block)
        return block

    made = await through(body(ONE, b": keep-alive\n\n", ping, TWO, DONE), ask)

    assert made == [b": keep-alive\n\n", ping, BOTH + DONE]
    assert seen == [BOTH + DONE]


async def test_a_last_event_without_its_blank_line_is_shown_too() -> None:
    """Nothing slips past at the end."""
    assert await through(body(ONE, TWO.rstrip()), upper) == [BOTH.replace(b"Alice", b"ALICE")]


async def test_a_stream_that_breaks_gives_what_came_and_then_breaks() -> None:
    """The text that was held is shown and sent on; half an event is not."""
    made: list[bytes] = []
    source = body(ONE, TWO, b"data: half", error=UpstreamFailed("broke"))

    with pytest.raises(UpstreamFailed):
        await read_into(made, screened(source, Units("chat", "answer", 1000), upper, limit=1000))

    assert made == [BOTH.replace(b"Alice", b"ALICE")]


async def test_what_the_service_refuses_ends_the_stream() -> None:
    """Nothing that was held comes after."""
    made: list[bytes] = []

    async def ask(block: bytes) -> bytes:
        if b"[DONE]" in block:
            raise PermissionError
        return block

    source = body(ONE, DONE, TWO, DONE)
    with pytest.raises(PermissionError):
        await read_into(made, screened(source, Units("chat", "event", 1000), ask, limit=1000))

    assert made == [ONE]


async def test_an_event_without_end_is_not_held_without_end() -> None:
    """It cannot be shown, so it is not sent on."""
    with pytest.raises(TooMuchHeld):
        await through(body(b"data: " + b"x" * 2000), upper)


@pytest.mark.parametrize(
    ("tally", "text"),
    [
        (Tally(1), "let 1 part of the stream pass"),
        (Tally(3, 2), "changed 2 of 3 parts of the stream"),
        (Tally(3, 0, True), "let 3 parts of the stream pass, then failed and was skipped"),
    ],
)
def test_a_tally_in_words(tally: Tally, text: str) -> None:
    """What the decision says at the end of a stream."""
    assert tally.text == text
