"""Checks of a filter's life: construction, start and stop, cancellation, ends, waiting."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from plano_filters.exchange import Exchange
from plano_filters.testing.conformance.far import FarEnd
from plano_filters.testing.conformance.interrupt import Interrupted
from plano_filters.testing.conformance.subject import Failed, Result, Stand, Subject, require
from plano_filters.testing.conformance.watch import (
    BLOCKING,
    TOUCHING,
    leftovers,
    running_since,
    watching,
)

_MOST: Final = 100
"""Waits of one exchange that are interrupted; streams repeat themselves."""
_SETTLING: Final = 20
"""Turns of the loop in which what was cancelled may end."""
_GRACE: Final = 0.5
"""Seconds for tasks that still clean up, with I/O or threads."""
_SECONDS: Final = 5.0
"""For an exchange that waits for nobody; only what hangs needs them."""


async def constructs_without_side_effects(subject: Subject) -> None:
    """The constructor opens no file and no socket, and starts no task and no thread."""
    Stand(subject)  # imports what is imported late, which reads files
    with leftovers() as left, watching(TOUCHING) as touched:
        Stand(subject)
    found = [*dict.fromkeys(touched), *left]
    require(
        not found,
        f"the constructor reaches out: {', '.join(found)}; start and open things in lifespan()",
    )


async def starts_and_stops(subject: Subject) -> None:
    """`lifespan` begins and ends, again and again, and leaves nothing running behind."""
    before = asyncio.all_tasks()
    with leftovers() as left:
        for _ in range(2):
            async with Stand(subject).running() as stand:
                for exchange in subject.exchanges():
                    await stand.run(exchange)
        await _settle(before)
    require(not left, f"after lifespan() ended there is still {', '.join(left)}")
    for at in range(1, _MOST):
        with leftovers() as left:
            swallowed = await _interrupted_start(subject, at)
            await _settle(before)
        if swallowed is None:
            return
        require(not left, f"cancelled at wait {at} of its start, it leaves {', '.join(left)}")
        require(not swallowed, f"its start swallows a cancellation, at wait {at}; raise it again")


async def survives_cancellation(subject: Subject) -> None:
    """Cancelled at any wait, an exchange ends at once, is told so once, and holds nothing."""
    for index in range(len(subject.exchanges())):
        usual = await _usual(subject, index)
        for at in range(1, _MOST):
            if not await _cancelled(subject, index, at, usual):
                break


async def completes_once(subject: Subject) -> None:
    """`on_complete` runs once for each exchange, however it ends; the next is served as ever."""
    endings: tuple[tuple[str, Callable[[], FarEnd], bool], ...] = (
        ("a plain answer", FarEnd, False),
        ("a stream", FarEnd, True),
        ("a failure behind it", lambda: FarEnd(refuses=True), False),
        ("a stream that breaks", lambda: FarEnd(breaks_after=2), True),
    )
    usual: int | None = None
    for what, far, stream in endings:
        async with Stand(subject, far()).running() as stand:
            for exchange in subject.exchanges(stream=stream):
                await _run(stand, exchange, f"an exchange that ends with {what}")
                _once(stand, exchange, what)
            stand.far.refuses, stand.far.breaks_after = False, None
            status = (
                await _run(stand, subject.exchanges()[0], f"the exchange after {what}")
            ).status
        usual = usual or status
        require(
            status == usual,
            f"after {what}, the next exchange is answered {status} instead of {usual}; "
            "release in on_complete what on_request takes",
        )


async def does_not_block(subject: Subject) -> None:
    """No hook sleeps, reads files or connects in the thread that serves everybody.

    What computes for long is not seen.
    """
    async with Stand(subject).running() as stand:
        for exchange in subject.exchanges():
            await stand.run(exchange)  # imports what is imported late
    async with Stand(subject).running() as stand:
        with watching(BLOCKING) as seen:
            for exchange in subject.exchanges():
                await stand.run(exchange)
    require(
        not seen,
        f"a hook makes everybody wait: {', '.join(dict.fromkeys(seen))}; await it, "
        "or put it into a thread with asyncio.to_thread",
    )


async def _interrupted_start(subject: Subject, at: int) -> bool | None:
    """Cancel a start at one of its waits.

    Returns:
        Whether it went on all the same; None if it does not wait so often.
    """
    waits_to_start: int | None = None

    async def live() -> None:
        nonlocal waits_to_start
        async with Stand(subject).running():
            waits_to_start = interrupted.waits

    interrupted = Interrupted(live(), at)

    async def begin() -> None:
        await interrupted

    task = asyncio.create_task(begin(), name="interrupted-start")
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
    if waits_to_start is not None and waits_to_start < at:
        return None
    return not task.cancelled()


@dataclass(frozen=True, slots=True)
class _Usual:
    """How an exchange goes that nobody cancels."""

    statuses: tuple[int | None, ...]
    """Of the first, and of another like it."""
    leaves: bool
    """Whether tasks go on after it; its filter then ends them with its lifespan."""


async def _usual(subject: Subject, index: int) -> _Usual:
    async with Stand(subject).running() as stand:
        tasks = asyncio.all_tasks()
        first, second = [
            await _run(stand, subject.exchanges()[index], "an exchange") for _ in range(2)
        ]
        await _settle(tasks)
        return _Usual((first.status, second.status), bool(running_since(tasks)))


async def _cancelled(subject: Subject, index: int, at: int, usual: _Usual) -> bool:
    """Cancel an exchange at one of its waits, and see what is left; False if there is none."""
    exchange = subject.exchanges()[index]
    async with Stand(subject).running() as stand:
        tasks = asyncio.all_tasks()
        interrupted = Interrupted(stand.run(exchange), at)

        async def serve() -> Result:
            return await interrupted

        task = asyncio.create_task(serve(), name="interrupted-exchange")
        done, _ = await asyncio.wait([task], timeout=_SECONDS)
        require(done, f"cancelled at wait {at}, an exchange hangs")
        if interrupted.waits < at:
            return False
        require(
            task.cancelled(),
            f"it swallows a cancellation, at wait {at} of an exchange; let CancelledError pass",
        )
        if not usual.leaves:
            await _settle(tasks)
            left = running_since(tasks)
            require(not left, f"cancelled at wait {at}, an exchange leaves {', '.join(left)}")
        _once(stand, exchange, f"a cancellation at wait {at}")
        what = f"the exchange after one that was cancelled at wait {at}"
        again = await _run(stand, subject.exchanges()[index], what)
        require(
            again.status in usual.statuses,
            f"{what} is answered {again.status} instead of {usual.statuses[0]}; "
            "release in on_complete what on_request takes",
        )
    return True


async def _run(stand: Stand, exchange: Exchange, what: str) -> Result:
    """Run an exchange that nothing should hold up."""
    try:
        async with asyncio.timeout(_SECONDS):
            return await stand.run(exchange)
    except TimeoutError:
        raise Failed(f"{what} hangs; something was taken and never given back") from None


def _once(stand: Stand, exchange: Exchange, what: str) -> None:
    calls: Counter[str] = Counter()
    for (number, hook), count in stand.notes.calls.items():
        if number == exchange.id:
            calls[hook] = count
    own = stand.chain.links[0].on_complete is not None
    require(
        calls["on_complete"] == int(own),
        f"on_complete ran {calls['on_complete']} times after {what}; only the chain calls it",
    )
    require(
        calls["on_request"] <= 1 and calls["on_response"] <= 1,
        f"a hook ran twice in an exchange that ended with {what}; only the chain calls hooks",
    )


async def _settle(before: set[asyncio.Task[Any]]) -> None:
    """Let what was cancelled end; wait a moment for tasks that are not among those before."""
    for _ in range(_SETTLING):
        await asyncio.sleep(0)
    late = asyncio.all_tasks() - before
    if late:
        await asyncio.wait(late, timeout=_GRACE)
