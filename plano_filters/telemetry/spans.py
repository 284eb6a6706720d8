"""Spans of an exchange, made at its end from the ledger, with the times it holds.

Only the root span lives while the exchange does. An exchange that is not sampled pays nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from plano_filters.exchange import Exchange, Outcome, Timing
from plano_filters.facts import Decided
from plano_filters.telemetry import names
from plano_filters.telemetry.view import View

SLOW: Final = 0.005
"""Seconds from which on a filter gets a span of its own."""
_NANO: Final = 1_000_000_000


class Spans:
    """Makes the child spans of exchanges.

    Args:
        tracer: Whose spans.
        every_filter: Give each filter a span of its own, not only slow and failing ones.
    """

    def __init__(self, tracer: Tracer, *, every_filter: bool = False) -> None:
        self._tracer = tracer
        self._every = every_filter

    def finish(self, exchange: Exchange, outcome: Outcome, view: View) -> None:
        """Make the children and end the root."""
        root = exchange.span
        if root.is_recording():
            ended = exchange.started + view.seconds
            self._chain(exchange, "request")
            self._chain(exchange, "forward")
            if view.attempts:
                self._operation(exchange, view, ended)
            self._chain(exchange, "response")
            _describe_root(root, exchange, outcome, view)
            root.end(_nanoseconds(ended))
        else:
            root.end()

    def _start(
        self,
        parent: Span,
        name: str,
        kind: SpanKind,
        started: float,
        attributes: Mapping[str, Any],
    ) -> Span:
        return self._tracer.start_span(
            name,
            context=set_span_in_context(parent),
            kind=kind,
            start_time=_nanoseconds(started),
            attributes=attributes,
        )

    def _chain(self, exchange: Exchange, phase: str) -> None:
        timings = [t for t in exchange.timings if t.phase == phase]
        if not timings:
            return
        first, last = timings[0].started, timings[-1].started + timings[-1].seconds
        attributes = {names.FILTER_PHASE: phase}
        span = self._start(exchange.span, names.CHAIN_SPAN, SpanKind.INTERNAL, first, attributes)
        for timing in timings:
            when = timing.started + timing.seconds
            span.add_event(names.FILTER_EVENT, _filter_attributes(timing), _nanoseconds(when))
            slow = timing.seconds > SLOW and timing.action != "respond"
            if self._every or slow or timing.action in ("error", "skip"):
                self._filter(span, timing)
        if phase == "request":
            for decision in exchange.decisions:
                about = {names.FILTER_NAME: decision.filter, names.DECISION: decision.text}
                span.add_event(names.DECISION_EVENT, about, _nanoseconds(last))
        span.end(_nanoseconds(last))

    def _filter(self, parent: Span, timing: Timing) -> None:
        span = self._start(
            parent,
            f"{names.FILTER_SPAN} {timing.filter}",
            SpanKind.INTERNAL,
            timing.started,
            _filter_attributes(timing),
        )
        if timing.action in ("error", "skip"):
            span.set_status(Status(StatusCode.ERROR))
            span.set_attribute(names.ERROR_TYPE, timing.error or "error")
        span.end(_nanoseconds(timing.started + timing.seconds))

    def _operation(self, exchange: Exchange, view: View, ended: float) -> None:
        """Make the span of the operation, which covers all tries, and one for each try."""
        endpoint = exchange.operation.endpoint
        kind = names.OPERATIONS.get(endpoint, endpoint)
        asked = view.attempts[0].attempt.model.partition("/")[2]
        attributes = _request_attributes(exchange) | _response_attributes(view)
        attributes |= {names.OPERATION: kind, names.REQUEST_MODEL: asked}
        attributes[names.PROVIDER] = view.provider
        span = self._start(
            exchange.span, f"{kind} {asked}", SpanKind.CLIENT, view.attempts[0].started, attributes
        )
        last = view.attempts[-1]
        span.set_attribute(names.SERVER_ADDRESS, last.server_address)
        if last.server_port is not None:
            span.set_attribute(names.SERVER_PORT, last.server_port)
        self._attempts(span, view)
        if view.error:
            span.set_status(Status(StatusCode.ERROR))
            span.set_attribute(names.ERROR_TYPE, view.error)
        span.end(_nanoseconds(ended))

    def _attempts(self, parent: Span, view: View) -> None:
        for resend, result in enumerate(view.attempts):
            span = self._start(
                parent,
                "POST",
                SpanKind.CLIENT,
                result.started,
                {names.HTTP_METHOD: "POST", names.SERVER_ADDRESS: result.server_address},
            )
            if resend:
                span.set_attribute(names.HTTP_RESEND, resend)
            if result.server_port is not None:
                span.set_attribute(names.SERVER_PORT, result.server_port)
            if result.status is not None:
                span.set_attribute(names.HTTP_STATUS, result.status)
            if result.error is not None:
                error = str(result.status) if result.error == "status" else result.error
                span.set_attribute(names.ERROR_TYPE, error)
                span.set_status(Status(StatusCode.ERROR))
            span.end(_nanoseconds(result.started + result.seconds))


def _describe_root(root: Span, exchange: Exchange, outcome: Outcome, view: View) -> None:
    root.set_attribute(names.HTTP_STATUS, view.status)
    root.set_attribute(names.REQUEST_ID, exchange.id)
    root.set_attribute(names.ATTEMPTS, len(view.attempts))
    if view.route:
        root.set_attribute(names.ROUTE_NAME, view.route)
    if view.confidence is not None:
        root.set_attribute(names.ROUTE_CONFIDENCE, view.confidence)
    if view.cost is not None:
        root.set_attribute(names.COST_USD, view.cost.usd)
        root.set_attribute(names.COST_SOURCE, view.cost.source)
        if not view.cost.whole:
            root.set_attribute(names.COST_WHOLE, False)
    decided = exchange.state.get(Decided)
    if decided is not None:
        root.set_attribute(names.DECIDED_MODEL, decided.model)
    if outcome.disconnected:
        root.set_attribute(names.DISCONNECTED, True)
    if view.error:
        root.set_attribute(names.ERROR_TYPE, view.error)
    if view.status >= 500 or (outcome.error is not None and view.status < 400):
        root.set_status(Status(StatusCode.ERROR))


def _filter_attributes(timing: Timing) -> dict[str, Any]:
    return {
        names.FILTER_NAME: timing.filter,
        names.FILTER_PHASE: timing.phase,
        names.FILTER_ACTION: timing.action,
        names.FILTER_MICROSECONDS: round(timing.seconds * 1e6),
    }


def _request_attributes(exchange: Exchange) -> dict[str, Any]:
    payload = exchange.request.payload
    attributes: dict[str, Any] = {
        attribute: payload[field]
        for field, attribute in names.REQUEST_FIELDS.items()
        if _is_number(payload.get(field))
    }
    attributes |= _wishes(payload)
    if exchange.request.stream:
        attributes[names.REQUEST_STREAM] = True
    api = names.API_TYPES.get(exchange.operation.endpoint)
    if api:
        attributes[names.API_TYPE] = api
    return attributes


def _wishes(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the fields of a body ask for that are no plain numbers."""
    stop = payload.get("stop", payload.get("stop_sequences"))
    stops = [stop] if isinstance(stop, str) else stop
    choices, tier = payload.get("n"), payload.get("service_tier")
    level = payload.get("reasoning_effort", _inner(payload, "reasoning", "effort"))
    form = names.OUTPUT_TYPES.get(_inner(payload, "response_format", "type") or "")
    found = {
        names.STOP_SEQUENCES: stops if _are_texts(stops) else None,
        names.CHOICE_COUNT: choices if _is_number(choices) and choices != 1 else None,
        names.REASONING_LEVEL: level if isinstance(level, str) else None,
        names.SERVICE_TIER: tier if isinstance(tier, str) else None,
        names.OUTPUT_TYPE: form,
    }
    return {name: value for name, value in found.items() if value is not None}


def _inner(payload: Mapping[str, Any], field: str, key: str) -> str | None:
    part = payload.get(field)
    value = part.get(key) if isinstance(part, dict) else None
    return value if isinstance(value, str) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _response_attributes(view: View) -> dict[str, Any]:
    found: dict[str, Any] = {
        names.RESPONSE_ID: view.info.id,
        names.RESPONSE_MODEL: view.info.model,
        names.FINISH_REASONS: view.info.finish_reasons or None,
        names.FIRST_CHUNK: view.first_byte if view.served else None,
    }
    if view.usage is not None:
        found |= {
            names.INPUT_TOKENS: view.usage.input_tokens,
            names.OUTPUT_TOKENS: view.usage.output_tokens,
            names.CACHE_READ_TOKENS: view.usage.cached_tokens,
            names.CACHE_WRITE_TOKENS: view.usage.cache_write_tokens,
            names.REASONING_TOKENS: view.usage.reasoning_tokens,
        }
    return {name: value for name, value in found.items() if value is not None}


def _nanoseconds(seconds: float) -> int:
    return int(seconds * _NANO)
