"""The hooks of `prompt_cache`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Final, Literal

from plano_filters import (
    Attempts,
    Cost,
    Exchange,
    FactoryContext,
    Filter,
    MutableHeaders,
    Outcome,
    Principal,
    Response,
)
from plano_filters_prompt_cache import core
from plano_filters_prompt_cache.config import PromptCacheConfig
from plano_filters_prompt_cache.gathering import Recorder
from plano_filters_prompt_cache.replaying import events

HEADER: Final = "x-cache"
MODEL: Final = "x-plano-model"
_STREAMED: Final = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}
"""So that nobody between us and the client collects a stream."""
_ENDPOINTS: Final = frozenset({"chat", "messages", "responses", "embeddings"})


@dataclass(frozen=True, slots=True)
class Lookup:
    """Fact of an exchange that a cache could answer: whether it did."""

    status: Literal["hit", "miss", "bypass"]
    key: bytes = field(default=b"", repr=False)
    flight: asyncio.Event | None = field(default=None, repr=False, compare=False)
    """What others wait for that ask the same at the moment."""


class PromptCache(Filter[PromptCacheConfig]):
    """Answer what was asked before from memory."""

    config_type = PromptCacheConfig
    may_provide = (Attempts, Cost)

    def __init__(self, config: PromptCacheConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        self._memory = core.Memory(config.max_bytes, config.ttl)
        self._flights: dict[bytes, asyncio.Event] = {}
        self._requests = context.meter.counter(
            "prompt_cache_requests", "Requests that the cache saw.", ("result",)
        )

    async def on_request(self, exchange: Exchange) -> Response | None:
        operation, request = exchange.operation, exchange.request
        if operation.endpoint not in _ENDPOINTS or operation.deciding or request.method != "POST":
            return None
        control = core.directives(request.headers.get("cache-control", ""))
        reason = core.why_not(request.payload, control, sampled=self.config.sampled)
        if reason:
            exchange.decide(f"not cached: {reason}", cache="bypass")
            self._note(exchange, Lookup("bypass"))
            return None
        key = self._key(exchange)
        if "no-cache" not in control:
            found = await self._find(exchange, key)
            response = self._replay(exchange, found) if found is not None else None
            if response is not None:
                self._note(exchange, Lookup("hit", key))
                return response
        self._note(exchange, Lookup("miss", key, self._take_off(exchange, key)))
        return None

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        lookup = exchange.state.get(Lookup)
        if lookup is None:
            return
        response.headers[HEADER] = lookup.status
        control = core.directives(response.headers.get("cache-control", ""))
        if lookup.status != "miss" or response.status != 200 or "no-store" in control:
            return
        model = response.headers.get(MODEL, "")
        if not isinstance(response.body, bytes):
            if response.event_stream:
                response.body = self._recorded(response.body, exchange, lookup.key, model)
        elif len(response.body) <= self.config.max_answer_bytes and core.whole(response.body):
            self._keep(lookup.key, response.body, model)

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        lookup = exchange.state.get(Lookup)
        if lookup is not None and lookup.flight is not None:
            del self._flights[lookup.key]
            lookup.flight.set()

    def _key(self, exchange: Exchange) -> bytes:
        request, principal = exchange.request, exchange.state.get(Principal)
        path = f"{request.path}?{request.query}"
        who = principal.id if principal is not None else ""
        return core.key_of(who, path, request.headers, request.payload, self.config.ignore)

    async def _find(self, exchange: Exchange, key: bytes) -> core.Entry | None:
        """Look an answer up; under `single_flight`, once more when the other has its own."""
        touch, clock = not exchange.dry_run, self.context.clock
        found = self._memory.get(key, clock.now(), touch=touch)
        flight = self._flights.get(key)
        if found is not None or flight is None or exchange.dry_run:
            return found
        await flight.wait()
        return self._memory.get(key, clock.now())

    def _take_off(self, exchange: Exchange, key: bytes) -> asyncio.Event | None:
        """Let others that ask the same wait, unless one of them is ahead already."""
        if not self.config.single_flight or exchange.dry_run or key in self._flights:
            return None
        return self._flights.setdefault(key, asyncio.Event())

    def _note(self, exchange: Exchange, lookup: Lookup) -> None:
        exchange.state.put(lookup)
        if not exchange.dry_run:
            self._requests.labels(lookup.status).inc()

    def _replay(self, exchange: Exchange, entry: core.Entry) -> Response | None:
        """Make an answer of a kept one; None if it cannot be told in the form that is asked for."""
        request, kind, body = exchange.request, "application/json", entry.body
        stream: list[bytes] | None = None
        if request.stream and exchange.operation.endpoint != "embeddings":
            options = request.payload.get("stream_options")
            usage = isinstance(options, dict) and options.get("include_usage") is True
            try:
                document = json.loads(body)
                stream = events(document, exchange.dialect, include_usage=usage)
            except (KeyError, TypeError, AttributeError):
                return None
            kind = "text/event-stream"
        age = self.context.clock.now() - entry.stored
        headers = MutableHeaders({"content-type": kind, HEADER: "hit", "age": str(int(age))})
        headers.update({"x-plano-attempts": "0", "x-plano-cost-usd": "0"})
        headers.update(_STREAMED if stream is not None else {})
        if entry.model:
            headers[MODEL] = entry.model
        exchange.state.put(Attempts())
        exchange.state.put(Cost(0.0, "cache", None))
        exchange.decide(f"answered from memory, {age:.0f} s old", cache="hit", model=entry.model)
        return Response(200, headers, body if stream is None else _each(stream))

    async def _recorded(
        self, body: AsyncIterator[bytes], exchange: Exchange, key: bytes, model: str
    ) -> AsyncGenerator[bytes]:
        """Pass a stream on as it is, and keep it if it comes to its proper end."""
        recorder = Recorder(exchange.dialect, self.config.max_answer_bytes)
        try:
            async for chunk in body:
                recorder.take(chunk)
                yield chunk
        finally:
            close = getattr(body, "aclose", None)
            if close is not None:
                await close()
        whole = recorder.body()
        if whole is not None:
            self._keep(key, whole, model)

    def _keep(self, key: bytes, body: bytes, model: str) -> None:
        self._memory.put(key, core.Entry(body, self.context.clock.now(), model))


async def _each(stream: list[bytes]) -> AsyncGenerator[bytes]:
    for one in stream:
        yield one
