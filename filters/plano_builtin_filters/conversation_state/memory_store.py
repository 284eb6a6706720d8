"""Responses in the memory of this process, so many and so much of them."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from plano_filters import Clock

OVERHEAD: Final = 512
"""Bytes that an entry takes beside its value: key, table, queue; measured, rounded up."""


class MemoryStore:
    """Keeps responses in this process, and nowhere else.

    Args:
        clock: Says when their time is over.
        entries: How many to keep; beyond, the one that was not used for the longest time goes.
        size: How many bytes they may take; beyond, likewise.
    """

    def __init__(self, clock: Clock, entries: int, size: int) -> None:
        self._clock = clock
        self._entries = entries
        self._most = size
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        """Least recently used first."""
        self._ends: list[tuple[float, str]] = []
        """A heap: what is over goes, even if nobody asks for it again."""
        self.size = 0
        """Bytes that are taken."""

    def __len__(self) -> int:
        return len(self._kept)

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Start and stop; there is nothing to do."""
        yield

    async def get(self, key: str) -> bytes | None:
        """Return what is kept under a key."""
        self._forget()
        value, _ = self._kept.get(key, (None, 0.0))
        if value is None:
            return None
        self._kept.move_to_end(key)
        return value

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """Keep a value for some seconds."""
        self._drop(key)
        until = self._clock.now() + ttl
        self._kept[key] = value, until
        heapq.heappush(self._ends, (until, key))
        self.size += len(value) + OVERHEAD
        self._forget()

    def resize(self, entries: int, size: int) -> None:
        """Keep another number and amount from now on."""
        self._entries, self._most = entries, size
        self._forget()

    def _forget(self) -> None:
        """Drop what is over, and what is too much."""
        now = self._clock.now()
        while self._ends and self._ends[0][0] <= now:
            until, key = heapq.heappop(self._ends)
            if self._kept.get(key, (b"", 0.0))[1] == until:
                self._drop(key)
        while len(self._kept) > self._entries or (self.size > self._most and len(self) > 1):
            self._drop(next(iter(self._kept)))
        if len(self._ends) > 2 * len(self._kept) + OVERHEAD:
            self._ends = sorted((until, key) for key, (_, until) in self._kept.items())

    def _drop(self, key: str) -> None:
        value, _ = self._kept.pop(key, (None, 0.0))
        if value is not None:
            self.size -= len(value) + OVERHEAD
