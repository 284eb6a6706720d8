"""The end of one try: builds the request for a provider and makes its answer a response."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
from opentelemetry import propagate
from opentelemetry.trace import set_span_in_context
from starlette.datastructures import MutableHeaders

from plano_builtin_filters.upstream import headers, target
from plano_builtin_filters.upstream.attempt import Answer, Limits, send
from plano_builtin_filters.upstream.config import UpstreamConfig
from plano_builtin_filters.upstream.notes import Notes
from plano_builtin_filters.upstream.relay import relay
from plano_builtin_filters.upstream.source import Deadlines
from plano_builtin_filters.upstream.target import Target
from plano_filters import (
    Attempt,
    Exchange,
    FactoryContext,
    ModelNotFound,
    Response,
    TerminalFilter,
)
from plano_filters.config import ModelProvider
from plano_filters.dialect import Dialect
from plano_filters.mock import MockProvider
from plano_filters.prices import PriceBook, book

LARGE_BODY: Final = 1024 * 1024
"""Bytes. aiohttp warns of larger bodies in one piece, for the time it takes to copy them."""
PIECE: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Sending:
    """Fact of one try: how long it may take."""

    deadline: float
    """Of the exchange, on the filter's clock."""


class Sender(TerminalFilter[UpstreamConfig]):
    """Sends one try to one provider."""

    def __init__(self, config: UpstreamConfig, context: FactoryContext, connect: float) -> None:
        super().__init__(config, context)
        self._timeout = {"connect": connect, "pool": connect, "read": None, "write": None}
        self._transport: httpx.AsyncBaseTransport | None = None
        self._mock: httpx.AsyncBaseTransport | None = None
        self._prices: PriceBook | None = None
        self._targets: dict[tuple[str, Dialect], Target] = {}
        for entry in reversed(context.document.model_providers):  # of two the first one counts
            for dialect in target.PATHS:
                self._targets[entry.model, dialect] = target.target(entry, dialect)

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        entries = self.context.document.model_providers
        self._mock = MockProvider() if any(map(_is_mock, entries)) else None
        self._transport = self.context.transport() if not all(map(_is_mock, entries)) else None
        async with book(self.context) as self._prices:
            yield

    async def on_request(self, exchange: Exchange) -> Response:
        attempt, sending = exchange.state[Attempt], exchange.state[Sending]
        where = exchange.state[Target]
        transport = self._mock if where.mock else self._transport
        if transport is None or self._prices is None:
            raise RuntimeError("the lifespan of this filter was not entered")
        exchange.request.edit(model=attempt.model.partition("/")[2])
        clock = self.context.clock
        answer = await send(
            transport,
            self._request(exchange, where),
            Limits(
                self.config.first_byte_timeout,
                self.config.idle_timeout,
                sending.deadline - clock.now(),
            ),
            now=clock.time(),
            resources=exchange.resources,
        )
        notes = Notes(self._prices.rates(attempt.model))
        exchange.state.put(notes)
        return self._response(exchange, answer, notes, sending)

    def report(self) -> Mapping[str, Any] | None:
        return None if self._prices is None else {"cost": self._prices.shown()}

    def target(self, model: str, dialect: Dialect) -> Target:
        """Return where a model is asked.

        Raises:
            ModelNotFound: It is not declared.
        """
        found = self._targets.get((model, dialect))
        if found is None:
            found = self._targets.get((f"{model.partition('/')[0]}/*", dialect))
        if found is None:
            raise ModelNotFound(f'the model "{model}" is not declared', param="model")
        return found

    def _request(self, exchange: Exchange, where: Target) -> httpx.Request:
        request = exchange.request
        body = request.body
        ours = [
            (b"x-request-id", exchange.id.encode("latin-1")),
            *target.authentication(where, request.headers),
        ]
        if self.context.document.tracing.propagate_to_upstream:
            ours += _trace_headers(exchange)
        ours += [*where.headers, (b"content-length", b"%d" % len(body))]
        extensions: dict[str, object] = {"timeout": self._timeout}
        if where.entry.http_host:
            extensions["sni_hostname"] = where.entry.http_host.partition(":")[0]
        large = len(body) > LARGE_BODY
        return httpx.Request(
            request.method,
            target.with_query(where.url, request.query),
            headers=headers.up(request.headers.raw, ours, mock=where.mock),
            content=None if large else body,
            stream=_Pieces(body) if large else None,
            extensions=extensions,
        )

    def _response(
        self, exchange: Exchange, answer: Answer, notes: Notes, sending: Sending
    ) -> Response:
        head = MutableHeaders(raw=headers.down(answer.headers))
        if answer.rest is None:
            notes.document(answer.body)
            return Response(answer.status, head, answer.body)
        head["cache-control"] = "no-cache, no-transform"
        head["x-accel-buffering"] = "no"
        config, clock = self.config, self.context.clock
        deadlines = Deadlines(
            config.idle_timeout, sending.deadline - clock.now(), config.keep_alive
        )
        body = relay(answer, exchange.dialect, deadlines, notes.events, exchange.resources)
        exchange.resources.push_async_callback(body.aclose)
        return Response(answer.status, head, body)


class _Pieces(httpx.AsyncByteStream):
    """A large request body, a piece at a time."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), PIECE):
            yield self._body[start : start + PIECE]


def _is_mock(entry: ModelProvider) -> bool:
    return entry.provider == "mock"


def _trace_headers(exchange: Exchange) -> list[headers.Pair]:
    carrier: dict[str, str] = {}
    propagate.inject(carrier, context=set_span_in_context(exchange.span))
    return [(name.lower().encode(), value.encode()) for name, value in carrier.items()]
