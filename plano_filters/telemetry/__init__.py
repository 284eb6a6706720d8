"""What is seen of exchanges: one root span each, spans, metrics and a log line at the end."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from opentelemetry import propagate
from opentelemetry.trace import INVALID_SPAN, NoOpTracer, Span, SpanKind, Tracer

from plano_filters.config.document import Tracing
from plano_filters.dialect import Operation
from plano_filters.exchange import Exchange, Outcome
from plano_filters.messages import Request, Response
from plano_filters.meter import Meter
from plano_filters.telemetry import access_log, content, names
from plano_filters.telemetry.metrics import Metrics, render_metrics
from plano_filters.telemetry.setup import flush, tracer_provider
from plano_filters.telemetry.spans import Spans
from plano_filters.telemetry.view import Relayed, view

log = logging.getLogger(__name__)
Observer = Callable[[Exchange, Outcome], None]


class Telemetry:
    """Spans, metrics and log of a gateway.

    Args:
        tracing: The document's section.
        meter: Where metrics live; a new one unless given.
        env: The standard `OTEL_*` variables.
        models: The declared models, for metric labels.
        observers: Called with every exchange at its end.
        tracer: Instead of the one that the variables and the document ask for.
    """

    def __init__(
        self,
        tracing: Tracing | None = None,
        *,
        meter: Meter | None = None,
        env: Mapping[str, str] = os.environ,
        models: Collection[str] = (),
        observers: Sequence[Observer] = (),
        tracer: Tracer | None = None,
    ) -> None:
        self._tracing = tracing or Tracing()
        self._provider = tracer_provider(self._tracing, env) if tracer is None else None
        if tracer is None and self._provider is not None:
            tracer = self._provider.get_tracer(names.SCOPE)
        self._on = tracer is not None
        self.tracer: Tracer = tracer or NoOpTracer()
        self.meter = meter or Meter()
        self._metrics = Metrics(self.meter, models)
        every = env.get("PLANO_FILTERS_FILTER_SPANS", "").lower() == "true"
        self._spans = Spans(self.tracer, every_filter=every)
        self._capture = content.Capture(self._tracing, env)
        self._observers = tuple(observers)

    def declare(self, models: Collection[str]) -> None:
        """Give models metric labels of their own; those that had one keep it."""
        self._metrics.declare(models)

    def begin(self, request: Request, operation: Operation) -> Span:
        """Start the root span. The caller's `traceparent` is its parent, and decides."""
        self._metrics.inflight.inc()
        if not self._on:
            return INVALID_SPAN
        known = request.method in names.KNOWN_METHODS
        span = self.tracer.start_span(
            f"{request.method if known else 'HTTP'} {operation.route}",
            context=propagate.extract(request.headers),
            kind=SpanKind.SERVER,
            attributes={
                names.HTTP_METHOD: request.method if known else names.OTHER_METHOD,
                names.HTTP_ROUTE: operation.route,
            },
        )
        if span.is_recording():
            self._describe(span, request)
        return span

    def wrap(self, exchange: Exchange, response: Response) -> None:
        """Watch a response's body: count open streams, capture content where that is on."""
        if not isinstance(response.body, bytes):
            relayed = Relayed()
            exchange.state.put(relayed)
            response.body = self._counted(response.body, relayed)
        if exchange.span.is_recording():
            self._capture.wrap(exchange, response)

    def finish(self, exchange: Exchange, outcome: Outcome) -> None:
        """Record an exchange at its end. Never raises."""
        self._metrics.inflight.dec()
        try:
            seen = view(exchange, outcome, time.perf_counter())
            self._metrics.record(exchange, seen)
            if self._on:
                self._spans.finish(exchange, outcome, seen)
            access_log.record(exchange, outcome, seen)
            for observer in self._observers:
                observer(exchange, outcome)
        except Exception:
            log.exception("recording an exchange failed")

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Export the last spans at the end, within three seconds."""
        try:
            yield
        finally:
            if self._provider is not None:
                await asyncio.to_thread(flush, self._provider)

    async def _counted(self, body: AsyncIterator[bytes], relayed: Relayed) -> AsyncGenerator[bytes]:
        self._metrics.streams.inc()
        try:
            async for chunk in body:
                relayed.chunk(time.perf_counter())
                yield chunk
        finally:
            self._metrics.streams.dec()
            close = getattr(body, "aclose", None)
            if close is not None:
                await close()

    def _describe(self, span: Span, request: Request) -> None:
        span.set_attribute(names.URL_PATH, request.path)
        span.set_attribute(names.URL_SCHEME, request.scheme)
        span.set_attribute(names.PROTOCOL_VERSION, request.http_version)
        if request.client:
            span.set_attribute(names.CLIENT_ADDRESS, request.client)
        agent = request.headers.get("user-agent")
        if agent:
            span.set_attribute(names.USER_AGENT, agent[:500])
        wanted = self._tracing.span_attributes
        span.set_attributes(wanted.static)
        for prefix in wanted.header_prefixes:
            for name, value in request.headers.items():
                if name.startswith(prefix.lower()) and name != prefix.lower():
                    key = name.removeprefix(prefix.lower()).lstrip("-").replace("-", ".")
                    span.set_attribute(key, value[:500])


__all__ = ["Observer", "Telemetry", "render_metrics"]
