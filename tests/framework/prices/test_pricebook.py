"""One price book for the filters of a process."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from plano_filters.prices import Rates, book
from plano_filters.prices.catalog import Ability
from tests.support import behaviours
from tests.support.catalogs import GPT, LLAMA, MODELS_DEV, OWN, StepClock, real_context, sources
from tests.support.provider import FakeProvider


async def test_bundled_prices_need_no_source() -> None:
    """They have the age of their collection; what nobody sells has none."""
    async with real_context() as context, book(context) as prices:
        quote = prices.rates(GPT)

        assert quote is not None
        assert (quote.source, quote.rates.input) == ("genai-prices", 2.5)
        assert quote.age is not None
        assert quote.age > 0
        assert prices.rates(OWN) is None
        assert prices.rates("openai/no-such-model") is None


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
