"""Keeping a source fresh in the background. What was good once stays until it is replaced."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sized
from contextlib import asynccontextmanager
from typing import Final, Generic, TypeVar

from plano_filters.filter import FactoryContext
from plano_filters.prices.reading import Place

log = logging.getLogger(__name__)
T = TypeVar("T", bound=Sized)

RETRY_SECONDS: Final = 5.0
"""After a first failure; doubled after each further one, up to the interval."""
READ_SECONDS: Final = 30.0
"""For one reading; nobody waits for it. Plano's limit."""
TICK_SECONDS: Final = 15.0
"""Between two looks at the age: what a scrape sees is never older."""


class Keeper(Generic[T]):
    """Reads a source at intervals. Nobody waits for it, and no failure of it leaves this class.

    Args:
        name: Of the source, for metrics and logs.
        place: Where its document is.
        parse: Reads the document; raises ValueError if it is of no use. Called in a thread.
        interval: Seconds between two readings.
        context: Clock, random numbers, metrics.
        timeout: Longest time of one reading, seconds.
    """

    def __init__(
        self,
        name: str,
        place: Place,
        parse: Callable[[bytes], T],
        *,
        interval: float,
        context: FactoryContext,
        timeout: float = READ_SECONDS,
    ) -> None:
        self.name = name
        self.value: T | None = None
        """What was read last; None before the first success."""
        self.error: str | None = None
        """What kept the last reading from succeeding; None if it succeeded."""
        self._place = place
        self._parse = parse
        self._interval = interval
        self._timeout = timeout
        self._context = context
        self._confirmed: float | None = None
        self._failures = 0
        meter = context.meter
        self._age = meter.gauge(
            "plano_source_age_seconds",
            "Since a source of prices or latencies was last read.",
            ("source",),
            mode="livemax",
        )
        self._refreshes = meter.counter(
            "plano_source_refreshes",
            "Readings of sources of prices and latencies.",
            ("source", "result"),
        )

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Read in the background; the start does not wait for the first reading."""
        reading = asyncio.create_task(self._for_ever(), name=f"refresh-{self.name}")
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    def age(self) -> float | None:
        """Return the seconds since the value was last known to be true; None without a value."""
        if self._confirmed is None:
            return None
        return max(0.0, self._context.clock.now() - self._confirmed)

    def shown(self) -> dict[str, object]:
        """Return the state as JSON values, for people."""
        age = self.age()
        return {
            "source": self.name,
            "age_seconds": None if age is None else round(age, 1),
            "entries": 0 if self.value is None else len(self.value),
            "refresh_interval": self._interval,
            "failures": self._failures,
            "error": self.error,
        }

    async def refresh(self) -> bool:
        """Read once; say whether the value is now known to be true."""
        try:
            async with asyncio.timeout(self._timeout):
                text = await self._place.read()
                fresh = None if text is None else await asyncio.to_thread(self._parse, text)
        except Exception as error:  # noqa: BLE001 - a source of anyone's; the last value stays
            self.error = _reason(error, self._timeout)
            self._failures += 1
            self._count("failed")
            kept = "nothing to go by yet" if self.value is None else "the last good figures stay"
            log.warning("cannot read the source %s: %s; %s", self.name, self.error, kept)
            return False
        if fresh is not None:
            self.value = fresh
            self._place.accept()
        self._confirmed = self._context.clock.now()
        self.error, self._failures = None, 0
        self._count("unchanged" if fresh is None else "read")
        return True

    async def _for_ever(self) -> None:
        clock = self._context.clock
        while True:
            await self.refresh()
            chance = self._context.random.random()
            left = pause(self._interval, self._failures, chance)
            while left > 0:
                self._tell_age()
                step = min(left, TICK_SECONDS)
                await clock.sleep(step)
                left -= step

    def _count(self, result: str) -> None:
        self._refreshes.labels(self.name, result).inc()
        self._tell_age()

    def _tell_age(self) -> None:
        age = self.age()
        if age is not None:
            self._age.labels(self.name).set(age)


def pause(interval: float, failures: int, chance: float) -> float:
    """Return how long to wait for the next reading, in seconds.

    Args:
        interval: What was asked for. A tenth more or less, so that a fleet does not ask at once.
        failures: In a row. After some, sooner: half of the wait is random then.
        chance: A random number in 0..1.
    """
    if not failures:
        return interval * (0.9 + 0.2 * chance)
    wait = min(interval, RETRY_SECONDS * 2.0 ** min(failures - 1, 30))
    return wait * (0.5 + 0.5 * chance)


def _reason(error: Exception, timeout: float) -> str:
    """Say why a reading failed, without an address: it may hold a password."""
    if isinstance(error, TimeoutError):
        return f"not read within {timeout:g} s"
    if type(error) is ValueError:
        return str(error)[:200]
    if isinstance(error, ValueError):
        return "its JSON is malformed"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
