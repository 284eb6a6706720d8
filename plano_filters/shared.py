"""Resources that outlive a chain: kept as long as any chain of the process uses them.

A reload starts the new chain while the old one still serves. What both use, such as a loaded model
or a table of sessions, must neither be there twice nor start anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar


class Resource(Protocol):
    """Anything that is started and stopped."""

    def lifespan(self) -> AbstractAsyncContextManager[Any]:
        """Start and stop it."""


ResourceT = TypeVar("ResourceT", bound=Resource)


class Shared:
    """The shared resources of one process."""

    def __init__(self) -> None:
        self._leases: dict[Hashable, _Lease] = {}

    @asynccontextmanager
    async def use(self, key: Hashable, make: Callable[[], ResourceT]) -> AsyncGenerator[ResourceT]:
        """Enter a resource: the one that others use under this key, or a new one.

        Args:
            key: Everything its behaviour depends on, and the class that asks, so that no two
                kinds of resource meet.
            make: Constructs it; called if there is none.
        """
        lease = self._leases.get(key)
        if lease is None:
            lease = self._leases[key] = _Lease(make())
        lease.users += 1
        try:
            await asyncio.shield(lease.started)
            yield lease.resource
        finally:
            lease.users -= 1
            if lease.users == 0:
                del self._leases[key]
                await lease.stop()


class _Lease:
    """A resource and its users. Its lifespan is entered and left in one task of its own: it may
    hold cancel scopes, and the last user is seldom the first."""

    def __init__(self, resource: Any) -> None:
        self.resource = resource
        self.users = 0
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unused = asyncio.Event()
        self._host = asyncio.create_task(self._live(), name="shared-resource")

    async def stop(self) -> None:
        """Leave the lifespan."""
        self._unused.set()
        await asyncio.shield(self._host)

    async def _live(self) -> None:
        try:
            async with self.resource.lifespan():
                self.started.set_result(None)
                await self._unused.wait()
        except Exception as error:
            if self.started.done():
                raise
            self.started.set_exception(error)
