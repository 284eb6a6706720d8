"""One price book for the filters of a process."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from plano_filters.prices import Quote, Rates, book
from plano_filters.prices.catalog import Ability
from plano_filters.prices.rates import FREE
from tests.support import behaviours
from tests.support.catalogs import GPT, LLAMA, MODELS_DEV, OWN, StepClock, real_context, sources
from tests.support.provider import FakeProvider


async def test_bundled_prices_need_no_source() -> None:
    """They have the age of their collection; what is not in them has no price."""
    async with real_context() as context, book(context) as prices:
        quote = prices.rates(GPT)

        assert quote is not None
        assert (quote.source, quote.rates.input) == ("genai-prices", 2.5)
        assert quote.age is not None
        assert quote.age > 0
        assert prices.rates("openai/no-such-model") is None


async def test_a_server_of_ones_own_costs_nothing_unless_a_file_says_so(tmp_path: Path) -> None:
    """Nobody sends a bill for it; Plano's own service is not one of them."""
    path = tmp_path / "prices.yaml"
    path.write_text(
        f"models: {{{OWN}: {{input: 0.1, output: 0.2}}, {GPT}: {{input: 0, output: 0}}}}"
    )
    clock = StepClock()
    declared = {"type": "cost", "provider": "file", "url": str(path)}
    async with real_context(sources(declared), clock) as context, book(context) as prices:
        for model in (OWN, "ollama/llama3", "mock/a"):
            assert prices.rates(model) == Quote(FREE, "own", None)
        assert prices.rates("plano/orchestrator") is None
        await clock.asleep()

        assert prices.rates(OWN) == Quote(Rates(0.1, 0.2), "file", 0)
        assert prices.rates(GPT) == Quote(Rates(0, 0), "file", 0)  # of a file, 0 is believed
        assert prices.rates("mock/a") == Quote(FREE, "own", None)


async def test_a_catalogue_replaces_the_bundled_prices_once_it_was_read() -> None:
    """Its failure keeps them with their age; its gaps are not filled from another source."""
    clock = StepClock()
    async with FakeProvider().serve() as server:
        server.script(behaviours.json(MODELS_DEV))
        server.default = behaviours.status(500)
        declared = {
            "type": "cost", "provider": "models.dev", "url": server.url, "refresh_interval": 10,
        }  # fmt: skip
        async with real_context(sources(declared), clock) as context, book(context) as prices:
            early = prices.rates("anthropic/claude-haiku-4-5")
            await clock.asleep()
            fresh = prices.rates(GPT)
            await clock.next()
            stale = prices.rates(GPT)

            assert prices.rates("anthropic/claude-haiku-4-5") is None

    assert early is not None
    assert early.source == "genai-prices"
    assert fresh is not None
    assert (fresh.rates, fresh.source, fresh.age) == (Rates(2.5, 10, 1.25), "models.dev", 0)
    assert stale is not None
    assert stale.rates == fresh.rates
    assert stale.age == pytest.approx(10, abs=1.1)


async def test_what_models_take_is_filled_in_from_the_bundled_data() -> None:
    """A context says the same everywhere; a price does not."""
    clock = StepClock()
    model = {"tool_call": False, "cost": {"input": 1, "output": 1}}
    document = {"openai": {"models": {"gpt-4o": model}}}
    async with FakeProvider().serve() as server:
        server.script(behaviours.json(document))
        declared = {"type": "cost", "provider": "models.dev", "url": server.url}
        async with real_context(sources(declared), clock) as context, book(context) as prices:
            assert prices.ability(GPT) == Ability(context=128_000)
            await clock.asleep()

            assert prices.ability(GPT) == Ability(tools=False, context=128_000)
            assert prices.ability(LLAMA).tools is None


async def test_all_filters_of_a_process_use_one_book() -> None:
    """Also the next generation of a chain, so that a reload reads nothing again."""
    clock = StepClock()
    async with FakeProvider().serve() as server:
        server.default = behaviours.json(MODELS_DEV)
        declared = {"type": "cost", "provider": "models.dev", "url": server.url}
        async with real_context(sources(declared), clock) as context, AsyncExitStack() as stack:
            first = await stack.enter_async_context(book(replace(context, id="rerank")))
            await clock.asleep()
            second = await stack.enter_async_context(book(replace(context, id="upstream")))

            assert first is second
            assert second.rates(GPT) is not None
        assert len(server.requests) == 1
        async with real_context() as other, book(other) as third:
            assert third is not first


async def test_a_book_that_was_not_entered_says_so() -> None:
    """Instead of having no prices."""
    async with real_context() as context:
        async with book(context) as prices:
            pass
        unread = type(prices)(None, context)

        with pytest.raises(RuntimeError, match="was not entered"):
            unread.rates(GPT)
