"""A streamed answer on its way past a service: a unit at a time, in order, nothing in between."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from plano_builtin_filters.remote.units import TooMuchHeld, Units
from plano_filters.sse import Event, Splitter

Ask = Callable[[bytes], Awaitable[bytes]]
"""Asks about a block of events, and returns the one to send on."""


@dataclass(slots=True)
class Tally:
    """How many parts of an answer a service saw, and changed."""

    seen: int = 0
    changed: int = 0
    skipped: bool = False
    """The service failed, and the rest goes past it."""

    @property
    def text(self) -> str:
        """The tally in words."""
        parts = f"{self.seen} part{'' if self.seen == 1 else 's'} of the stream"
        told = f"changed {self.changed} of {parts}" if self.changed else f"let {parts} pass"
        return told + (", then failed and was skipped" if self.skipped else "")


async def screened(
    body: AsyncIterator[bytes], units: Units, ask: Ask, *, limit: int
) -> AsyncGenerator[bytes]:
    """Yield the events of an answer after the service has seen them.

    One call at a time: the next part is read when the last one has been sent on, so the order is
    that of the model, and a slow service slows the reading instead of filling memory. Comments and
    pings pass at once.

    Args:
        body: The answer.
        units: Cuts it.
        ask: Asks about one unit; what it raises ends the answer.
        limit: Bytes of one event that may be held.

    Raises:
        TooMuchHeld: An event, or what has to be held of the answer, is too large.
    """
    splitter, source = Splitter(), aiter(body)
    broken: Exception | None = None
    while True:
        try:
            chunk = await anext(source)
        except StopAsyncIteration:
            break
        except Exception as error:  # noqa: BLE001 - raised again below, behind what came before it
            broken = error
            break
        events = splitter.feed(chunk)
        if len(splitter.rest) > limit:
            raise TooMuchHeld(f"an event of the answer is larger than {limit} bytes")
        for sign in filter(_is_sign_of_life, events):
            yield sign.raw
        block = units.take([one for one in events if not _is_sign_of_life(one)])
        if block:
            yield await ask(block)
    rest = splitter.flush()
    block = b"" if broken is not None or not rest.strip() else units.take([Event(rest + b"\n\n")])
    block += units.end()
    if block:
        yield await ask(block)
    if broken is not None:
        raise broken


def _is_sign_of_life(event: Event) -> bool:
    return not event.data or event.name == "ping"
