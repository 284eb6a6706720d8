"""Prometheus metrics of exchanges. Labels come from closed sets, never from a client."""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib.metadata import version
from os import environ

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from plano_filters.exchange import Exchange
from plano_filters.meter import Meter
from plano_filters.telemetry import names
from plano_filters.telemetry.view import Relayed, View

_GEN_AI = (
    "gen_ai_operation_name",
    "gen_ai_provider_name",
    "gen_ai_request_model",
    "gen_ai_response_model",
    "error_type",
)


class Metrics:
    """Records exchanges.

    Args:
        meter: Where the instruments live.
        models: The declared models; others are counted as `other`.
    """

    def __init__(self, meter: Meter, models: Collection[str] = ()) -> None:
        self._models = frozenset(models)
        self._make_operation(meter.histogram)
        self._make_gateway(meter)

    def _make_operation(self, histogram: Callable[..., Histogram]) -> None:
        """Make the instruments of the GenAI conventions."""
        self.duration = histogram(
            "gen_ai_client_operation_duration_seconds",
            "Time of an operation, retries and fallbacks included, to its last byte.",
            names.DURATION_BUCKETS,
            _GEN_AI,
        )
        self.tokens = histogram(
            "gen_ai_client_token_usage",
            "Tokens the provider reported.",
            names.TOKEN_BUCKETS,
            (*_GEN_AI[:4], "gen_ai_token_type"),
        )
        self.first_chunk = histogram(
            "gen_ai_client_operation_time_to_first_chunk_seconds",
            "Time until the provider's first byte, retries and fallbacks included.",
            names.DURATION_BUCKETS,
            _GEN_AI[:4],
        )
        self.request_duration = histogram(
            "gen_ai_server_request_duration_seconds",
            "Time of a request as a client of the gateway sees it.",
            names.DURATION_BUCKETS,
            _GEN_AI,
        )
        self.first_token = histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "Time until the first byte as a client of the gateway sees it.",
            names.FIRST_TOKEN_BUCKETS,
            _GEN_AI[:4],
        )
        self.per_token = histogram(
            "gen_ai_server_time_per_output_token_seconds",
            "Mean time between two tokens of a stream after its first byte.",
            names.TOKEN_TIME_BUCKETS,
            _GEN_AI[:4],
        )
        self.per_chunk = histogram(
            "gen_ai_client_operation_time_per_output_chunk_seconds",
            "Mean time between two chunks of a stream.",
            names.DURATION_BUCKETS,
            _GEN_AI[:4],
        )

    def _make_gateway(self, meter: Meter) -> None:
        """Make the instruments of HTTP and our own."""
        self.http = meter.histogram(
            "http_server_request_duration_seconds",
            "Time of HTTP requests to the gateway.",
            names.HTTP_BUCKETS,
            ("http_request_method", "http_route", "http_response_status_code"),
        )
        self.filter = meter.histogram(
            "plano_filter_duration_seconds",
            "Time of one hook of one filter.",
            names.FILTER_BUCKETS,
            ("filter", "phase", "action"),
        )
        self.skipped = meter.counter(
            "plano_filter_skipped",
            "Filters skipped after an unexpected error.",
            ("filter", "error"),
        )
        self.overhead = meter.histogram(
            "plano_overhead_seconds",
            "Time until the first byte that was not spent waiting for a provider.",
            names.OVERHEAD_BUCKETS,
        )
        self.inflight = meter.gauge("plano_inflight", "Exchanges being served.")
        self.streams = meter.gauge("plano_streams_open", "Streams being relayed.")
        self.attempts = meter.counter(
            "plano_upstream_attempts", "Tries against providers.", ("target", "reason")
        )
        self.retries = meter.counter(
            "plano_upstream_retries", "Further tries of the same model.", ("target", "reason")
        )
        self.failovers = meter.counter(
            "plano_failovers", "Exchanges served by another than the first candidate.", ("target",)
        )
        self.cost = meter.counter(
            names.COST, "USD that answers cost, as far as it is known.", ("provider", "model")
        )
        self.cost_unknown = meter.counter(
            names.COST_UNKNOWN,
            "Answers whose cost is not known: the provider reported no tokens, or has no price.",
            ("provider", "model", "reason"),
        )
        meter.gauge("plano_build_info", "The version that runs.", ("version",), mode="max").labels(
            version(names.SERVICE)
        ).set(1)

    def declare(self, models: Collection[str]) -> None:
        """Give models labels of their own; those that had one keep it, for what still runs."""
        self._models |= frozenset(models)

    def record(self, exchange: Exchange, view: View) -> None:
        """Count one exchange at its end."""
        operation = exchange.operation
        method = exchange.request.method
        method = method if method in names.KNOWN_METHODS else names.OTHER_METHOD
        self.http.labels(method, operation.route, str(view.status)).observe(view.seconds)
        for timing in exchange.timings:
            self.filter.labels(timing.filter, timing.phase, timing.action).observe(timing.seconds)
            if timing.action == "skip":
                self.skipped.labels(timing.filter, timing.error or "").inc()
        if view.first_byte is not None:
            self.overhead.observe(max(0.0, view.first_byte - view.upstream_seconds))
        if operation.endpoint in names.OPERATIONS and not operation.deciding:
            self._operation(exchange, view)
        if view.attempts:
            self._attempts(view)

    def _operation(self, exchange: Exchange, view: View) -> None:
        last = view.attempts[-1].attempt.model if view.attempts else ""
        served = self._model(view.served or last)
        kind = names.OPERATIONS[exchange.operation.endpoint]
        labels = (kind, view.provider, served, served)
        error = view.error if view.status >= 400 or view.error else ""
        self.request_duration.labels(*labels, error).observe(view.seconds)
        if not view.attempts:
            return
        self.duration.labels(*labels, error).observe(view.seconds)
        if view.first_byte is not None and view.served:
            self.first_chunk.labels(*labels).observe(view.first_byte)
            self.first_token.labels(*labels).observe(view.first_byte)
        if view.relayed is not None and view.relayed.chunks > 1:
            self._stream(labels, view, view.relayed)
        if view.served:
            self._cost(view, served)
        if view.usage is not None:
            for token_type, count in (
                ("input", view.usage.input_tokens),
                ("output", view.usage.output_tokens),
            ):
                if count is not None:
                    self.tokens.labels(*labels, token_type).observe(count)

    def _cost(self, view: View, served: str) -> None:
        if view.cost is not None:
            self.cost.labels(view.provider, served).inc(view.cost.usd)
        else:
            counted = view.usage is not None and view.usage.input_tokens is not None
            reason = "price" if counted else "usage"
            self.cost_unknown.labels(view.provider, served, reason).inc()

    def _stream(self, labels: tuple[str, ...], view: View, relayed: Relayed) -> None:
        spread = relayed.last - relayed.first
        self.per_chunk.labels(*labels).observe(spread / (relayed.chunks - 1))
        tokens = view.usage.output_tokens if view.usage is not None else None
        if tokens is not None and tokens > 1:
            self.per_token.labels(*labels).observe(spread / (tokens - 1))

    def _attempts(self, view: View) -> None:
        previous = ""
        for result in view.attempts:
            target = self._model(result.attempt.model)
            reason = result.error or "served"
            if result.error == "status":
                reason = str(result.status)
            self.attempts.labels(target, reason).inc()
            if result.attempt.model == previous:
                self.retries.labels(target, reason).inc()
            previous = result.attempt.model
        if view.served and view.served != view.attempts[0].attempt.model:
            self.failovers.labels(self._model(view.served)).inc()

    def _model(self, name: str) -> str:
        return name if name in self._models else names.OTHER


def render_metrics(meter: Meter) -> tuple[bytes, str]:
    """Write the metrics in Prometheus' text format.

    With several workers (`PROMETHEUS_MULTIPROC_DIR` is set) those of all of them.
    """
    registry: CollectorRegistry = meter.registry
    if environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415 - mmap

        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST
