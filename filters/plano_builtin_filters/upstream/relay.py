"""Relaying a stream: whole events as they come, byte for byte, and never a false end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from typing import Final

from plano_builtin_filters.upstream.attempt import Answer, describe
from plano_builtin_filters.upstream.ending import Ending
from plano_builtin_filters.upstream.source import Deadlines, Source, Stop
from plano_filters import GatewayError, UpstreamFailed, UpstreamTimeout
from plano_filters.dialect import Dialect, keep_alive
from plano_filters.sse import Splitter

MAX_HELD: Final = 1024 * 1024
"""Bytes of one incomplete event to hold; a larger one is relayed as it comes."""
LINGER_SECONDS: Final = 0.1
"""For a stream's end to arrive behind its last event, so that its connection can be used again."""


async def relay(
    answer: Answer,
    dialect: Dialect,
    deadlines: Deadlines,
    watch: Callable[[bytes], None],
    resources: AsyncExitStack,
    *,
    trailing: bool = True,
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
        trailing: Relay what comes behind the last event, except that of a chat. Not wanted where
            the events are translated.

    Raises:
        UpstreamFailed: The provider broke off, or ended without the last event.
        UpstreamTimeout: It was silent for too long, or took too long.
    """
    if answer.rest is None:
        raise ValueError("only a stream can be relayed")
    blocks = (
        _Events(answer.splitter, Ending(dialect, trailing=trailing), watch)
        if answer.splitter is not None
        else _Compressed()
    )
    source = Source(answer.rest, deadlines)
    block: bytes | Stop = answer.body
    try:
        source.start()
        blocks.see(answer.body)
        while not isinstance(block, Stop):
            if block:
                yield block
            if blocks.over:
                return
            block = await _next(source, blocks, dialect)
        tail = blocks.end(broken=block.error is not None)
        if tail:
            yield tail
        if not blocks.complete(broken=block.error is not None):
            raise _broken(block.error)
    finally:
        if blocks.over:
            resources.push_async_callback(source.stop, LINGER_SECONDS)
        else:
            await source.stop()


async def _next(source: Source, blocks: _Events | _Compressed, dialect: Dialect) -> bytes | Stop:
    """Return what may be relayed next: events, a sign of life, nothing yet, or the end."""
    item = await source.next()
    if item is None:
        return keep_alive(dialect) if blocks.between_events else b""
    return item if isinstance(item, Stop) else blocks.take(item)


class _Events:
    """A stream of events on its way: what is complete, and how it ends."""

    def __init__(self, splitter: Splitter, ending: Ending, watch: Callable[[bytes], None]) -> None:
        self._splitter = splitter
        self._ending = ending
        self._watch = watch
        self._last = b""
        self._torn = False
        """Part of an event has been relayed, because it was too large to hold."""

    @property
    def between_events(self) -> bool:
        """Whether something of our own may follow what was relayed."""
        return not self._torn and not self._splitter.rest

    @property
    def over(self) -> bool:
        """Whether the stream needs no end: its last event has been relayed."""
        return self._ending.over and not self._splitter.rest and self._last != b"\r"

    def see(self, block: bytes) -> None:
        """Look at what is relayed."""
        self._last = block[-1:]
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
