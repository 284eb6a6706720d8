"""The hooks of `affinity`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from plano_builtin_filters.affinity import budget, conversation, core
from plano_builtin_filters.affinity.config import AffinityConfig
from plano_builtin_filters.affinity.memory_store import MemoryStore
from plano_builtin_filters.affinity.records import Binding, Record, pin_of
from plano_builtin_filters.affinity.sessions import Recogniser, Session
from plano_builtin_filters.affinity.store import Failure, Found, Store
from plano_builtin_filters.affinity.switching import Switching, Turn
from plano_filters import (
    Candidates,
    Cost,
    Decided,
    Exchange,
    FactoryContext,
    Filter,
    Outcome,
    Pin,
    Response,
    Route,
    Served,
    SessionInfo,
    Usage,
)
from plano_filters.config import set_apart
from plano_filters.models import ModelIndex

ENDPOINTS: Final = frozenset({"chat", "messages", "responses"})


@dataclass(frozen=True, slots=True)
class Kept:
    """The model that a session with a budget is kept at. Left for the end of the answer."""

    model: str


class Affinity(Filter[AffinityConfig]):
    """Keep a session at the model that served it first."""

    config_type = AffinityConfig
    requires = (Candidates,)
    may_provide = (Pin, Route, SessionInfo)

    def __init__(self, config: AffinityConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        document = context.document
        self._routing = document.routing
        self._index = ModelIndex.of(document)
        self._turns = document.routing.route_on_user_only
        self._implicit = self._turns and bool(document.routing_preferences)
        header = document.routing.session_cache.tenant_header
        self._recogniser = Recogniser(header, config.client_keys)
        self._switching = Switching(context)
        self._key, self._make = self._where()
        self._store: Store | None = None
        self._lookups = context.meter.counter(
            "plano_affinity_lookups", "Requests that belong to a session.", ("result",)
        )
        self._failures = context.meter.counter(
            "plano_affinity_failures", "What a store of pins did not do.", ("reason",)
        )

    def _where(self) -> tuple[Hashable, Callable[[], Store]]:
        """Choose a store: what chains share it by, and how it is made.

        Raises:
            ValueError: It cannot be used.
        """
        clock, cache = self.context.clock, self._routing.session_cache
        entries = self._routing.session_max_entries
        if cache.type == "memory" or cache.url is None:
            if "deadline" in set_apart(self.config):
                raise ValueError("`deadline` is for Redis, and session_cache is memory")
            # neither size nor duration is in the key: a reload that changes one keeps the pins
            return (MemoryStore, self.context.id), lambda: MemoryStore(clock, entries)
        try:
            from plano_builtin_filters.affinity import redis_store  # noqa: PLC0415 - an extra
            from plano_filters import redis_client  # noqa: PLC0415 - it, too
        except ImportError:
            raise ValueError(
                "session_cache of type redis needs an extra: pip install 'plano-filters[redis]'"
            ) from None
        url, deadline = cache.url.reveal(), self.config.deadline
        redis_client.check_url(url, "routing.session_cache.url")
        return (
            (redis_store.RedisStore, cache.url, deadline, entries),
            lambda: redis_store.RedisStore(url, clock, deadline=deadline, entries=entries),
        )

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async with (
            self._switching.lifespan(),
            self.context.shared.use(self._key, self._make) as store,
        ):
            if isinstance(store, MemoryStore):
                store.pins.resize(self._routing.session_max_entries)
            self._store = store
            yield

    async def on_request(self, exchange: Exchange) -> None:
        state = exchange.state
        if exchange.operation.endpoint not in ENDPOINTS:
            return
        if state.get(Pin) is not None or state.get(Session) is not None:
            return  # a filter in front has seen to it
        allowed = self._switching.budget(exchange)
        implicit = self.config.implicit
        if implicit is None:
            implicit = self._implicit or allowed is not None
        laned = self._turns or allowed is not None
        session = self._recogniser.find(exchange, implicit=implicit, laned=laned)
        if session is None:
            return
        state.put(session)
        found = await self._get(session)
        if allowed is None:
            result = await self._hold(exchange, session, found)
        else:
            result = self._switching.arrive(exchange, allowed, session, found)
        self._lookups.labels(result).inc()

    async def on_forward(self, exchange: Exchange) -> None:
        self._switching.settle(exchange)

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        state = exchange.state
        session, served = state.get(Session), state.get(Served) or state.get(Decided)
        if session is None or served is None or response.error or response.status >= 400:
            return
        pin, route = state.get(Pin), state.get(Route)
        turn = state.get(Turn)
        if turn is not None:
            binding = self._switching.answered(exchange, served.model)
            known = turn.warm is not None and turn.warm.anchor_model == served.model
            await self._keep(exchange, session, binding, known=known)
            if isinstance(served, Served):
                state.put(Kept(served.model))
        elif pin is None or pin.model != served.model or self._turns:  # else a pin is made once
            new = Pin(served.model, route.name if route else None)
            await self._keep(exchange, session, new, known=pin == new)

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        session, kept = exchange.state.get(Session), exchange.state.get(Kept)
        usage, cost = exchange.state.get(Usage), exchange.state.get(Cost)
        if session is None or kept is None or usage is None:
            return
        # read again: the session may have gone on while the answer was streamed
        found = await self._get(session)
        if isinstance(found.record, Binding):
            usd = None if cost is None else cost.usd
            learned = budget.learn(found.record, kept.model, usage.input_tokens, usd)
            await self._put(session, learned)

    async def _hold(self, exchange: Exchange, session: Session, found: Found) -> str:
        """Hold a request to the pin of its session, if there is one; say how that went."""
        state, source, dialect = exchange.state, session.source, exchange.dialect
        pin = None if found.record is None else pin_of(found.record)
        why = None if pin is None else core.unfit(pin.model, dialect, self._index)
        state.put(SessionInfo(session.id, pinned=pin is not None and why is None))
        how = f" (redis: {found.failure})" if found.failure else ""
        if self._turns and conversation.is_user_turn(exchange.request.payload, dialect):
            exchange.decide("a turn of the user, to be routed", session=source)
            return "user_turn"
        if pin is None:
            exchange.decide(f"no pin yet{how}", session=source, failure=found.failure)
            return "miss"
        if why is not None:
            await self._drop(exchange, session)
            exchange.decide(f"pin dropped: {pin.model[:200]} {why}", session=source)
            return "dropped"
        core.hold(state, pin)
        exchange.decide(
            f"held to {pin.model}{how}",
            session=source,
            model=pin.model,
            route=pin.route,
            failure=found.failure,
        )
        return "hit"

    async def _keep(
        self, exchange: Exchange, session: Session, record: Record, *, known: bool = False
    ) -> None:
        """Remember where a session is, and say so.

        Args:
            exchange: The request.
            session: Its session.
            record: What to remember.
            known: Nothing has changed, so that there is nothing to say.
        """
        ttl, pin = self._routing.session_ttl_seconds, pin_of(record)
        failure = await self._put(session, record)
        data: dict[str, Any] = {"model": pin.model, "route": pin.route, "seconds": ttl}
        if failure:
            exchange.decide(f"pinned to {pin.model} here only: redis, {failure}", **data)
        elif not known:
            exchange.decide(f"pinned to {pin.model} for {ttl} s", **data)

    async def _get(self, session: Session) -> Found:
        found = await self._ready().get(session.key)
        if found.failure:
            self._failures.labels(found.failure).inc()
        return found

    async def _put(self, session: Session, record: Record) -> Failure | None:
        failure = await self._ready().put(session.key, record, self._routing.session_ttl_seconds)
        if failure:
            self._failures.labels(failure).inc()
        return failure

    async def _drop(self, exchange: Exchange, session: Session) -> None:
        failure = None if exchange.dry_run else await self._ready().drop(session.key)
        if failure:
            self._failures.labels(failure).inc()

    def _ready(self) -> Store:
        if self._store is None:
            raise RuntimeError("the lifespan of this filter was not entered")
        return self._store
