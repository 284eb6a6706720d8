"""What `rerank` does to an exchange."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plano_builtin_filters.rerank import Rerank, RerankConfig
from plano_filters import (
    Attempt,
    AttemptResult,
    Attempts,
    Candidates,
    Exchange,
    FactoryContext,
    Pin,
    Response,
    Route,
)
from plano_filters.facts import Prefer
from plano_filters.testing import exercise, make_exchange
from tests.support import behaviours
from tests.support.catalogs import (
    CLAUDE,
    DIGITALOCEAN,
    GPT,
    LLAMA,
    MINI,
    MODELS_DEV,
    OWN,
    StepClock,
    bytes_of,
    real_context,
    sources,
)
from tests.support.provider import FakeProvider

BODY = {"messages": [{"role": "user", "content": "hello"}]}
IMAGE = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}
REAL: dict[str, Any] = json.loads(json.dumps(MODELS_DEV))


@asynccontextmanager
async def standing(
    text: str = sources(), context: FactoryContext | None = None, **config: Any
) -> AsyncGenerator[Rerank]:
    """Start a filter with real sources."""
    async with real_context(text) as made:
        rerank = Rerank(RerankConfig.model_validate(config), context or made)
        async with rerank.lifespan():
            yield rerank


def routed(
    prefer: Prefer,
    *models: str,
    others: tuple[str, ...] = (),
    body: dict[str, Any] | None = None,
    exclusive: bool = False,
    **more: Any,
) -> Exchange:
    """Return an exchange as `classify` leaves it."""
    found = (*models, *others)
    candidates = Candidates(found[:1] if exclusive else found, "x", True, exclusive)
    route = Route("a", 0.9, models, prefer)
    return make_exchange(body or BODY, facts=[candidates, route], **more)


def models_of(exchange: Exchange) -> tuple[str, ...]:
    return exchange.state[Candidates].models


def texts(exchange: Exchange) -> list[str]:
    return [one.text for one in exchange.decisions]


async def test_the_cheapest_comes_first_without_any_source() -> None:
    """The prices are bundled; the others stay behind; the decision names values and source."""
    async with standing() as rerank:
        exchange = routed("cheapest", GPT, OWN, CLAUDE, MINI, others=(LLAMA,))

        await exercise(rerank, exchange)

        assert models_of(exchange) == (OWN, MINI, CLAUDE, GPT, LLAMA)
        (decision,) = exchange.decisions
        assert decision.text.startswith(f"cheapest: {OWN} 0 USD/M, {MINI} 0.75 USD/M, {CLAUDE} ")
        assert f"{GPT} 12.5 USD/M (genai-prices, " in decision.text
        assert decision.data["figures"] == {GPT: 12.5, MINI: 0.75, CLAUDE: 6.0, OWN: 0.0}
        assert (decision.data["source"], decision.data["outcome"]) == ("genai-prices", "ranked")
        assert decision.data["order"] == [OWN, MINI, CLAUDE, GPT]


@pytest.mark.parametrize(
    "exchange",
    [
        make_exchange(BODY, facts=[Candidates((GPT, MINI), "x", explicit=True)]),
        routed("none", GPT, MINI),
        routed("cheapest", GPT, others=(MINI,)),
        routed("cheapest", GPT, MINI, path="/v1/embeddings"),
        make_exchange(
            BODY,
            facts=[
                Candidates((GPT, MINI), "x", explicit=True),
                Route("a", 1.0, (GPT, MINI), "cheapest"),
                Pin(GPT),
            ],
        ),
    ],
)
async def test_what_is_not_to_be_ordered_is_left_alone(exchange: Exchange) -> None:
    """No route, no preference, one model, embeddings, a pinned session; and nothing is said."""
    before = models_of(exchange)
    async with standing() as rerank:
        await exercise(rerank, exchange)

    assert models_of(exchange) == before
    assert exchange.decisions == []


async def test_without_any_figure_the_order_of_the_document_holds() -> None:
    """And the decision says that nothing was known."""
    async with standing() as rerank:
        exchange = routed("cheapest", "plano/a", "openai/none-such")

        await exercise(rerank, exchange)

        assert models_of(exchange) == ("plano/a", "openai/none-such")
        assert texts(exchange)[0].startswith(
            "cheapest: plano/a unknown, openai/none-such unknown (genai"
        )
        assert exchange.decisions[0].data["outcome"] == "no_data"


async def test_without_fallback_the_cheapest_is_the_only_one() -> None:
    """`x-plano-fallback: off` says that no other may follow, not which."""
    async with standing() as rerank:
        exchange = routed("cheapest", GPT, MINI, exclusive=True)

        await exercise(rerank, exchange)

        assert models_of(exchange) == (MINI,)


@pytest.mark.parametrize(
    ("provider", "document", "first"),
    [("models.dev", MODELS_DEV, MINI), ("digitalocean", DIGITALOCEAN, MINI)],
)
async def test_a_catalogue_is_read_in_the_background(
    provider: str, document: dict[str, Any], first: str
) -> None:
    """Until then the bundled prices count; it fails, and what was read last still counts."""
    clock = StepClock()
    async with FakeProvider().serve() as server:
        server.script(behaviours.json(document))
        server.default = behaviours.status(500)
        declared = {
            "type": "cost", "provider": provider, "url": server.url, "refresh_interval": 10,
            "model_aliases": {"openai-gpt-4o": GPT},
        }  # fmt: skip
        async with real_context(sources(declared), clock) as context:
            rerank = Rerank(RerankConfig(), context)
            async with rerank.lifespan():
                early = routed("cheapest", GPT, MINI)
                await exercise(rerank, early)
                await clock.asleep()
                fresh = routed("cheapest", GPT, CLAUDE, MINI)
                await exercise(rerank, fresh)
                await clock.next()
                stale = routed("cheapest", GPT, CLAUDE, MINI)
                await exercise(rerank, stale)

    assert early.decisions[0].data["source"] == "genai-prices"
    assert models_of(fresh) == models_of(stale) == (first, GPT, CLAUDE)
    assert texts(fresh)[0].endswith(f"{CLAUDE} unknown ({provider}, 0 s old)")
    assert stale.decisions[0].data["source"] == provider
    assert stale.decisions[0].data["age_seconds"] == pytest.approx(10, abs=1.1)


async def test_a_source_that_hangs_holds_up_no_request() -> None:
    """Nor the start: the bundled prices stand in."""
    async with FakeProvider().serve() as server:
        server.default = behaviours.stall()
        declared = {"type": "cost", "provider": "models.dev", "url": server.url}
        async with standing(sources(declared)) as rerank:
            await server.request()
            exchange = routed("cheapest", GPT, MINI)
            await exercise(rerank, exchange)

            assert models_of(exchange) == (MINI, GPT)


async def test_prices_may_come_from_a_file(tmp_path: Path) -> None:
    """Of one's own servers, too."""
    path = tmp_path / "prices.yaml"
    path.write_text(
        f"models: {{{OWN}: {{input: 0.1, output: 0.1}}, {MINI}: {{input: 1, output: 1}}}}"
    )
    clock = StepClock()
    declared = {"type": "cost", "provider": "file", "url": str(path), "refresh_interval": 10}
    async with real_context(sources(declared), clock) as context:
        rerank = Rerank(RerankConfig(), context)
        async with rerank.lifespan():
            await clock.asleep()
            exchange = routed("cheapest", GPT, MINI, OWN)
            await exercise(rerank, exchange)

    assert models_of(exchange) == (OWN, MINI, GPT)


