"""Pins in Redis, where all gateways find them. Redis is never in a request's way."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from plano_builtin_filters.affinity import records
from plano_builtin_filters.affinity.memory_store import Pins
from plano_builtin_filters.affinity.records import Record
from plano_builtin_filters.affinity.store import Failure, Found
from plano_filters import Clock
from plano_filters.redis_client import LIMIT, Failed, RedisClient

PREFIX: Final = "plano:affinity:"


class RedisStore:
    """Keeps pins in Redis, and for the time that it fails, in this process.

    Args:
        url: `redis://` or `rediss://`, with what belongs to it: user, password, database.
        clock: Says when pins of this process end, and waits between two PINGs.
        deadline: Seconds that a caller waits.
        entries: How many pins to remember in this process.
        limit: Seconds after which a command is given up and its connection closed.

    Raises:
        ValueError: The URL cannot be used.
    """

    def __init__(
        self, url: str, clock: Clock, *, deadline: float, entries: int, limit: float = LIMIT
    ) -> None:
        self._redis = RedisClient(
            url,
            clock,
            deadline=deadline,
            meanwhile="pins are kept in this process",
            limit=limit,
        )
        self._told = Pins(clock, entries)
        """What Redis was told by this process, for when it cannot be asked."""
        self._untold = Pins(clock, entries)
        """What it could not be told, for when it can again."""

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Connect, and at the end disconnect. A Redis that is down stops no start."""
        async with self._redis.lifespan():
            yield

    async def get(self, key: str) -> Found:
        """Return the pin of a session, if there is one."""
        try:
            raw = await self._redis.ask(lambda redis: redis.get(PREFIX + key))
        except Failed as failed:
            known = self._untold.get(key) or self._told.get(key)
            return Found(known[0] if known else None, failed.reason)
        if raw is None:
            return Found(await self._tell(key))
        self._untold.drop(key)
        record = records.decode(raw)
        return Found(record, None if record else "value")

    async def put(self, key: str, record: Record, ttl: float) -> Failure | None:
        """Keep a pin for some seconds; return why that failed, if it did."""
        value, milliseconds = records.encode(record), max(1, round(ttl * 1000))
        try:
            await self._redis.ask(lambda redis: redis.set(PREFIX + key, value, px=milliseconds))
        except Failed as failed:
            self._untold.put(key, record, ttl)
            return failed.reason
        self._untold.drop(key)
        self._told.put(key, record, ttl)
        return None

    async def drop(self, key: str) -> Failure | None:
        """Forget a pin."""
        self._untold.drop(key)
        self._told.drop(key)
        try:
            await self._redis.ask(lambda redis: redis.delete(PREFIX + key))
        except Failed as failed:
            return failed.reason
        return None

    async def _tell(self, key: str) -> Record | None:
        """Return a pin that Redis could not be told, and tell it now."""
        untold = self._untold.get(key)
        if untold is None:
            return None
        record, left = untold
        await self.put(key, record, left)
        return record
