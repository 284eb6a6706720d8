"""Agentic loops, the router that sorts them, and providers with a prompt cache: all simulated."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from plano_filters import (
    Candidates,
    Exchange,
    FactoryContext,
    Filter,
    FilterConfig,
    Pin,
    Response,
    Route,
    Served,
    TerminalFilter,
    Usage,
)
from plano_filters.prices import PriceBook
from plano_filters.testing import FakeClock

MODELS: Final = (
    "openai/gpt-4o", "openai/gpt-4.1", "anthropic/claude-sonnet-4-5", "anthropic/claude-haiku-4-5",
)  # fmt: skip
CACHE_SECONDS: Final = 300.0
"""How long a provider keeps a prompt after its last use."""
SESSION: Final = "x-model-affinity"


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a fleet's day looks like."""

    seed: int = 7
    sessions: int = 500
    calls: int = 20
    turn: int = 5
    """Calls from one word of the user to the next; the others bring results of tools."""
    changes_subject: float = 0.3
    """Chance that a turn of the user is about something else, and so has another best model."""
    errs: float = 0.1
    """Chance that the router names a model that is not the best one, for each call."""
    first_tokens: tuple[int, int] = (6_000, 14_000)
    """System prompt, tools and first words."""
    more_tokens: tuple[int, int] = (300, 3_000)
    """What a call adds to the prompt."""
    tool_seconds: tuple[float, float] = (2, 20)
    user_seconds: tuple[float, float] = (15, 400)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a loop, the same in every mode."""

    seconds: float
    """Since the one before."""
    of_user: bool
    tokens: int
    routed: str
    """What a router that is asked says."""
    chance: float
    """Where the load balancer sends it, 0 to 1."""


def loop(draw: random.Random, wanted: Parameters) -> Iterator[Call]:
    """Write the calls of a session."""
    best, tokens = draw.choice(MODELS), draw.randint(*wanted.first_tokens)
    for number in range(wanted.calls):
        of_user = number % wanted.turn == 0
        if of_user and number and draw.random() < wanted.changes_subject:
            best = draw.choice([model for model in MODELS if model != best])
        others = [model for model in MODELS if model != best]
        routed = draw.choice(others) if draw.random() < wanted.errs else best
        seconds = draw.uniform(*(wanted.user_seconds if of_user else wanted.tool_seconds))
        yield Call(seconds, of_user, tokens, routed, draw.random())
        tokens += draw.randint(*wanted.more_tokens)


class Router(Filter[FilterConfig]):
    """Says what the call's script says, unless the session is pinned; counts how often."""

    def __init__(self) -> None:
        super().__init__(FilterConfig(), FactoryContext("router"))
        self.asked = 0

    async def on_request(self, exchange: Exchange) -> None:
        """Put the model for it first."""
        if exchange.state.get(Pin) is not None:
            return
        self.asked += 1
        before, model = exchange.state[Candidates], exchange.state[Call].routed
        models = tuple(dict.fromkeys([model, *before.models]))
        exchange.state.put(Route(f"best at {model}", models=(model,)))
        exchange.state.replace(Candidates(models, before.requested, before.explicit))


@dataclass(slots=True)
class Tally:
    """What a mode came to, over all sessions."""

    calls: int = 0
    switches: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    usd: float = 0.0
    off_route: int = 0
    """Calls that were not served by the model that the router names."""


@dataclass(slots=True)
class Providers:
    """All models, each with the prompts that it had lately."""

    clock: FakeClock
    prices: PriceBook
    tally: Tally = field(default_factory=Tally)
    kept: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)
    """When a session's prompt was last used at a model, and its tokens."""
    last: dict[str, str] = field(default_factory=dict)
    """The model that a session had last."""

    def serve(self, session: str, model: str, call: Call) -> Usage:
        """Read a prompt, from the cache as far as it is there."""
        now, tally = self.clock.now(), self.tally
        used, tokens = self.kept.get((session, model), (now, 0))
        cached = min(tokens, call.tokens) if now - used <= CACHE_SECONDS else 0
        self.kept[session, model] = now, call.tokens
        quote = self.prices.rates(model)
        assert quote is not None
        rates = quote.rates.at(call.tokens)
        cheap = rates.input * 0.1 if rates.cache_read is None else rates.cache_read
        tally.usd += (cached * cheap + (call.tokens - cached) * rates.input) / 1e6
        tally.calls += 1
        tally.prompt_tokens += call.tokens
        tally.cached_tokens += cached
        tally.switches += self.last.get(session, model) != model
        tally.off_route += model != call.routed
        self.last[session] = model
        return Usage(call.tokens, 100, cached)


class Serve(TerminalFilter[FilterConfig]):
    """Answers with the first candidate."""

    def __init__(self, providers: Providers) -> None:
        super().__init__(FilterConfig(), FactoryContext("serve"))
        self._providers = providers

    async def on_request(self, exchange: Exchange) -> Response:
        """Answer."""
        state, session = exchange.state, exchange.request.headers[SESSION]
        model = state[Candidates].models[0]
        state.put(Served(model, model.partition("/")[0]))
        state.put(self._providers.serve(session, model, state[Call]))
        return Response.from_json({})
