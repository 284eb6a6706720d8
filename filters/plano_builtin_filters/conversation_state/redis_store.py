"""Responses in Redis, where all gateways find them and Redis ends them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from plano_builtin_filters.conversation_state.store import Unreachable
from plano_filters import Clock
from plano_filters.redis_client import LIMIT, Command, Failed, RedisClient

PREFIX: Final = "plano:conversation:"


class RedisStore:
    """Keeps responses in Redis. What it cannot be asked is not known: nothing stands in for it.

    Args:
        url: `redis://` or `rediss://`, with what belongs to it: user, password, database.
        clock: Waits between two looks at a Redis that failed.
        deadline: Seconds that a caller waits.

    Raises:
        ValueError: The URL cannot be used.
    """

    def __init__(self, url: str, clock: Clock, *, deadline: float) -> None:
        self._redis = RedisClient(
            url,
            clock,
            deadline=deadline,
            meanwhile="no response is kept, and none can be continued",
            limit=max(LIMIT, deadline),
        )

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Connect, and at the end disconnect. A Redis that is down stops no start."""
        async with self._redis.lifespan():
            yield

    async def get(self, key: str) -> bytes | None:
        """Return what is kept under a key."""
        value = await self._ask(lambda redis: redis.get(PREFIX + key))
        return value if isinstance(value, bytes) else None

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """Keep a value for some seconds."""
        milliseconds = max(1, round(ttl * 1000))
        await self._ask(lambda redis: redis.set(PREFIX + key, value, px=milliseconds))

    async def _ask(self, command: Command) -> object:
        try:
            return await self._redis.ask(command)
        except Failed as failed:
            raise Unreachable(failed.reason) from None
