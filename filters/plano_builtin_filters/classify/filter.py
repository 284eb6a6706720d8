"""The hooks of `classify`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from plano_builtin_filters.classify import core, lint, preferences
from plano_builtin_filters.classify.cache import DecisionCache
from plano_builtin_filters.classify.config import ClassifyConfig
from plano_builtin_filters.classify.conversation import turns_of
from plano_builtin_filters.classify.preferences import Table
from plano_builtin_filters.classify.routers.protocol import Question, Router, Scores
from plano_builtin_filters.classify.routers.worker import failure_of
from plano_builtin_filters.classify.wiring import wire
from plano_filters import (
    Candidates,
    Exchange,
    FactoryContext,
    Filter,
    Pin,
    Route,
)
from plano_filters.models import ModelIndex

log = logging.getLogger(__name__)

ENDPOINTS = frozenset({"chat", "messages", "responses"})
SESSION_HEADER = "x-model-affinity"
"""Names the conversation, so that a causal model need not read it again from the start."""
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0)


class Classify(Filter[ClassifyConfig]):
    """Find out what a request is about, and put the models for that first."""

    config_type = ClassifyConfig
    requires = (Candidates,)
    may_provide = (Route,)

    def __init__(self, config: ClassifyConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        document = context.document
        self._index = ModelIndex.of(document)
        self._table = preferences.configured(document.routing_preferences, self._index)
        self._explicit = document.routing.override_explicit
        self._wiring = wire(config, context)
        self._router: Router | None = None
        self._cache = DecisionCache(config.cache_entries)
        meter = context.meter
        self._decisions = meter.counter(
            "plano_router_decisions", "Answers of a router model.", ("router", "outcome")
        )
        self._failures = meter.counter(
            "plano_router_failures", "Questions a router did not answer.", ("router", "reason")
        )
        self._seconds = meter.histogram(
            "plano_router_seconds", "From question to answer.", BUCKETS, ("router",)
        )

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        wiring = self._wiring
        async with self.context.shared.use(wiring.key, wiring.make) as router:
            self._router = router
            if self._table.rows:
                await router.prepare(self._table.options)
                log.info("routing by preferences: %s", router.describe())
                for warning in await asyncio.to_thread(lint.check, self._table.options):
                    log.warning("%s", warning)
            yield

    async def on_request(self, exchange: Exchange) -> None:
        if exchange.operation.endpoint not in ENDPOINTS:
            preferences.strip(exchange.request)
            return
        table = self._routes(exchange)
        if table is None:
            return
        question = self._question(exchange, table)
        if question is None:
            exchange.decide("nothing to route by: the user wrote no text")
            return
        scores, seconds = await self._ask(exchange, question)
        if scores is not None:
            self._apply(exchange, table, question, scores, seconds)

    def _routes(self, exchange: Exchange) -> Table | None:
        """Return the routing table of a request; None if it is not to be routed.

        Raises:
            BadRequest: The table it brings along is wrong.
        """
        inline = preferences.inline(exchange.request.payload, self._index)
        replaced = preferences.strip(exchange.request)
        if replaced:
            exchange.decide(replaced)
        table = self._table if inline is None else inline
        if not table.rows:
            if inline is not None:
                exchange.decide(
                    "not routed: the request says so",
                    otherwise=(f'routed without "{preferences.INLINE}": [] in the body',),
                )
            return None
        if exchange.state.get(Pin) is not None:
            exchange.decide(
                "not routed: the session is pinned", otherwise=("routed without the pin",)
            )
            return None
        if inline is None and not self._explicit and exchange.state[Candidates].explicit:
            exchange.decide(
                "not routed: the request names a model",
                otherwise=('routed with the model "auto", or with routing.override_explicit',),
            )
            return None
        speaking = table.speaking(exchange.dialect, self._index)
        if not speaking.rows:
            exchange.decide(f"not routed: no route has a model that speaks {exchange.dialect}")
            return None
        return speaking

    def _question(self, exchange: Exchange, table: Table) -> Question | None:
        turns = turns_of(exchange.request.payload, exchange.dialect)
        if not turns:
            return None
        session = exchange.request.headers.get(SESSION_HEADER)
        return Question(turns, table.options, session)

    async def _ask(
        self, exchange: Exchange, question: Question
    ) -> tuple[Scores | None, float | None]:
        """Return the scores and how long they took; no scores if there is no answer, no time if
        they were remembered."""
        name = self._wiring.name
        known = self._cache.get(question)
        if known is not None:
            return known, None
        if self._router is None:
            raise RuntimeError("the lifespan of this filter was not entered")
        began = time.perf_counter()
        try:
            scores = await self._router.route(question)
        except Exception as error:  # noqa: BLE001 - whatever it is, the request is served
            failure = failure_of(error)
            self._failures.labels(name, failure.reason).inc()
            exchange.decide(
                f"not routed: {name} router, {failure}", router=name, reason=failure.reason
            )
            return None, None
        seconds = time.perf_counter() - began
        self._seconds.labels(name).observe(seconds)
        self._cache.put(question, scores)
        return scores, seconds

    def _apply(
        self,
        exchange: Exchange,
        table: Table,
        question: Question,
        scores: Scores,
        seconds: float | None,
    ) -> None:
        """Put the route and its models first, if there is one."""
        needed = self.config.min_confidence
        verdict = core.judge(question, scores, needed)
        self._decisions.labels(self._wiring.name, verdict.outcome).inc()
        took = "remembered" if seconds is None else f"{seconds * 1000:.1f} ms"
        exchange.decide(
            f"{verdict.text(needed)} ({self._wiring.name}, {took})",
            otherwise=core.otherwise(verdict, needed),
            outcome=verdict.outcome,
            route=verdict.best if verdict.outcome == "routed" else None,
            confidence=verdict.confidence,
            runner_up=verdict.runner_up,
            margin=verdict.margin,
            needed=needed,
            router=self._wiring.name,
            seconds=seconds,
            scores=core.shown(question, scores),
        )
        if verdict.outcome != "routed" or verdict.index is None:
            return
        row = table.rows[verdict.index]
        exchange.state.put(Route(row.option.name, verdict.confidence, row.models, row.prefer))
        exchange.state.replace(core.routed(row.models, exchange.state[Candidates]))