async def serve(rerank: Rerank, model: str, seconds: float, *, stream: bool = False) -> None:
    """Let a model answer after some seconds."""
    body = {**BODY, "stream": stream}
    attempt = AttemptResult(Attempt(1, model, "x"), 200, None, 0.0, seconds)
    facts = [Candidates((model,), "x", explicit=True), Attempts([attempt])]
    await exercise(rerank, make_exchange(body, facts=facts))


async def test_the_fastest_comes_first_by_the_gateways_own_measurements() -> None:
    """After some answers of each; the decision says seconds and that they are our own."""
    async with standing(explore=0) as rerank:
        for _ in range(5):
            await serve(rerank, GPT, 2.0)
            await serve(rerank, MINI, 0.5)
        await serve(rerank, CLAUDE, 0.1)
        exchange = routed("fastest", GPT, CLAUDE, MINI)

        await exercise(rerank, exchange)

        assert models_of(exchange) == (MINI, GPT, CLAUDE)
        assert texts(exchange) == [f"fastest: {MINI} 0.5 s, {GPT} 2 s, {CLAUDE} unknown (self)"]
        streamed = routed("fastest", GPT, MINI, body={**BODY, "stream": True})
        await exercise(rerank, streamed)
        assert models_of(streamed) == (GPT, MINI)


