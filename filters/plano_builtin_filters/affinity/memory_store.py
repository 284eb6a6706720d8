"""Pins in the memory of this process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from plano_builtin_filters.affinity.records import Record
from plano_builtin_filters.affinity.store import Failure, Found
from plano_filters import Clock


class Pins:
    """The newest pins, each until its time is over.

    Args:
        clock: Says when that is.
        entries: How many; beyond, the one that was not used for the longest time goes.
    """

    def __init__(self, clock: Clock, entries: int) -> None:
        self._clock = clock
        self._entries = entries
        self._pins: OrderedDict[str, tuple[Record, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pins)

    def get(self, key: str) -> tuple[Record, float] | None:
        """Return a pin and the seconds that are left to it; None if there is none."""
        record, until = self._pins.get(key, (None, 0.0))
        if record is None:
            return None
        left = until - self._clock.now()
        if left <= 0:
            del self._pins[key]
            return None
        self._pins.move_to_end(key)
        return record, left

    def put(self, key: str, record: Record, ttl: float) -> None:
        """Keep a pin for some seconds."""
        self._pins[key] = record, self._clock.now() + ttl
        self._pins.move_to_end(key)
        self._shrink()

    def drop(self, key: str) -> None:
        """Forget a pin, if it is there."""
        self._pins.pop(key, None)

    def resize(self, entries: int) -> None:
        """Keep another number of pins from now on."""
        self._entries = entries
        self._shrink()

    def _shrink(self) -> None:
        while len(self._pins) > self._entries:
            self._pins.popitem(last=False)


class MemoryStore:
    """Keeps pins in this process, and nowhere else.

    Args:
        clock: Says when a pin ends.
        entries: How many to keep.
    """

    def __init__(self, clock: Clock, entries: int) -> None:
        self.pins = Pins(clock, entries)

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Start and stop; there is nothing to do."""
        yield

    async def get(self, key: str) -> Found:
        """Return the pin of a session, if there is one."""
        found = self.pins.get(key)
        return Found(found[0] if found else None)

    async def put(self, key: str, record: Record, ttl: float) -> Failure | None:
        """Keep a pin for some seconds."""
        self.pins.put(key, record, ttl)
        return None

    async def drop(self, key: str) -> Failure | None:
        """Forget a pin."""
        self.pins.drop(key)
        return None
