"""The hooks of `conversation_state`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from plano_builtin_filters.conversation_state import core
from plano_builtin_filters.conversation_state.config import ConversationStateConfig
from plano_builtin_filters.conversation_state.memory_store import MemoryStore
from plano_builtin_filters.conversation_state.recorder import Recorder
from plano_builtin_filters.conversation_state.store import Store, Unreachable
from plano_filters import (
    BadRequest,
    Candidates,
    Continued,
    Decision,
    Exchange,
    FactoryContext,
    Filter,
    Principal,
    Response,
    Served,
    Unavailable,
    endpoints,
)
from plano_filters.config import set_apart
from plano_filters.models import ModelIndex

REDIS_ONLY: Final = ("deadline",)
MEMORY_ONLY: Final = ("max_entries", "max_bytes")


class PreviousResponseNotFound(BadRequest):
    """No response of this id can be continued. Status and code are OpenAI's: SDKs would try a 409,
    which is Plano's, again and again."""

    code = "previous_response_not_found"


class StateUnavailable(Unavailable):
    """Whether there is such a response cannot be known at the moment."""

    code = "state_unavailable"


@dataclass(frozen=True, slots=True)
class Conversation:
    """Fact of an exchange whose answer is to be kept."""

    items: list[Any]
    """What was said before the answer."""
    previous: str | None
    """The response that it continues."""