async def test_a_model_that_is_not_known_is_tried_now_and_then() -> None:
    """Else the first to be measured would stay the only one."""
    async with real_context() as context:
        seeded = replace(context, random=random.Random(7))
        async with standing(context=seeded, explore=0.2) as rerank:
            for _ in range(5):
                await serve(rerank, GPT, 2.0)
            asked = [routed("fastest", GPT, MINI) for _ in range(200)]
            for exchange in asked:
                await exercise(rerank, exchange)

    explored = [one for one in asked if models_of(one)[0] == MINI]
    assert 20 <= len(explored) <= 60
    assert {text for one in explored for text in texts(one)} == {
        f"fastest: {MINI} unknown, {GPT} 2 s (self); trying {MINI}, whose time is not known"
    }
    assert {one.decisions[0].data["outcome"] for one in explored} == {"explored"}


async def test_a_model_that_fails_is_not_tried_out() -> None:
    """A wrong key of a model that nobody asked for must not cost requests; later it is tried."""
    clock = StepClock()
    async with real_context(clock=clock) as context, standing(context=context, explore=1) as rerank:
        refused = AttemptResult(Attempt(1, MINI, "openai"), 401, "status", 0.0, 0.01)
        facts = [Candidates((MINI,), "x", explicit=True), Attempts([refused])]
        await exercise(rerank, make_exchange(BODY, facts=facts))
        for _ in range(5):
            await serve(rerank, GPT, 2.0)
        soon, later = routed("fastest", GPT, MINI), routed("fastest", GPT, MINI)
        await exercise(rerank, soon)
        clock.pass_(600)
        for _ in range(5):
            await serve(rerank, GPT, 2.0)
        await exercise(rerank, later)

    assert models_of(soon) == (GPT, MINI)
    assert models_of(later) == (MINI, GPT)


async def test_what_was_measured_outlives_a_reload() -> None:
    """The new chain's filter starts before the old one's ends."""
    async with real_context() as context:
        old, new = (Rerank(RerankConfig(explore=0), context) for _ in range(2))
        async with old.lifespan():
            for _ in range(5):
                await serve(old, MINI, 0.5)
            entered = new.lifespan()
            await entered.__aenter__()
        exchange = routed("fastest", GPT, MINI)
        await exercise(new, exchange)
        await entered.__aexit__(None, None, None)

    assert models_of(exchange) == (MINI, GPT)


@pytest.fixture
async def pruning() -> AsyncGenerator[Rerank]:
    """Start a filter whose catalogue knows what models take."""
    clock = StepClock()
    async with FakeProvider().serve() as server:
        server.default = behaviours.answer(200, bytes_of(MODELS_DEV))
        declared = {"type": "cost", "provider": "models.dev", "url": server.url}
        async with real_context(sources(declared), clock) as context:
            rerank = Rerank(RerankConfig(), context)
            async with rerank.lifespan():
                await clock.asleep()
                yield rerank


