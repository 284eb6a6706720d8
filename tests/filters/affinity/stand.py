"""A chain around `affinity`: a router behind it, if a test wants one, and a filter that serves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from opentelemetry.trace import INVALID_SPAN, Span

from plano_builtin_filters.affinity import Affinity, AffinityConfig
from plano_filters import (
    Candidates,
    Cost,
    Decided,
    Exchange,
    FactoryContext,
    Filter,
    FilterConfig,
    Outcome,
    Pin,
    Principal,
    Response,
    Route,
    Served,
    TerminalFilter,
    UpstreamFailed,
    Usage,
    load_text,
)
from plano_filters.chain import Chain, link
from plano_filters.meter import Meter
from plano_filters.prices import PriceBook, Quote, Rates
from plano_filters.shared import Shared
from plano_filters.testing import FakeClock, make_exchange

GPT, CLAUDE, LLAMA = "openai/gpt-4o", "anthropic/claude", "groq/llama"
HEAD = f"""
version: v0.4.0
listeners: [{{name: m, type: model}}]
model_providers:
  - {{model: {GPT}, access_key: sk-aaaaaaaa, default: true}}
  - {{model: {CLAUDE}, access_key: sk-aaaaaaaa}}
  - {{model: {LLAMA}, access_key: sk-aaaaaaaa}}
  - {{model: chatgpt/codex, access_key: sk-aaaaaaaa}}
"""
USER = {"role": "user", "content": "hi"}
CALL: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": []}
RESULT = {"role": "tool", "content": "42"}
TURNS = "routing: {route_on_user_only: true}"


class Prices:
    """A price book of a test's own; it stands where the bundled one would."""

    key = (PriceBook, None)

    def __init__(self, rates: Mapping[str, Rates]) -> None:
        self._rates = rates

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        yield

    def rates(self, model: str) -> Quote | None:
        """Return what a model costs."""
        found = self._rates.get(model)
        return None if found is None else Quote(found, "test", None)


class Choose(Filter[FilterConfig]):
    """Does what a test wants to the candidates, as routers do: a pinned session is left alone."""

    def __init__(self) -> None:
        super().__init__(FilterConfig(), FactoryContext("choose"))
        self.route: Route | None = None
        self.left_out: set[str] = set()
        self.stubborn = False
        """Whether it puts its route first for pinned sessions, too."""

    async def on_request(self, exchange: Exchange) -> None:
        before = exchange.state[Candidates]
        pinned = exchange.state.get(Pin) is not None
        route = self.route if self.stubborn or not pinned else None
        front = route.models if route is not None else ()
        if route is not None:
            exchange.state.withdraw(Route)
            exchange.state.put(route)
        models = front[:1] if front and before.exclusive else [*front, *before.models]
        kept = [model for model in dict.fromkeys(models) if model not in self.left_out]
        exchange.state.replace(replace(before, models=tuple(kept)))


class Serve(TerminalFilter[FilterConfig]):
    """Answers with the first candidate that does not fail; or only says which one it would be."""

    def __init__(self) -> None:
        super().__init__(FilterConfig(), FactoryContext("serve"))
        self.failing: set[str] = set()
        self.tokens: int | None = None
        """Of the prompt, as the provider counts them; None: it does not say."""

    async def on_request(self, exchange: Exchange) -> Response:
        models = exchange.state[Candidates].models
        if exchange.operation.deciding:
            if models:
                exchange.state.put(Decided(models[0]))
            return Response.from_json({"models": models})
        for model in models:
            if model not in self.failing:
                exchange.state.put(Served(model, model.partition("/")[0]))
                if self.tokens is not None:
                    exchange.state.put(Usage(self.tokens, 10))
                    exchange.state.put(Cost(0.25, "test", None))
                return Response.from_json({"model": model})
        raise UpstreamFailed("none answered")


@dataclass(slots=True)
class Gate:
    """A chain of `affinity`, a router and a terminal filter."""

    chain: Chain
    choose: Choose
    serve: Serve
    meter: Meter
    seen: list[Exchange] = field(default_factory=list)

    async def ask(
        self,
        session: str | None = "s",
        *,
        models: tuple[str, ...] = (GPT, CLAUDE),
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        path: str = "/v1/chat/completions",
        route: str | None = None,
        principal: str | None = None,
        exclusive: bool = False,
        requested: str | None = None,
        dry_run: bool = False,
        span: Span = INVALID_SPAN,
    ) -> str:
        """Send a request through; returns the model that served, or the status of an error."""
        named = {} if session is None else {"X-Model-Affinity": session}
        facts: list[object] = [
            Candidates(models, requested or models[0], explicit=True, exclusive=exclusive)
        ]
        facts += [Principal(principal)] if principal else []
        facts += [Route(route)] if route else []
        exchange = make_exchange(
            body or {"messages": [USER]}, path=path, headers={**named, **(headers or {})},
            facts=facts,
        )  # fmt: skip
        exchange.dry_run, exchange.span = dry_run, span
        chain = self.chain
        if dry_run:
            chain = Chain(replace(entry, on_response=None) for entry in chain.links)
        response = await chain.run(exchange)
        await chain.complete(exchange, Outcome(response.status))
        self.seen.append(exchange)
        served = exchange.state.get(Served) or exchange.state.get(Decided)
        return served.model if served else str(response.status)

    async def routed(self, model: str, route: str = "code", **options: Any) -> str:
        """Send a request that names no model through, and route it."""
        self.choose.route = Route(route, 0.9, (model,))
        return await self.ask(**{"requested": "auto", **options})

    @property
    def said(self) -> list[str]:
        """What was decided about the last request."""
        return [decision.text for decision in self.seen[-1].decisions]

    def count(self, name: str, **labels: str) -> float | None:
        """Return a counter's value."""
        return self.meter.registry.get_sample_value(f"{name}_total", labels)


@asynccontextmanager
async def gate(
    more: str = "",
    *,
    clock: FakeClock | None = None,
    shared: Shared | None = None,
    head: str = HEAD,
    rates: Mapping[str, Rates] | None = None,
    last: bool = False,
    **config: Any,
) -> AsyncGenerator[Gate]:
    """Build and start a chain; `affinity` stands first in it, or behind the router."""
    document = load_text(f"{head}{more}\n", env={}).document
    meter = Meter()
    shared = shared or Shared()
    context = FactoryContext(
        "affinity", document, clock=clock or FakeClock(), meter=meter, shared=shared
    )
    choose, serve = Choose(), Serve()
    links = [
        link(Affinity(AffinityConfig(**config), context), id="affinity", name="affinity"),
        link(choose, id="choose", name="choose"),
        link(serve, id="serve", name="serve"),
    ]
    if last:
        links[:2] = links[1::-1]
    chain = Chain(links)
    async with AsyncExitStack() as stack:
        if rates is not None:
            prices = Prices(rates)
            await stack.enter_async_context(shared.use(Prices.key, lambda: prices))
        await stack.enter_async_context(chain.lifespan())
        yield Gate(chain, choose, serve, meter)
