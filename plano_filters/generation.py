"""A chain in service, from its start to the end of its last exchange.

A reload puts a new generation in place of the old one; old exchanges finish on the old chain.
"""

from __future__ import annotations

import asyncio
import logging

from plano_filters.chain import Chain

log = logging.getLogger(__name__)


class Generation:
    """One chain, its lifespan, and how many exchanges it serves.

    The lifespan is entered and left in one task of its own: task groups and cancel scopes inside a
    filter's lifespan may not change tasks.
    """

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.users = 0
        self._retired = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._host: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Enter the chain's lifespan. Raises what a filter's start raises."""
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._host = asyncio.create_task(self._live(started), name="chain-lifespan")
        await asyncio.shield(started)

    def enter(self) -> None:
        """Count an exchange in."""
        self.users += 1
        self._idle.clear()

    def leave(self) -> None:
        """Count an exchange out."""
        self.users -= 1
        if self.users == 0:
            self._idle.set()

    def retire(self) -> asyncio.Task[None]:
        """Leave the lifespan as soon as the last exchange has ended; returns the task to await."""
        if self._host is None:
            raise RuntimeError("this generation was never started")
        self._retired.set()
        return self._host

    async def _live(self, started: asyncio.Future[None]) -> None:
        try:
            async with self.chain.lifespan():
                started.set_result(None)
                await self._retired.wait()
                await self._idle.wait()
        except Exception as error:
            if started.done():
                log.exception("stopping a chain failed")
            else:
                started.set_exception(error)
