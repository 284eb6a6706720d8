"""The hooks of `affinity`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Final

from plano_builtin_filters.affinity import conversation, core, sessions
from plano_builtin_filters.affinity.config import AffinityConfig
from plano_builtin_filters.affinity.memory_store import MemoryStore
from plano_builtin_filters.affinity.sessions import Session
from plano_builtin_filters.affinity.store import Failure, Store
from plano_filters import (
    Candidates,
    Exchange,
    FactoryContext,
    Filter,
    Pin,
    Principal,
    Response,
    Route,
    Served,
    SessionInfo,
)
from plano_filters.models import ModelIndex

ENDPOINTS: Final = frozenset({"chat", "messages", "responses"})


class Affinity(Filter[AffinityConfig]):
    """Keep a session at the model that served it first."""

    config_type = AffinityConfig
    requires = (Candidates,)

    def __init__(self, config: AffinityConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        document = context.document
        self._routing = document.routing
        self._index = ModelIndex.of(document)
        self._turns = document.routing.route_on_user_only
        self._implicit = config.implicit
        if config.implicit is None:
            self._implicit = self._turns and bool(document.routing_preferences)
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
            if "deadline" in self.config.model_fields_set:
                raise ValueError("`deadline` is for Redis, and session_cache is memory")
            # neither size nor duration is in the key: a reload that changes one keeps the pins
            return (MemoryStore, self.context.id), lambda: MemoryStore(clock, entries)
        try:
            from plano_builtin_filters.affinity import redis_store  # noqa: PLC0415 - an extra
        except ImportError:
            raise ValueError(
                "session_cache of type redis needs an extra: pip install 'plano-filters[redis]'"
            ) from None
        url, deadline = cache.url.reveal(), self.config.deadline
        redis_store.check_url(url)
        return (
            (redis_store.RedisStore, cache.url, deadline, entries),
            lambda: redis_store.RedisStore(url, clock, deadline=deadline, entries=entries),
        )

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async with self.context.shared.use(self._key, self._make) as store:
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
        session = self._session(exchange)
        if session is None:
            return
        state.put(session)
        pinned = await self._look_up(exchange, session)
        state.put(SessionInfo(session.id, pinned=pinned))

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        session, served = exchange.state.get(Session), exchange.state.get(Served)
        if session is None or served is None or response.error or response.status >= 400:
            return
        pin, route = exchange.state.get(Pin), exchange.state.get(Route)
        if pin is not None and pin.model == served.model and not self._turns:
            return  # a pin lasts from when it was made
        ttl = self._routing.session_ttl_seconds
        new = Pin(served.model, route.name if route else None)
        failure = await self._ready().put(session.key, new, ttl)
        data = {"model": new.model, "route": new.route, "seconds": ttl}
        if failure:
            self._failed(failure)
            exchange.decide(f"pinned to {new.model} here only: redis, {failure}", **data)
        elif pin != new:
            exchange.decide(f"pinned to {new.model} for {ttl} s", **data)

    def _session(self, exchange: Exchange) -> Session | None:
        """Return the session of a request, if it belongs to one."""
        headers, payload = exchange.request.headers, exchange.request.payload
        header = self._routing.session_cache.tenant_header
        tenant = headers.get(header, "").strip() if header else ""
        text, source = sessions.named(headers), sessions.HEADER
        given = text
        if not text and headers.get(sessions.CACHE_HEADER, "").strip().lower() != "off":
            own = sessions.of_client(headers, payload, self.config.client_keys)
            if own is not None:
                (source, given), text = own, f"{own[0]}:{own[1]}"
            elif self._implicit:
                began = conversation.beginning_of(payload, exchange.dialect)
                source, text = "implicit", sessions.implicit(began, tenant) if began else ""
                given = text
        if not text:
            return None
        who = exchange.state.get(Principal)
        lane = exchange.state[Candidates].requested if self._turns else None
        key = core.key(text, tenant=tenant, principal=who.id if who else None, lane=lane)
        return Session(key, given, source)

    async def _look_up(self, exchange: Exchange, session: Session) -> bool:
        """Hold the request to the pin of its session; return whether there is one."""
        found = await self._ready().get(session.key)
        if found.failure:
            self._failed(found.failure)
        how = f" (redis: {found.failure})" if found.failure else ""
        pin = found.pin
        payload, dialect = exchange.request.payload, exchange.dialect
        if self._turns and conversation.is_user_turn(payload, dialect):
            self._lookups.labels("user_turn").inc()
            exchange.decide("a turn of the user, to be routed", session=session.source)
            return pin is not None and core.unfit(pin.model, dialect, self._index) is None
        if pin is None:
            self._lookups.labels("miss").inc()
            exchange.decide(f"no pin yet{how}", session=session.source, failure=found.failure)
            return False
        why = core.unfit(pin.model, dialect, self._index)
        if why is not None:
            failure = await self._ready().drop(session.key)
            if failure:
                self._failed(failure)
            self._lookups.labels("dropped").inc()
            exchange.decide(f"pin dropped: {pin.model[:200]} {why}", session=session.source)
            return False
        self._lookups.labels("hit").inc()
        exchange.state.put(pin)
        exchange.state.replace(core.pinned(pin.model, exchange.state[Candidates]))
        if pin.route is not None and exchange.state.get(Route) is None:
            exchange.state.put(Route(pin.route))
        exchange.decide(
            f"held to {pin.model}{how}",
            session=session.source,
            model=pin.model,
            route=pin.route,
            failure=found.failure,
        )
        return True

    def _failed(self, reason: Failure) -> None:
        self._failures.labels(reason).inc()

    def _ready(self) -> Store:
        if self._store is None:
            raise RuntimeError("the lifespan of this filter was not entered")
        return self._store
