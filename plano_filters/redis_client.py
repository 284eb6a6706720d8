"""A Redis that is never long in a request's way: a deadline, a breaker, one reconnect at a time.

A command runs in a task of its own, so that neither a client who leaves nor a deadline that passes
interrupts the reading of a reply: the next request on that connection would get it.

Needs the extra `redis`; import it only where Redis was asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from redis import exceptions
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from plano_filters.clock import Clock

log = logging.getLogger(__name__)

CONNECTIONS: Final = 32
"""Most at once; a command takes well under a millisecond."""
LIMIT: Final = 1.0
"""Seconds for a command, connecting and TLS included. Requests do not wait that long: it is how
long an answer may still come, before its connection is closed."""
TRIES: Final = 3
"""Failures in a row, after which Redis is not asked until it has answered a PING."""
RETRY: Final = 1.0
"""Seconds between two such PINGs."""
Reason = Literal["timeout", "connection", "auth", "server", "down"]
"""`server`: it answered with an error. `down`: it was not asked, because it failed just before."""
_BREAKING: Final = ("timeout", "connection", "auth")
Command = Callable[[Redis], Awaitable[Any]]


class Failed(Exception):
    """Redis did not do it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Final = reason


class RedisClient:
    """Gives commands to a Redis, and waits for each no longer than the deadline.

    Args:
        url: `redis://` or `rediss://`, with what belongs to it: user, password, database.
        clock: Waits between two PINGs.
        deadline: Seconds that a caller waits.
        meanwhile: What holds until a Redis that failed is back; a clause for the log.
        limit: Seconds after which a command is given up and its connection closed.

    Raises:
        ValueError: The URL cannot be used.
    """

    def __init__(
        self, url: str, clock: Clock, *, deadline: float, meanwhile: str, limit: float = LIMIT
    ) -> None:
        self._pool, self._address = _pool(url, limit)
        self._redis: Redis = Redis(connection_pool=self._pool)
        self._clock = clock
        self._deadline = deadline
        self._meanwhile = meanwhile
        self._limit = limit
        self._room = asyncio.Semaphore(CONNECTIONS)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failures = 0
        self._down = False

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Connect, and at the end disconnect. A Redis that is down stops no start."""
        try:
            await self._ended(self._begin(_ping))
        except Failed as failed:
            self._give_up(failed.reason)
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)
            with contextlib.suppress(exceptions.RedisError, OSError):
                await self._pool.disconnect()

    @property
    def busy(self) -> bool:
        """Whether a command is under way, one that nobody waits for included."""
        return bool(self._tasks)

    async def ask(self, command: Command) -> Any:
        """Give a command, and wait for its answer as long as the deadline says.

        Raises:
            Failed: There is none.
        """
        if self._down:
            raise Failed("down")
        task = self._begin(command)
        done, _ = await asyncio.wait({task}, timeout=self._deadline)
        try:
            if not done:
                raise Failed("timeout")
            answer = await self._ended(task)
        except Failed as failed:
            if failed.reason in _BREAKING:
                self._failures += 1
                if self._failures >= TRIES and not self._down:
                    self._give_up(failed.reason)
            raise
        self._failures = 0
        return answer

    def _begin(self, command: Command) -> asyncio.Task[Any]:
        return self._start(self._within_limit(command), "redis-command")

    async def _within_limit(self, command: Command) -> Any:
        async with asyncio.timeout(self._limit), self._room:
            return await command(self._redis)

    async def _ended(self, task: asyncio.Task[Any]) -> Any:
        """Return the answer of a command.

        Raises:
            Failed: It failed.
        """
        await asyncio.wait({task})
        if task.cancelled():
            raise Failed("down")
        error = task.exception()
        if error is not None:
            raise Failed(reason_of(error)) from None  # its text may hold what we sent: passwords
        return task.result()

    def _give_up(self, reason: Reason) -> None:
        self._down = True
        log.warning("redis at %s: %s; until it is back, %s", self._address, reason, self._meanwhile)
        self._start(self._mend(), "redis-mend")

    async def _mend(self) -> None:
        """Ask until there is an answer."""
        while self._down:
            await self._clock.sleep(RETRY)
            with contextlib.suppress(Exception):  # whatever it is, it is not back
                await self._within_limit(_ping)
                self._down, self._failures = False, 0
                log.info("redis at %s is back", self._address)

    def _start(self, work: Any, name: str) -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be left to look at it


async def _ping(redis: Redis) -> None:
    await redis.ping()


def reason_of(error: BaseException) -> Reason:
    """Say in a word what went wrong."""
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
        return "auth"
    if isinstance(error, TimeoutError | exceptions.TimeoutError):
        return "timeout"
    if isinstance(error, exceptions.ConnectionError | OSError):
        return "connection"
    return "server"


def check_url(url: str, name: str) -> None:
    """Look at a URL without connecting.

    Args:
        url: As the document has it.
        name: Where it stands there.

    Raises:
        ValueError: It cannot be used.
    """
    try:
        _pool(url, LIMIT)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def _pool(url: str, limit: float) -> tuple[ConnectionPool, str]:
    """Return the connections of a URL, none of them open, and its address without credentials.

    RESP2, in which a server says nothing unasked. No retries: whoever waits has a deadline.

    Args:
        limit: Seconds to connect, and to read.

    Raises:
        ValueError: The URL cannot be used.
    """
    try:
        parts = urlsplit(url)
        address = f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
        pool = ConnectionPool.from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            max_connections=CONNECTIONS + 1,  # one for the PING
            socket_timeout=limit,
            socket_connect_timeout=limit,
        )
        pool.make_connection()  # type: ignore[no-untyped-call]  # refuses unknown options
    except (ValueError, TypeError, exceptions.RedisError):
        raise ValueError(  # the text of the cause may hold the password
            "cannot be used; it is redis://user:password@host:port/database, or rediss:// for"
            " TLS, and characters with a meaning in URLs are written %40, %3A, %2F in a password"
        ) from None
    return pool, address
