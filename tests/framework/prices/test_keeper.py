"""Sources that are kept fresh: what was good once stays, whatever the source does next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters import FactoryContext
from plano_filters.prices.catalog import Catalog
from plano_filters.prices.keeper import RETRY_SECONDS, Keeper, pause
from plano_filters.prices.reading import Page
from plano_filters.prices.sources import models_dev
from tests.support import behaviours
from tests.support.catalogs import GPT, MODELS_DEV, StepClock, real_context
from tests.support.gateway import free_port
from tests.support.provider import Behaviour, FakeProvider, Reply

INTERVAL = 10.0
"""Seconds; shorter than the keeper's tick, so that one wait is one sleep."""
GOOD = behaviours.json(MODELS_DEV, 200, {"etag": '"1"'})


async def large(reply: Reply) -> None:
    """Send 200 MB."""
    await reply.head(200, {"transfer-encoding": "chunked"})
    for _ in range(200):
        await reply.chunk(b"x" * 1024 * 1024)


BAD = {
    "500": (behaviours.status(500), "answered 500"),
    "redirect": (behaviours.status(302, {"location": "http://example.invalid"}), "answered 302"),
    "garbage": (behaviours.answer(200, b"<html>"), "its JSON is malformed"),
    "other json": (behaviours.json([]), "no catalogue of models.dev: it is no object"),
    "no prices": (behaviours.json({"openai": {"models": {"a": {}}}}),
                  "a catalogue of models.dev without a price"),
    "200 MB": (large, "larger than 1048576 bytes"),
    "hang": (behaviours.stall(), "not read within 0.3 s"),
    "hang after the head": (behaviours.stall(head=True), "not read within 0.3 s"),
}  # fmt: skip


@dataclass
class Kept:
    """A keeper, what it reads from, and its clock."""

    keeper: Keeper[Catalog]
    server: FakeProvider
    clock: StepClock
    context: FactoryContext

    def sample(self, name: str, **labels: str) -> float | None:
        labels = {"source": "models.dev", **labels}
        return self.context.meter.registry.get_sample_value(name, labels)

    @property
    def knows(self) -> bool:
        found = self.keeper.value.find(GPT) if self.keeper.value is not None else None
        return found is not None and found.rates is not None


def keeping(context: FactoryContext, url: str) -> Keeper[Catalog]:
    return Keeper(
        "models.dev",
        Page(url, context.transport, 1024 * 1024),
        partial(_parse),
        interval=INTERVAL,
        timeout=0.3,
        context=context,
    )


def _parse(text: bytes) -> Catalog:
    return models_dev.parse(text, {})


@asynccontextmanager
async def kept(*script: Behaviour) -> AsyncGenerator[Kept]:
    """Run a keeper on a server with a script; it sleeps after its first reading."""
    clock = StepClock()
    async with FakeProvider().serve() as server, real_context(clock=clock) as context:
        server.script(*script)
        keeper = keeping(context, f"{server.url}/api.json")
        async with keeper.lifespan():
            await clock.asleep()
            yield Kept(keeper, server, clock, context)


@pytest.mark.parametrize("name", BAD)
async def test_a_failure_keeps_what_was_good(name: str) -> None:
    """With its age, which grows, in the state and in the metrics; and it is tried again sooner."""
    behaviour, reason = BAD[name]
    async with kept(GOOD, behaviour) as stand:
        assert stand.knows
        assert stand.keeper.age() == 0
        await stand.clock.next()

        assert stand.knows
        assert stand.keeper.error == reason
        assert stand.keeper.age() == stand.sample("plano_source_age_seconds")
        assert (stand.keeper.age() or 0) >= 0.9 * INTERVAL
        assert stand.sample("plano_source_refreshes_total", result="read") == 1
        assert stand.sample("plano_source_refreshes_total", result="failed") == 1
        assert stand.clock.slept[1] <= RETRY_SECONDS


@pytest.mark.parametrize("name", ["500", "hang", "200 MB"])
async def test_a_first_failure_leaves_nothing_and_is_mended(name: str) -> None:
    """There is no age without a value; the next success has both."""
    async with kept(BAD[name][0], GOOD) as stand:
        assert stand.keeper.value is None
        assert stand.keeper.age() is None
        assert stand.sample("plano_source_age_seconds") is None
        await stand.clock.next()

        assert stand.knows
        assert stand.keeper.error is None


async def test_a_source_that_cannot_be_reached_is_a_failure() -> None:
    """Nobody listens there."""
    clock = StepClock()
    async with real_context(clock=clock) as context:
        keeper = keeping(context, f"http://127.0.0.1:{free_port()}/secret")
        async with keeper.lifespan():
            await clock.asleep()

            assert keeper.error is not None
            assert "secret" not in keeper.error


async def test_unchanged_is_as_good_as_new() -> None:
    """A 304 makes the value young again."""
    async with kept(GOOD, behaviours.answer(304, b"")) as stand:
        await stand.clock.next()

        assert stand.knows
        assert stand.keeper.age() == 0
        assert stand.sample("plano_source_refreshes_total", result="unchanged") == 1


async def test_the_age_grows_between_readings() -> None:
    """Whoever looks sees it without waiting for the next reading."""
    async with kept(GOOD) as stand:
        stand.clock.pass_(7)

        assert stand.keeper.shown() == {
            "source": "models.dev", "age_seconds": 7.0, "entries": len(stand.keeper.value or ()),
            "refresh_interval": INTERVAL, "failures": 0, "error": None,
        }  # fmt: skip


async def test_the_start_waits_for_nothing_and_the_end_for_nobody() -> None:
    """A source that hangs holds up neither."""
    async with FakeProvider().serve() as server, real_context() as context:
        server.default = behaviours.stall()
        keeper = keeping(context, f"{server.url}/api.json")
        async with asyncio.timeout(0.25), keeper.lifespan():
            received = await server.request()
        await received.disconnected.wait()


@given(st.floats(1, 1e6), st.integers(0, 10_000), st.floats(0, 1))
def test_waits_have_jitter_and_bounds(interval: float, failures: int, chance: float) -> None:
    """A fleet does not ask at once, and a failing source is not hammered."""
    wait = pause(interval, failures, chance)

    if failures:
        assert min(interval, RETRY_SECONDS) / 2 <= wait <= interval
    else:
        assert 0.89 * interval <= wait <= 1.11 * interval
    assert pause(interval, failures, 0.0) < pause(interval, failures, 1.0)
