"""The end of one try: builds the request for a provider and makes its answer a response."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx
from opentelemetry import propagate
from opentelemetry.trace import set_span_in_context
from starlette.datastructures import MutableHeaders

from plano_builtin_filters.upstream import usage
from plano_builtin_filters.upstream.attempt import Answer, send
from plano_builtin_filters.upstream.config import UpstreamConfig
from plano_builtin_filters.upstream.relay import Deadlines, relay
from plano_builtin_filters.upstream.target import (
    Target,
    request_headers,
    resolve,
    response_headers,
)
from plano_filters import (
    Attempt,
    Exchange,
    FactoryContext,
    FilterState,
    ModelNotFound,
    Response,
    TerminalFilter,
    Usage,
)
from plano_filters.config import ModelProvider
from plano_filters.facts import ResponseInfo
from plano_filters.mock import MockProvider
from plano_filters.sse import Splitter


@dataclass(frozen=True, slots=True)
class Sending:
    """Fact of one try: how long it may take."""

    remaining: float
    """Seconds until the deadline of the exchange."""
    facts: FilterState
    """Of the exchange; what the answer says of itself is left there."""


class Sender(TerminalFilter[UpstreamConfig]):
    """Sends one try to one provider."""

    def __init__(self, config: UpstreamConfig, context: FactoryContext, connect: float) -> None:
        super().__init__(config, context)
        self._connect = connect
        self._transport: httpx.AsyncBaseTransport | None = None
        self._mock: httpx.AsyncBaseTransport | None = None
        providers = context.document.model_providers
        self._exact = {entry.model: entry for entry in reversed(providers)}
        self._wild = {entry.provider: entry for entry in reversed(providers) if entry.wildcard}

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        mock = any(entry.provider == "mock" for entry in self.context.document.model_providers)
        real = any(entry.provider != "mock" for entry in self.context.document.model_providers)
        self._mock = MockProvider() if mock else None
        self._transport = self.context.transport() if real else None
        yield

    async def on_request(self, exchange: Exchange) -> Response:
        attempt = exchange.state[Attempt]
        entry = self.entry(attempt.model)
        target = resolve(entry, exchange.dialect, exchange.request.headers)
        exchange.state.put(target)
        exchange.request.edit(model=attempt.model.partition("/")[2])
        transport = self._mock if target.mock else self._transport
        if transport is None:
            raise RuntimeError("the lifespan of this filter was not entered")
        sending = exchange.state[Sending]
        remaining = sending.remaining
        answer = await send(
            transport,
            self._request(exchange, target),
            first_byte=min(self.config.first_byte_timeout, remaining),
            now=self.context.clock.time(),
            resources=exchange.resources,
        )
        return self._response(exchange, answer, sending)

    def entry(self, model: str) -> ModelProvider:
        """Return the declaration of a model.

        Raises:
            ModelNotFound: There is none.
        """
        found = self._exact.get(model) or self._wild.get(model.partition("/")[0])
        if found is None:
            raise ModelNotFound(f'the model "{model}" is not declared', param="model")
        return found

    def place(self, exchange: Exchange) -> tuple[str, int | None]:
        """Return host and port of a try; empty if it did not come so far."""
        target = exchange.state.get(Target)
        return (target.host, target.port) if target else ("", None)

    def secrets(self, model: str) -> tuple[str, ...]:
        """Return the credentials that must not come back in an answer."""
        entry = self.entry(model)
        keys = [entry.access_key, *entry.headers.values()]
        return tuple(key.reveal() for key in keys if key is not None and len(key.reveal()) > 7)

    def _request(self, exchange: Exchange, target: Target) -> httpx.Request:
        request = exchange.request
        headers = request_headers(request.headers.items(), target)
        headers.append(("x-request-id", exchange.id))
        headers.append(("content-length", str(len(request.body))))
        if self.context.document.tracing.propagate_to_upstream:
            headers += _trace_headers(exchange)
        extensions: dict[str, object] = {
            "timeout": {"connect": self._connect, "pool": self._connect, "read": None, "write": None}
        }
        if target.server_name:
            extensions["sni_hostname"] = target.server_name
        url = f"{target.url}?{request.query}" if request.query else target.url
        return httpx.Request(
            request.method, url, headers=headers, content=request.body, extensions=extensions
        )

    def _response(self, exchange: Exchange, answer: Answer, sending: Sending) -> Response:
        headers = MutableHeaders(raw=[
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in response_headers(answer.headers)
        ])
        notes = _Notes(sending.facts)
        if answer.rest is None:
            notes.document(answer.body)
            return Response(answer.status, headers, answer.body)
        headers["cache-control"] = "no-cache, no-transform"
        headers["x-accel-buffering"] = "no"
        deadlines = Deadlines(self.config.idle_timeout, sending.remaining, self.config.keep_alive)
        body = relay(answer, exchange.dialect, deadlines, notes.events)
        exchange.resources.push_async_callback(body.aclose)
        return Response(answer.status, headers, body)


class _Notes:
    """Leaves what an answer says of itself as facts of the exchange."""

    def __init__(self, facts: FilterState) -> None:
        self._facts = facts
        self._usage: Usage | None = None
        self._info = ResponseInfo()
        self._first = True

    def document(self, body: bytes) -> None:
        """Read a whole answer."""
        self._take(usage.decode(body))

    def events(self, block: bytes) -> None:
        """Read some events of a stream; only the first, and those that can tell something."""
        if not self._first and not any(mark in block for mark in _TELLING):
            return
        for event in Splitter().feed(block if block.endswith(b"\n") else block + b"\n\n"):
            if self._first or any(mark in event.raw for mark in _TELLING):
                document = usage.decode(event.data)
                self._first = self._first and not document
                self._take(document)

    def _take(self, document: Mapping[str, object]) -> None:
        found = usage.usage_of(document)
        if found is not None:
            self._usage = usage.merge(self._usage, found)
            _leave(self._facts, self._usage)
        info = usage.info_of(document)
        merged = ResponseInfo(
            self._info.id or info.id,
            self._info.model or info.model,
            info.finish_reasons or self._info.finish_reasons,
        )
        if merged != self._info:
            self._info = merged
            _leave(self._facts, merged)


def _leave(facts: FilterState, value: object) -> None:
    """Put a fact, or supersede what an earlier event or a failed try left."""
    if facts.get(type(value)) is None:
        facts.put(value)
    else:
        facts.replace(value)


def _trace_headers(exchange: Exchange) -> list[tuple[str, str]]:
    carrier: dict[str, str] = {}
    propagate.inject(carrier, context=set_span_in_context(exchange.span))
    return list(carrier.items())


_TELLING = (b'"usage"', b'"finish_reason":"', b'"finish_reason": "', b'"stop_reason"')