class ConversationState(Filter[ConversationStateConfig]):
    """Continue the response that `previous_response_id` names, whoever answers."""

    config_type = ConversationStateConfig
    requires = (Candidates,)
    may_provide = (Continued,)

    def __init__(self, config: ConversationStateConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        self._index = ModelIndex.of(context.document)
        self._tenant = context.document.routing.session_cache.tenant_header
        self._key, self._make = self._where()
        self._store: Store | None = None
        self._lookups = context.meter.counter(
            "plano_conversation_state_lookups",
            "Requests that continue a response.",
            ("result",),
        )
        self._writes = context.meter.counter(
            "plano_conversation_state_writes", "Responses that were to be kept.", ("result",)
        )

    def _where(self) -> tuple[Hashable, Callable[[], Store]]:
        """Choose a store: what chains share it by, and how it is made.

        Raises:
            ValueError: It cannot be used.
        """
        config, clock, storage = (
            self.config,
            self.context.clock,
            self.context.document.state_storage,
        )
        address = storage.connection_string if storage and storage.type == "redis" else None
        for name in REDIS_ONLY if address is None else MEMORY_ONLY:
            if name in set_apart(config):
                kind = "memory" if address is None else "redis"
                raise ValueError(f"`{name}` does nothing: state_storage is {kind}")
        if address is None:
            # neither number nor size is in the key: a reload that changes one keeps the responses
            return (MemoryStore, self.context.id), lambda: MemoryStore(
                clock, config.max_entries, config.max_bytes
            )
        try:
            from plano_builtin_filters.conversation_state import (  # noqa: PLC0415 - an extra
                redis_store,
            )
            from plano_filters import redis_client  # noqa: PLC0415 - it, too
        except ImportError:
            raise ValueError(
                "state_storage of type redis needs an extra: pip install 'plano-filters[redis]'"
            ) from None
        url = address.reveal()
        redis_client.check_url(url, "state_storage.connection_string")
        return (
            (redis_store.RedisStore, address, config.deadline),
            lambda: redis_store.RedisStore(url, clock, deadline=config.deadline),
        )

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async with self.context.shared.use(self._key, self._make) as store:
            if isinstance(store, MemoryStore):
                store.resize(self.config.max_entries, self.config.max_bytes)
            self._store = store
            yield

    async def on_request(self, exchange: Exchange) -> None:
        if exchange.operation.endpoint != "responses":
            return
        payload = exchange.request.payload
        previous = payload.get("previous_response_id")
        if payload.get("conversation") is not None:
            return  # another kind of state, which is the provider's, and excludes this one
        if previous is not None and not isinstance(previous, str):
            raise BadRequest(
                "`previous_response_id` must be a string", param="previous_response_id"
            )
        items = core.items_of(payload.get("input"))
        if items is None and previous is None:
            return  # the provider knows what to say to that
        if items is None:
            raise BadRequest("`input` must be a string or a list of items", param="input")
        whole = core.is_whole(payload, items)
        if previous is not None:
            kept = await self._look_up(exchange, previous)
            if kept is None:
                return
            items = self._continue(exchange, kept, items)
        if whole and payload.get("store") is not False:
            exchange.state.put(Conversation(items, previous))
            if not self._first_is_native(exchange):
                exchange.request.remove("store")  # is done here, so nobody is to say it is not

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        conversation = exchange.state.get(Conversation)
        if conversation is None or response.error or response.status >= 400:
            return
        if response.headers.get("content-encoding", "identity") != "identity":
            self._wrote(exchange, "compressed", "not kept: it is compressed")
            return
        served = exchange.state.get(Served)
        model = served.model if served else ""

        async def keep(name: str, answer: Mapping[str, Any], provider_keeps: bool) -> bool:
            output = core.portable(answer["output"], provider_keeps=provider_keeps)
            kept = core.Kept([*conversation.items, *output], model if provider_keeps else None)
            return await self._keep(exchange, name, kept)

        native = self._native(model)
        recorder = Recorder(conversation.previous, native=native, keep=keep)
        if isinstance(response.body, bytes):
            response.body = await recorder.whole(response.body)
        elif response.event_stream:
            response.body = recorder.stream(response.body)

    async def _look_up(self, exchange: Exchange, previous: str) -> core.Kept | None:
        """Return a response; None if its provider may know it.

        Raises:
            PreviousResponseNotFound: Nobody does.
            StateUnavailable: It may be kept here, in a store that does not answer.
        """
        foreign = not previous.startswith(core.OURS) and self._first_is_native(exchange)
        try:
            raw = await self._ready().get(self._name(exchange, previous))
        except Unreachable as error:
            self._looked(exchange, "failed")
            if foreign:
                exchange.decide(f"left to the provider (redis: {error.reason})")
                return None
            raise StateUnavailable(
                "the response of `previous_response_id` cannot be looked up at the moment",
                param="previous_response_id",
            ) from None
        kept = core.decode(raw) if raw is not None else None
        if kept is not None:
            self._looked(exchange, "hit")
            return kept
        if raw is not None or not foreign:
            self._looked(exchange, "miss")
            raise PreviousResponseNotFound(
                f"Previous response with id '{previous[: core.LONGEST_ID]}' not found. The gateway"
                " does not keep it, or no longer; send the whole conversation in `input`.",
                param="previous_response_id",
            )
        self._looked(exchange, "passed")
        exchange.decide("not kept here; left to the provider")
        return None

    def _continue(self, exchange: Exchange, kept: core.Kept, items: list[Any]) -> list[Any]:
        """Put the conversation into the request, in the place of the id; return its items."""
        request, whole = exchange.request, [*kept.items, *items]
        if kept.by is not None:
            given = request.payload
            name = given["previous_response_id"]
            exchange.state.put(Continued(name, kept.by, given.get("input"), whole))
        request.edit(input=whole)
        request.remove("previous_response_id")
        exchange.decide(
            f"continued: {len(kept.items)} items before {len(items)}",
            before=len(kept.items),
            new=len(items),
        )
        return whole

    async def _keep(self, exchange: Exchange, name: str, kept: core.Kept) -> bool:
        """Keep a response; say whether that succeeded. The answer goes its way in any case."""
        try:
            value = core.encode(kept)
        except RecursionError:
            self._wrote(exchange, "depth", "not kept: it is nested too deeply")
            return False
        if len(value) > self.config.max_entry_bytes:
            self._wrote(exchange, "size", f"not kept: {len(value)} bytes are too many")
            return False
        try:
            await self._ready().put(self._name(exchange, name), value, self.config.ttl)
        except Unreachable as error:
            self._wrote(exchange, error.reason, f"not kept: redis, {error.reason}")
            return False
        self._wrote(exchange, "kept", f"kept for {self.config.ttl:g} s")
        return True

    def _first_is_native(self, exchange: Exchange) -> bool:
        return any(map(self._native, exchange.state[Candidates].models[:1]))

    def _native(self, model: str) -> bool:
        """Say whether a model's provider is asked in Responses, and not in a translation."""
        entry = self._index.entry(model)
        if entry is None:
            return False
        return endpoints.asked_in(entry, model.partition("/")[2], "responses") == "responses"

    def _looked(self, exchange: Exchange, result: str) -> None:
        if not exchange.dry_run:
            self._lookups.labels(result).inc()

    def _wrote(self, exchange: Exchange, result: str, text: str) -> None:
        self._writes.labels(result).inc()
        # Not `decide`: while a stream runs, no hook of this filter does.
        exchange.decisions.append(Decision(self.context.id, text, {"result": result}))

    def _name(self, exchange: Exchange, response_id: str) -> str:
        who = exchange.state.get(Principal)
        headers = exchange.request.headers
        tenant = headers.get(self._tenant, "").strip() if self._tenant else ""
        return core.key(response_id, principal=who.id if who else None, tenant=tenant)

    def _ready(self) -> Store:
        if self._store is None:
            raise RuntimeError("the lifespan of this filter was not entered")
        return self._store
