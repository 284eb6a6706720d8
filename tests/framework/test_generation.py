"""A chain in service: started once, stopped after its last exchange, in one task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from plano_filters.chain import Chain, link
from plano_filters.filter import FactoryContext, Filter, FilterConfig
from plano_filters.generation import Generation


class Living(Filter[FilterConfig]):
    """Holds a task group, which must be entered and left in one task."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__(FilterConfig(), FactoryContext("living"))
        self.log: list[str] = []
        self.fails = fails

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        if self.fails:
            raise OSError("no model")
        async with asyncio.TaskGroup():
            self.log.append("started")
            yield
        self.log.append("stopped")


def generation_of(living: Living) -> Generation:
    return Generation(Chain([link(living, id="living", name="living")]))


async def test_it_stops_after_its_last_exchange() -> None:
    """A retired generation lives on while it is used; task groups in filters work."""
    living = Living()
    generation = generation_of(living)
    await generation.start()
    generation.enter()
    generation.enter()
    host = generation.retire()

    generation.leave()
    await asyncio.sleep(0)
    assert living.log == ["started"]

    generation.leave()
    await host
    assert living.log == ["started", "stopped"]


async def test_a_failing_start_is_the_callers_to_know() -> None:
    """Whoever starts a generation learns why it did not."""
    with pytest.raises(OSError, match="no model"):
        await generation_of(Living(fails=True)).start()


def test_what_never_started_cannot_retire() -> None:
    """A mistake in the code, not in the world."""
    with pytest.raises(RuntimeError, match="never started"):
        generation_of(Living()).retire()
