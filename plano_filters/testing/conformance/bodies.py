"""Checks of what goes through a filter: exchanges side by side, streams, torn chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from plano_filters.exchange import Exchange
from plano_filters.testing.conformance.far import Cut, FarEnd
from plano_filters.testing.conformance.subject import Result, Stand, Subject, require

_PATIENCE: Final = 200
"""Turns of the loop that others may need to get as far."""
Parts = dict[str, object]


async def keeps_exchanges_apart(subject: Subject) -> None:
    """Exchanges that overlap go as they go one after the other: nothing of them is on `self`."""
    for stream in (None, True):
        alone, again = [await _in_turn(subject, stream) for _ in range(2)]
        together = await _overlapping(subject, stream)
        for number, (usual, same, parts) in enumerate(zip(alone, again, together, strict=True), 1):
            differing = _differing(usual, same, parts)
            require(
                not differing,
                f"exchanges that overlap mix: {differing} of number {number} of {len(together)} "
                "differs from when they come one by one; "
                "keep what belongs to a request on the exchange, not on self",
            )


async def streams_without_buffering(subject: Subject) -> None:
    """The first chunk is out before the second goes in, and half of them before the last."""
    out: list[bytes] = []
    late: list[tuple[int, int]] = []

    async def before(number: int) -> None:
        for _ in range(_PATIENCE):
            if len(out) >= (number + 1) // 2:
                return
            await asyncio.sleep(0)
        late.append((number, len(out)))

    stand = Stand(subject, FarEnd(before=before))
    if not stand.sees_bodies:
        return
    async with stand.running():
        for exchange in subject.exchanges(stream=True):
            out.clear()
            await stand.run(exchange, out.append)
            require(
                not late,
                f"it holds a stream back: when chunk {late[0][0] + 1} was to come, "
                f"{late[0][1]} were out; wrap the iterator, and yield each chunk as it comes"
                if late
                else "",
            )


async def takes_torn_chunks(subject: Subject) -> None:
    """A stream gives the same bytes, facts and decisions however the network cuts it."""
    whole, again = [await _streamed(subject, list) for _ in range(2)]
    cuts: tuple[tuple[str, Cut], ...] = (
        ("one byte each", lambda events: _cut(events, 1)),
        ("seven bytes each", lambda events: _cut(events, 7)),
        ("all in one", lambda events: [b"".join(events)]),
    )
    for shown, cut in cuts:
        torn = await _streamed(subject, cut)
        for usual, same, parts in zip(whole, again, torn, strict=True):
            differing = _differing(usual, same, parts)
            require(
                not differing,
                f"{differing} changes when a stream comes in chunks of {shown}; "
                "use plano_filters.sse.Splitter: a chunk may end inside an event or a character",
            )


def _differing(usual: Parts, same: Parts, parts: Parts) -> str:
    """Name the parts that differ from the usual ones, those aside that always vary."""
    stable = {name for name in usual if usual[name] == same.get(name)}
    return ", ".join(sorted(name for name in stable if parts.get(name) != usual[name]))


async def _in_turn(subject: Subject, stream: bool | None) -> list[Parts]:
    async with Stand(subject).running() as stand:
        return [stand.parts(await stand.run(one)) for one in subject.exchanges(stream=stream)]


async def _overlapping(subject: Subject, stream: bool | None) -> list[Parts]:
    """Run all exchanges at once; none is answered before all have come as far as they get."""
    exchanges = subject.exchanges(stream=stream)
    meeting = _Meeting(len(exchanges))
    async with Stand(subject, FarEnd(arrived=meeting.arrive)).running() as stand:
        tasks = [asyncio.create_task(_one(stand, one, meeting)) for one in exchanges]
        results = await asyncio.gather(*tasks)
        return [stand.parts(result) for result in results]


async def _one(stand: Stand, exchange: Exchange, meeting: _Meeting) -> Result:
    try:
        return await stand.run(exchange)
    finally:
        meeting.present += 1  # it waits for nobody any more


@dataclass(slots=True)
class _Meeting:
    """Where exchanges wait for one another."""

    expected: int
    present: int = 0

    async def arrive(self) -> None:
        """Wait until all are here or have ended; give up on those that wait for this one."""
        self.present += 1
        for _ in range(_PATIENCE):
            if self.present >= self.expected:
                return
            await asyncio.sleep(0)


async def _streamed(subject: Subject, cut: Cut) -> list[Parts]:
    async with Stand(subject, FarEnd(cut=cut)).running() as stand:
        return [stand.parts(await stand.run(one)) for one in subject.exchanges(stream=True)]


def _cut(events: Sequence[bytes], size: int) -> list[bytes]:
    whole = b"".join(events)
    return [whole[start : start + size] for start in range(0, len(whole), size)]
