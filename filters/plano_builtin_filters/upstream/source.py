"""Reading a provider's stream beside its relay, under deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from plano_builtin_filters.upstream.attempt import CLOSE_SECONDS
from plano_filters import UpstreamTimeout

QUEUED: Final = 16
"""Chunks read ahead of a slow client; then the provider is no longer read."""
SLOW_CLIENT_CHECK: Final = 0.5
"""Seconds between looks at the clock while a slow client has not taken what is there."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds. `total` counts from the start of the relay."""

    idle: float
    total: float
    keep_alive: float
    """0 for never."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The end of what the provider sent, and why."""

    error: Exception | None


class Source:
    """Reads a provider's stream in a task of its own, and watches the clock.

    A read cannot be given up and taken up again, so it runs beside the relay, which can then say
    something while nothing arrives.
    """

    def __init__(self, chunks: AsyncIterator[bytes], deadlines: Deadlines) -> None:
        self._chunks = chunks
        self._deadlines = deadlines
        self._queue: asyncio.Queue[bytes | Stop | None] = asyncio.Queue(QUEUED)
        self._loop = asyncio.get_running_loop()
        self._last_chunk = self._last_sign = self._loop.time()
        self._end = self._last_chunk + deadlines.total
        self._held: Stop | None = None
        self._reader: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start reading."""
        self._reader = asyncio.create_task(self._read(), name="relay-reader")
        self._watch()

    async def next(self) -> bytes | Stop | None:
        """Return what has arrived as one; None when it is time for a sign of life."""
        if self._held is not None:
            held, self._held = self._held, None
            return held
        item = await self._queue.get()
        if not isinstance(item, bytes) or self._queue.empty():
            return item
        chunks = [item]
        while not self._queue.empty():
            following = self._queue.get_nowait()
            if isinstance(following, Stop):
                self._held = following
            elif following is not None:
                chunks.append(following)
        return b"".join(chunks)

    async def stop(self, linger: float = 0.0) -> None:
        """Stop reading, if it does not end by itself within some seconds."""
        if self._timer is not None:
            self._timer.cancel()
        if self._reader is None or self._reader.done():
            return
        if linger > 0:
            await asyncio.wait([self._reader], timeout=linger)
        self._reader.cancel()
        await asyncio.wait([self._reader], timeout=CLOSE_SECONDS)

    async def _read(self) -> None:
        error: Exception | None = None
        try:
            async for chunk in self._chunks:
                self._last_chunk = self._loop.time()
                if self._queue.full():
                    await self._queue.put(chunk)
                    self._last_chunk = self._loop.time()  # the client was slow, not the provider
                else:
                    self._queue.put_nowait(chunk)
        except Exception as broken:  # noqa: BLE001 - whatever it is, the client must be told
            error = broken
        await self._queue.put(Stop(error))

    def _watch(self) -> None:
        """Look at the clock, and again when the nearest deadline is due."""
        now, limits = self._loop.time(), self._deadlines
        if now >= self._end:
            self._fail(f"the answer took longer than {limits.total:.3g} s")
            return
        if not self._queue.empty():
            self._timer = self._loop.call_at(min(now + SLOW_CLIENT_CHECK, self._end), self._watch)
            return
        idle_at = self._last_chunk + limits.idle
        if now >= idle_at:
            self._fail(f"the provider was silent for {limits.idle:g} s")
            return
        due = min(self._end, idle_at)
        if limits.keep_alive > 0:
            sign_at = max(self._last_chunk, self._last_sign) + limits.keep_alive
            if now >= sign_at:
                self._last_sign = now
                self._queue.put_nowait(None)
                sign_at = now + limits.keep_alive
            due = min(due, sign_at)
        self._timer = self._loop.call_at(due, self._watch)

    def _fail(self, text: str) -> None:
        if self._reader is not None:
            self._reader.cancel()
        if self._queue.full():
            self._queue.get_nowait()  # it will not be sent any more: the deadline is over
        self._queue.put_nowait(Stop(UpstreamTimeout(text)))
