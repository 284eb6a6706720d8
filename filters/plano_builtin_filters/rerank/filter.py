"""The hooks of `rerank`."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from plano_builtin_filters.rerank import core
from plano_builtin_filters.rerank.config import RerankConfig
from plano_builtin_filters.rerank.needs import BYTES_A_TOKEN, needs_of, tokens_of
from plano_builtin_filters.rerank.wiring import Sources
from plano_filters import (
    Attempts,
    Candidates,
    Exchange,
    FactoryContext,
    Filter,
    GatewayError,
    Outcome,
    Pin,
    Route,
)

log = logging.getLogger(__name__)

ENDPOINTS: Final = frozenset({"chat", "messages", "responses"})
UNITS: Final = {"cheapest": " USD/M", "fastest": ""}


class Rerank(Filter[RerankConfig]):
    """Put the cheapest or fastest model of a route first; leave out models that cannot serve."""

    config_type = RerankConfig
    requires = (Candidates,)

    def __init__(self, config: RerankConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        self._sources = Sources(config, context)
        self._started = False
        meter = context.meter
        self._decisions = meter.counter(
            "plano_rerank_decisions",
            "Routes whose models were to be ordered.",
            ("prefer", "outcome"),
        )
        self._pruned = meter.counter(
            "plano_rerank_pruned", "Requests whose candidates did not all take them.", ("result",)
        )
        self._failures = meter.counter(
            "plano_rerank_failures", "Requests left as they were after an error of the filter."
        )

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async with self._sources.lifespan():
            self._started = True
            yield

    async def on_request(self, exchange: Exchange) -> None:
        if exchange.operation.endpoint not in ENDPOINTS:
            return
        try:
            self._rerank(exchange)
        except GatewayError:
            raise  # a body that cannot be read
        except Exception:
            self._failures.inc()
            log.exception("the candidates were left as they were")
            exchange.decide("not reordered: an error, see the log of the gateway")

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        attempts = exchange.state.get(Attempts)
        if attempts is not None and attempts.results and exchange.operation.endpoint in ENDPOINTS:
            self._sources.measured.learn(attempts, streamed=exchange.request.stream)

    def report(self) -> Mapping[str, Any] | None:
        return self._sources.shown() if self._started else None

    def _rerank(self, exchange: Exchange) -> None:
        before = exchange.state[Candidates]
        route = exchange.state.get(Route)
        pool = core.pool(before, route)
        kept = self._prune(exchange, pool) if self.config.capabilities else pool.all
        front = tuple(model for model in pool.front if model in kept)
        if route is not None and len(front) > 1 and exchange.state.get(Pin) is None:
            front = self._order(exchange, route, front)
        after = core.merge(front, kept, before, only=pool.only)
        if after != before:
            exchange.state.replace(after)

    def _prune(self, exchange: Exchange, pool: core.Pool) -> tuple[str, ...]:
        """Return the candidates that are not known to be unable to take the request."""
        abilities = {model: self._sources.prices.ability(model) for model in pool.all}
        request = exchange.request
        rooms = [one.context for one in abilities.values() if one.context is not None]
        # Reading takes a walk through the conversation; most are far shorter than any context.
        count = bool(rooms) and len(request.body) // BYTES_A_TOKEN > min(rooms)
        if len(abilities) < 2 or not (count or any(one.refuses for one in abilities.values())):
            return pool.all
        needs = needs_of(request.payload, tokens_of(request.payload) if count else None)
        found = {model: core.lacks(needs, ability) for model, ability in abilities.items()}
        lacking = {model: what for model, what in found.items() if what}
        if not lacking:
            return pool.all
        text = "; ".join(f"{model}: no {', no '.join(what)}" for model, what in lacking.items())
        if len(lacking) == len(pool.all):
            self._pruned.labels("none_left").inc()
            exchange.decide(f"left all in, though none takes it ({text})", lacking=lacking)
            return pool.all
        self._pruned.labels("pruned").inc()
        exchange.decide(f"left out {text}", lacking=lacking)
        return core.prune(pool.all, lacking)

    def _order(self, exchange: Exchange, route: Route, front: tuple[str, ...]) -> tuple[str, ...]:
        """Return a route's models in the order that its policy wants."""
        prefer = route.prefer
        if prefer == "none":
            return front
        streamed = exchange.request.stream
        source, age, figures = self._figures(prefer, front, streamed=streamed)
        ordered = core.rank(front, figures)
        unit = UNITS[prefer] if source != "self" else " s"
        other = core.otherwise(ordered, figures, unit, prefer=prefer)
        if exchange.dry_run:  # what happens by chance is told, not tried
            tried = None
            if source == "self" and _unknown(front, figures) and self.config.explore:
                share = f"{self.config.explore * 100:g} %"
                other.append(f"{share} of requests try a model first whose time is not known")
        else:
            tried = self._explored(source, ordered, figures, streamed=streamed)
        if tried is not None:
            ordered = tuple(dict.fromkeys([tried, *ordered]))
        where = source if age is None else f"{source}, {core.old(age)} old"
        text = core.shown(ordered, figures, unit)
        note = f"; trying {tried}, whose time is not known" if tried is not None else ""
        known = core.told(figures)
        outcome = (
            "explored"
            if tried
            else "no_data"
            if len(_unknown(front, known)) == len(front)
            else "ranked"
        )
        self._decisions.labels(prefer, outcome).inc()
        exchange.decide(
            f"{prefer}: {text} ({where}){note}",
            otherwise=other,
            prefer=prefer,
            outcome=outcome,
            order=list(ordered),
            figures=known,
            source=source,
            age_seconds=None if age is None else round(age, 1),
        )
        return ordered

    def _figures(
        self, prefer: str, models: tuple[str, ...], *, streamed: bool
    ) -> tuple[str, float | None, dict[str, float | None]]:
        """Return where the figures are from, how old they are, and the figures."""
        if prefer == "fastest":
            times = self._sources.latencies(streamed=streamed)
            return times.source, times.age, {model: times.find(model) for model in models}
        prices = self._sources.prices
        quotes = {model: prices.rates(model) for model in models}
        totals = {
            model: one.rates.total if one is not None else None for model, one in quotes.items()
        }
        return prices.source, prices.age(), totals

    def _explored(
        self,
        source: str,
        models: tuple[str, ...],
        figures: Mapping[str, float | None],
        *,
        streamed: bool,
    ) -> str | None:
        """Choose a model to be measured, now and then; None for most requests."""
        measured = self._sources.measured
        unknown = [model for model in _unknown(models, figures) if not measured.fails(model)]
        if source != "self" or not unknown or self.context.random.random() >= self.config.explore:
            return None
        return min(unknown, key=lambda model: measured.samples(model, streamed=streamed))


def _unknown(models: tuple[str, ...], figures: Mapping[str, float | None]) -> list[str]:
    return [model for model in models if figures.get(model) is None]