LONG = {"messages": [{"role": "user", "content": "word " * 10_000}]}


@pytest.mark.parametrize(
    ("body", "lacking"),
    [
        (IMAGE, "images"),
        ({**BODY, "tools": [{"type": "function"}]}, "tools"),
        ({**BODY, "response_format": {"type": "json_schema"}}, "structured output"),
        (LONG, "12501 tokens"),
    ],
)
async def test_a_model_that_does_not_take_a_request_is_left_out(
    pruning: Rerank, body: dict[str, Any], lacking: str
) -> None:
    """With the reason; a model of which nothing is known stays."""
    exchange = routed("none", LLAMA, OWN, GPT, body=body)

    await exercise(pruning, exchange)

    assert models_of(exchange) == (OWN, GPT)
    assert texts(exchange) == [f"left out {LLAMA}: no {lacking}"]
    assert exchange.decisions[0].data == {"lacking": {LLAMA: [lacking]}}


async def test_candidates_without_a_route_are_looked_at_too(pruning: Rerank) -> None:
    """Where no route was taken, and behind one."""
    candidates = Candidates((LLAMA, GPT), "x", explicit=True)
    alone = make_exchange(IMAGE, facts=[candidates])
    behind = routed("cheapest", GPT, MINI, others=(LLAMA,), body=IMAGE)

    await exercise(pruning, alone)
    await exercise(pruning, behind)

    assert models_of(alone) == (GPT,)
    assert models_of(behind) == (MINI, GPT)
    assert len(behind.decisions) == 2


async def test_if_all_would_be_left_out_none_is(pruning: Rerank) -> None:
    """The provider's own error says more than an empty list."""
    exchange = routed("none", LLAMA, "together_ai/meta/llama", body=IMAGE)
    two = Candidates((LLAMA, "togetherai/meta/llama"), "x", explicit=True)
    exchange.state.replace(two)

    await exercise(pruning, exchange)

    assert models_of(exchange) == two.models
    assert texts(exchange)[0].startswith("left all in, though none takes it (")


async def test_leaving_out_can_be_switched_off() -> None:
    """For those who know better than the catalogue."""
    text = {"messages": [{"role": "user", "content": "word " * 200_000}]}
    old = "openai/gpt-3.5-turbo"
    for on in (True, False):
        async with standing(capabilities=on) as rerank:
            exchange = routed("none", old, OWN, body=text)
            await exercise(rerank, exchange)
            assert models_of(exchange) == ((OWN,) if on else (old, OWN))


async def test_an_error_of_the_filter_fails_no_request() -> None:
    """It is counted, logged and said; the candidates stay."""
    async with standing() as rerank:
        exchange = routed("cheapest", GPT, MINI)
        exchange.state.replace(Route("a", 1.0, (GPT, MINI), "dearest"))  # type: ignore[arg-type]

        response: Response = await exercise(rerank, exchange)

        assert response.status == 200
        assert models_of(exchange) == (GPT, MINI)
        assert texts(exchange) == ["not reordered: an error, see the log of the gateway"]
        registry = rerank.context.meter.registry
        assert registry.get_sample_value("plano_rerank_failures_total") == 1


async def test_the_report_says_what_it_goes_by() -> None:
    """Every source, and which one counts; nothing before the start."""
    async with real_context(sources({"type": "cost", "provider": "genai-prices"})) as context:
        rerank = Rerank(RerankConfig(), context)
        assert rerank.report() is None
        async with rerank.lifespan():
            await serve(rerank, GPT, 2.0)
            told = rerank.report()

    assert told is not None
    assert told["cost"]["used"] == "genai-prices"
    assert told["cost"]["sources"][0]["entries"] > 500
    (own,) = told["latency"]["sources"]
    assert own["models"][0]["model"] == GPT
    assert json.dumps(told)
