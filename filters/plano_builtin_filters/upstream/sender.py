"""The end of one try: builds the request for a provider and makes its answer a response."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
from opentelemetry import propagate
from opentelemetry.trace import set_span_in_context
from starlette.datastructures import MutableHeaders

from plano_builtin_filters.upstream import headers, target, translated
from plano_builtin_filters.upstream.attempt import Answer, Limits, send
from plano_builtin_filters.upstream.config import UpstreamConfig
from plano_builtin_filters.upstream.converse import FRAMES, ConverseTransport
from plano_builtin_filters.upstream.notes import Notes
from plano_builtin_filters.upstream.relay import relay
from plano_builtin_filters.upstream.source import Deadlines
from plano_builtin_filters.upstream.target import Target
from plano_builtin_filters.upstream.translated import JSON, Translated
from plano_filters import (
    Attempt,
    BadRequest,
    Continued,
    Exchange,
    FactoryContext,
    ModelNotFound,
    Response,
    TerminalFilter,
)
from plano_filters.config import ModelProvider
from plano_filters.dialect import Dialect
from plano_filters.endpoints import PATHS
from plano_filters.jsonbody import encode
from plano_filters.mock import MockProvider
from plano_filters.models import ModelIndex
from plano_filters.prices import PriceBook, book
from plano_filters.translation import Outgoing

LARGE_BODY: Final = 1024 * 1024
"""Bytes. aiohttp warns of larger bodies in one piece, for the time it takes to copy them."""
PIECE: Final = 256 * 1024
_PATH: Final = re.compile(r"[\w.\-]{1,100}", re.ASCII)
"""Of a parameter. A client may write anything for a name; decisions are logged."""
MOST_TARGETS: Final = 1024
"""To remember; clients choose the names of a wildcard's models."""
MAX_TOLD: Final = 500
"""Characters of a list of dropped parameters in a decision's text; the data has them all."""


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
        self._index = ModelIndex.of(context.document)
        self._targets: dict[tuple[str, Dialect], Target | None] = {}
        for entry in reversed(context.document.model_providers):  # of two the first one counts
            for dialect in PATHS:
                self._targets[entry.model, dialect] = target.target(entry, dialect, entry.model_id)

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
        model_id = attempt.model.partition("/")[2]
        if where.converse:
            transport = ConverseTransport(transport, model_id)
        exchange.request.edit(model=model_id)
        if exchange.dialect == where.dialect == "responses":
            self._resume(exchange, attempt.model)
        outgoing = _translation(exchange, where)
        clock = self.context.clock
        answer = await send(
            transport,
            self._request(exchange, where, outgoing),
            Limits(
                self.config.first_byte_timeout,
                self.config.idle_timeout,
                sending.deadline - clock.now(),
            ),
            now=clock.time(),
            resources=exchange.resources,
        )
        if outgoing is not None:
            translated.check(answer, stream=exchange.request.stream)
        notes = Notes(self._prices.rates(attempt.model))
        exchange.state.put(notes)
        return self._response(exchange, answer, notes, outgoing)

    def report(self) -> Mapping[str, Any] | None:
        return None if self._prices is None else {"cost": self._prices.shown()}

    def target(self, model: str, client: Dialect) -> Target:
        """Return where a model is asked, for clients of a dialect.

        Raises:
            ModelNotFound: It is not declared.
            BadRequest: It cannot be asked in this dialect.
        """
        known = self._targets.get((model, client))
        if known is not None:
            return known
        entry = self._index.entry(model)
        if entry is None:
            raise ModelNotFound(f'the model "{model}" is not declared', param="model")
        found = target.target(entry, client, model.partition("/")[2])
        if found is None:
            raise BadRequest(f"{model} does not speak {client}", param="model")
        if len(self._targets) < MOST_TARGETS:
            self._targets[model, client] = found
        return found

    def _resume(self, exchange: Exchange, model: str) -> None:
        """Ask the provider that keeps a response by its id: it knows more than its items say.

        A conversation that a filter has changed is sent as it is now.
        """
        kept, request = exchange.state.get(Continued), exchange.request
        if kept is None or request.payload.get("input") is not kept.whole:
            return
        if not self._index.same_account(model, kept.model):
            return
        request.edit(previous_response_id=kept.response_id, input=kept.given)
        if kept.given is None:
            request.remove("input")
        exchange.decide(f"{model} is asked to continue its own response")

    def _request(
        self, exchange: Exchange, where: Target, outgoing: Outgoing | None
    ) -> httpx.Request:
        request = exchange.request
        body = request.body if outgoing is None else encode(outgoing.payload)
        ours = [
            (b"x-request-id", exchange.id.encode("latin-1")),
            *target.authentication(where, request.headers),
        ]
        if outgoing is not None:
            ours.append((b"content-type", JSON))
        if where.converse:
            ours.append((b"accept", FRAMES.encode() if request.stream else JSON))
        if self.context.document.tracing.propagate_to_upstream:
            ours += _trace_headers(exchange)
        ours += [*where.headers, (b"content-length", b"%d" % len(body))]
        extensions: dict[str, object] = {"timeout": self._timeout}
        if where.entry.http_host:
            extensions["sni_hostname"] = where.entry.http_host.partition(":")[0]
        large = len(body) > LARGE_BODY
        pairs = headers.up(
            request.headers.raw, ours, mock=where.mock, translated=outgoing is not None
        )
        return httpx.Request(
            request.method,
            target.address(where, exchange.operation, request.query, stream=request.stream),
            headers=pairs,
            content=None if large else body,
            stream=_Pieces(body) if large else None,
            extensions=extensions,
        )

    def _response(
        self, exchange: Exchange, answer: Answer, notes: Notes, outgoing: Outgoing | None
    ) -> Response:
        head = MutableHeaders(raw=headers.down(answer.headers, rewritten=outgoing is not None))
        if answer.rest is None:
            notes.document(answer.body)
            if outgoing is None:
                return Response(answer.status, head, answer.body)
            head["content-type"] = JSON.decode()
            return Response(answer.status, head, translated.whole(outgoing, answer.body))
        head["cache-control"] = "no-cache, no-transform"
        head["x-accel-buffering"] = "no"
        config, where = self.config, exchange.state[Target]
        remaining = exchange.state[Sending].deadline - self.context.clock.now()
        deadlines = Deadlines(config.idle_timeout, remaining, config.keep_alive)
        body = relay(
            answer,
            where.dialect,
            deadlines,
            notes.events,
            exchange.resources,
            trailing=outgoing is None,
        )
        if outgoing is not None:
            head["content-type"] = "text/event-stream; charset=utf-8"
            events = translated.Events(outgoing.answers.stream(), where.dialect, where.client)
            body = translated.stream(body, events, config.keep_alive)
        exchange.resources.push_async_callback(body.aclose)
        return Response(answer.status, head, body)


class _Pieces(httpx.AsyncByteStream):
    """A large request body, a piece at a time."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), PIECE):
            yield self._body[start : start + PIECE]


def _translation(exchange: Exchange, where: Target) -> Outgoing | None:
    """Return the request in the provider's dialect, if that is not the client's."""
    if where.translate is None:
        exchange.state.put(Translated())
        return None
    outgoing = translated.request(where.translate, exchange.request.payload, where.traits)
    exchange.state.put(Translated(outgoing.dropped))
    dropped = [name if _PATH.fullmatch(name) else "(a strange name)" for name in outgoing.dropped]
    api = "converse" if where.converse else where.dialect
    lost = f", without {', '.join(dropped)}" if dropped else ""
    exchange.decide(
        f"{where.client} translated to {api}{lost[:MAX_TOLD]}",
        dialect=api,
        dropped=dropped,
    )
    return outgoing


def _is_mock(entry: ModelProvider) -> bool:
    return entry.provider == "mock"


def _trace_headers(exchange: Exchange) -> list[headers.Pair]:
    carrier: dict[str, str] = {}
    propagate.inject(carrier, context=set_span_in_context(exchange.span))
    return [(name.lower().encode(), value.encode()) for name, value in carrier.items()]
