"""Relaying a stream: whole events as they come, byte for byte, and never a false end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

import aiohttp
import httpx

from plano_builtin_filters.upstream.attempt import Answer, describe
from plano_builtin_filters.upstream.usage import ends
from plano_filters import UpstreamFailed, UpstreamTimeout
from plano_filters.dialect import Dialect, keep_alive
from plano_filters.sse import Splitter

MAX_HELD: Final = 1024 * 1024
"""Bytes of one incomplete event to hold; a larger one is relayed as it comes."""
QUEUED: Final = 16
"""Chunks read ahead of a slow client; then the provider is no longer read."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds. `total` counts from the start of the relay."""

    idle: float
    total: float
    keep_alive: float


@dataclass(frozen=True, slots=True)
class _Stop:
    """The end of what the provider sent, and why."""

    error: Exception | None


async def relay(
    answer: Answer,
    dialect: Dialect,
    deadlines: Deadlines,
    watch: Callable[[bytes], None],
) -> AsyncGenerator[bytes]:
    """Yield a stream's events as they arrive.

    Only complete events are yielded, those of one read together; so a comment or an error event
    can always follow. One task reads ahead; the consumer wakes once per read.

    Args:
        answer: A stream and its first events.
        dialect: Says what ends a stream.
        deadlines: How long it may be silent, and go on at all.
        watch: Sees each block of events; must not raise.

    Raises:
        UpstreamFailed: The provider broke off, or ended without the last event.
        UpstreamTimeout: It was silent for too long, or took too long.
    """
    if answer.rest is None or answer.splitter is None:
        raise ValueError("only a stream can be relayed")
    source = _Source(answer.rest, deadlines)
    splitter = answer.splitter
    complete = ends(answer.body, dialect)
    try:
        source.start()
        watch(answer.body)
        yield answer.body
        while True:
            item = await source.next()
            if item is None:
                if not splitter.rest:
                    yield keep_alive(dialect)
                continue
            if isinstance(item, _Stop):
                break
            block = _whole(splitter, item)
            if block:
                complete = complete or ends(block, dialect)
                watch(block)
                yield block
        tail = splitter.flush()
        if item.error is None and tail:
            # The last event may lack its blank line; what it says counts.
            complete = complete or ends(tail, dialect)
            watch(tail)
            yield tail + (b"" if complete else b"\n\n")
        _check_end(item.error, complete=complete)
    finally:
        await source.stop()


def _whole(splitter: Splitter, chunk: bytes) -> bytes:
    block = b"".join(event.raw for event in splitter.feed(chunk))
    if len(splitter.rest) > MAX_HELD:
        block += splitter.flush()
    return block


def _check_end(error: Exception | None, *, complete: bool) -> None:
    if complete:
        return  # what broke after the last event broke nothing
    if error is None:
        raise UpstreamFailed("the provider ended the stream before its last event")
    if isinstance(error, UpstreamTimeout):
        raise error
    raise UpstreamFailed(f"the provider broke off in the middle of its answer: {describe(error)}")


class _Source:
    """Reads a provider's stream in a task of its own, and watches the clock."""

    def __init__(self, chunks: AsyncIterator[bytes], deadlines: Deadlines) -> None:
        self._chunks = chunks
        self._deadlines = deadlines
        self._queue: asyncio.Queue[bytes | _Stop | None] = asyncio.Queue(QUEUED)
        self._loop = asyncio.get_running_loop()
        self._began = self._last_chunk = self._last_sign = self._loop.time()
        self._held: _Stop | None = None
        self._reader: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start reading."""
        self._reader = asyncio.create_task(self._read(), name="relay-reader")
        self._watch()

    async def next(self) -> bytes | _Stop | None:
        """Return what has arrived, several chunks as one; None when it is time for a sign of life."""
        if self._held is not None:
            held, self._held = self._held, None
            return held
        item = await self._queue.get()
        if not isinstance(item, bytes) or self._queue.empty():
            return item
        chunks = [item]
        while not self._queue.empty():
            following = self._queue.get_nowait()
            if isinstance(following, _Stop):
                self._held = following
            elif following is not None:
                chunks.append(following)
        return b"".join(chunks)

    async def stop(self) -> None:
        """Stop reading."""
        if self._timer is not None:
            self._timer.cancel()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])

    async def _read(self) -> None:
        error: Exception | None = None
        try:
            async for chunk in self._chunks:
                self._last_chunk = self._last_sign = self._loop.time()
                await self._queue.put(chunk)
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as broken:
            error = broken
        await self._queue.put(_Stop(error))

    def _watch(self) -> None:
        """Look at the clock, and again when the nearest deadline is due."""
        now = self._loop.time()
        limits = self._deadlines
        if now >= self._began + limits.total:
            self._fail(f"the answer took longer than {limits.total:g} s")
            return
        if now >= self._last_chunk + limits.idle and self._queue.empty():
            self._fail(f"the provider was silent for {limits.idle:g} s")
            return
        due = [self._began + limits.total, self._last_chunk + limits.idle]
        if limits.keep_alive > 0:
            if now >= self._last_sign + limits.keep_alive and self._queue.empty():
                self._last_sign = now
                self._queue.put_nowait(None)
            due.append(self._last_sign + limits.keep_alive)
        self._timer = self._loop.call_at(max(min(due), now + 0.005), self._watch)

    def _fail(self, text: str) -> None:
        if self._reader is not None:
            self._reader.cancel()
        stop = _Stop(UpstreamTimeout(text))
        if self._queue.full():
            self._queue.get_nowait()  # it will not be sent any more: the deadline is over
        self._queue.put_nowait(stop)
