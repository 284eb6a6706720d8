"""Relaying a stream: whole events as they come, byte for byte, and never a false end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from plano_builtin_filters.upstream.attempt import CLOSE_SECONDS, Answer, describe
from plano_builtin_filters.upstream.ending import Ending
from plano_filters import GatewayError, UpstreamFailed, UpstreamTimeout
from plano_filters.dialect import Dialect, keep_alive
from plano_filters.sse import Splitter

MAX_HELD: Final = 1024 * 1024
"""Bytes of one incomplete event to hold; a larger one is relayed as it comes."""
QUEUED: Final = 16
"""Chunks read ahead of a slow client; then the provider is no longer read."""
LINGER_SECONDS: Final = 0.1
"""For the end of a stream to arrive behind its last event; then its connection can be used again."""
SLOW_CLIENT_CHECK: Final = 0.5
"""Seconds between looks at the clock while a slow client has not taken what is there."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds. `total` counts from the start of the relay."""

    idle: float
    total: float
    keep_alive: float
    """0 for never."""


async def relay(
    answer: Answer,
    dialect: Dialect,
    deadlines: Deadlines,
    watch: Callable[[bytes], None],
    resources: AsyncExitStack,
) -> AsyncGenerator[bytes]:
    """Yield a stream's events as they arrive.

    Only complete events are yielded, those of one read together; so a comment or an error event
    can always follow. One task reads ahead; the consumer wakes once per read.

    It ends with `[DONE]`, as the clients do; what the connection then still has to say is read
    after the client has been served.

    Args:
        answer: A stream and its first events.
        dialect: Says what ends a stream.
        deadlines: How long it may be silent, and go on at all.
        watch: Sees each block of events; must not raise.
        resources: Of the exchange; keeps the connection open until its end has been read.

    Raises:
        UpstreamFailed: The provider broke off, or ended without the last event.
        UpstreamTimeout: It was silent for too long, or took too long.
    """
    if answer.rest is None:
        raise ValueError("only a stream can be relayed")
    splitter = answer.splitter
    blocks = _Compressed() if splitter is None else _Events(splitter, dialect, watch)
    source = _Source(answer.rest, deadlines)
    try:
        source.start()
        if answer.body:
            blocks.see(answer.body)
            yield answer.body
        while not blocks.over:
            item = await source.next()
            if isinstance(item, _Stop):
                tail = blocks.end(broken=item.error is not None)
                if tail:
                    yield tail
                if not blocks.complete(broken=item.error is not None):
                    raise _broken(item.error)
                break
            if item is not None:
                block = blocks.take(item)
                if block:
                    yield block
            elif blocks.between_events:
                yield keep_alive(dialect)
    finally:
        if blocks.over:
            resources.push_async_callback(source.stop, LINGER_SECONDS)
        else:
            await source.stop()


class _Events:
    """A stream of events on its way: what is complete, and how it ends."""

    def __init__(
        self, splitter: Splitter, dialect: Dialect, watch: Callable[[bytes], None]
    ) -> None:
        self._splitter = splitter
        self._ending = Ending(dialect)
        self._watch = watch
        self._torn = False
        """Part of an event has been relayed, because it was too large to hold."""

    @property
    def between_events(self) -> bool:
        """Whether something of our own may follow what was relayed."""
        return not self._torn and not self._splitter.rest

    @property
    def over(self) -> bool:
        """Whether the stream needs no end: its last event has been relayed."""
        return self._ending.over

    def see(self, block: bytes) -> None:
        """Look at what is relayed."""
        self._ending.see(block)
        self._watch(block)

    def take(self, chunk: bytes) -> bytes:
        """Take what was read; return what may be relayed."""
        events = self._splitter.feed(chunk)
        if events:
            self._torn = False
        block = events[0].raw if len(events) == 1 else b"".join([event.raw for event in events])
        if len(self._splitter.rest) > MAX_HELD:
            block += self._splitter.flush()
            self._torn = True
        if block:
            self.see(block)
        return block

    def end(self, *, broken: bool) -> bytes:
        """Return the last bytes. Of a broken stream, an event's beginning is left out."""
        tail = b"" if broken else self._splitter.flush()
        if tail:
            self.see(tail)  # the last event may lack its blank line; what it says counts
        at_boundary = not tail and not self._torn
        return tail if at_boundary or self.complete(broken=broken) else tail + b"\n\n"

    def complete(self, *, broken: bool) -> bool:
        """Say whether the stream is whole."""
        return self._ending.complete(broken=broken)


class _Compressed:
    """A stream nobody asked to compress: it is relayed as it comes, and only a break is seen."""

    between_events = False
    over = False

    def see(self, block: bytes) -> None:
        """Look at nothing."""

    def take(self, chunk: bytes) -> bytes:
        """Return what was read."""
        return chunk

    def end(self, *, broken: bool) -> bytes:
        """Return nothing: nothing was held."""
        return b""

    def complete(self, *, broken: bool) -> bool:
        """Say whether the connection ended properly."""
        return not broken


def _broken(error: Exception | None) -> GatewayError:
    """Return what to raise for a stream that is not whole."""
    if isinstance(error, UpstreamTimeout):
        return error
    if error is None:
        return UpstreamFailed("the provider ended the stream before its last event")
    failed = UpstreamFailed(f"the provider {describe(error)} in the middle of its answer")
    failed.__cause__ = error
    return failed


@dataclass(frozen=True, slots=True)
class _Stop:
    """The end of what the provider sent, and why."""

    error: Exception | None


class _Source:
    """Reads a provider's stream in a task of its own, and watches the clock.

    A read cannot be given up and taken up again, so it runs beside the relay, which can then say
    something while nothing arrives.
    """

    def __init__(self, chunks: AsyncIterator[bytes], deadlines: Deadlines) -> None:
        self._chunks = chunks
        self._deadlines = deadlines
        self._queue: asyncio.Queue[bytes | _Stop | None] = asyncio.Queue(QUEUED)
        self._loop = asyncio.get_running_loop()
        self._last_chunk = self._last_sign = self._loop.time()
        self._end = self._last_chunk + deadlines.total
        self._held: _Stop | None = None
        self._reader: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start reading."""
        self._reader = asyncio.create_task(self._read(), name="relay-reader")
        self._watch()

    async def next(self) -> bytes | _Stop | None:
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
            if isinstance(following, _Stop):
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
        await self._queue.put(_Stop(error))

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
        self._queue.put_nowait(_Stop(UpstreamTimeout(text)))
