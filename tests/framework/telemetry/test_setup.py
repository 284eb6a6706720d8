"""Where spans go: the standard variables, Plano's keys, collectors alive and dead."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.sampling import ParentBased

from plano_filters.config.document import Tracing
from plano_filters.exchange import Outcome
from plano_filters.telemetry import Telemetry
from plano_filters.telemetry.setup import _endpoint, _sampler, flush, tracer_provider
from plano_filters.testing import make_exchange


@contextmanager
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """Run an OTLP/HTTP receiver on loopback; yields its base address and what it got."""
    received: list[ExportTraceServiceRequest] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/traces":
                received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("how", ["variable", "exact variable", "document"])
async def test_spans_arrive_at_a_collector(how: str) -> None:
    """By OTLP/HTTP, flushed at the end, under our service name."""
    with collector() as (url, received):
        env = {
            "variable": {"OTEL_EXPORTER_OTLP_ENDPOINT": url},
            "exact variable": {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{url}/v1/traces"},
            "document": {},
        }[how]
        wanted = Tracing(otlp_endpoint=url) if how == "document" else Tracing()
        telemetry = Telemetry(wanted, env=env)
        async with telemetry.lifespan():
            exchange = make_exchange({})
            exchange.span = telemetry.begin(exchange.request, exchange.operation)
            telemetry.finish(exchange, Outcome(200))

    resource = received[0].resource_spans[0]
    attributes = {a.key: a.value.string_value for a in resource.resource.attributes}
    assert attributes["service.name"] == "plano-filters"
    assert resource.scope_spans[0].spans[0].name == "POST /v1/chat/completions"


def test_a_dead_collector_does_not_hold_the_exit() -> None:
    """The last spans are given up after the limit."""
    provider = tracer_provider(Tracing(otlp_endpoint="http://127.0.0.1:9"), {})
    assert provider is not None
    with provider.get_tracer("t").start_as_current_span("x"):
        pass
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    started = time.monotonic()

    flush(provider, 0.2)

    assert time.monotonic() - started < 20  # the SDK itself takes 30


@pytest.mark.parametrize(
    ("tracing", "env"),
    [
        (Tracing(), {}),
        (Tracing(otlp_endpoint="http://x"), {"OTEL_SDK_DISABLED": "true"}),
        (Tracing(otlp_endpoint="http://x"), {"OTEL_TRACES_EXPORTER": "none"}),
        (Tracing(otlp_endpoint="http://x", random_sampling=0), {}),
    ],
)
def test_without_a_wish_for_spans_there_are_none(tracing: Tracing, env: dict[str, str]) -> None:
    """Off is off: no exporter, no thread, no span."""
    assert tracer_provider(tracing, env) is None


@pytest.mark.parametrize(
    ("tracing", "env", "endpoint"),
    [
        (Tracing(), {}, None),
        (
            Tracing(opentracing_grpc_endpoint="http://collector:4317"),
            {},
            "http://collector:4318/v1/traces",
        ),
        (
            Tracing(otlp_endpoint="http://a:1/"),
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b"},
            "http://a:1/v1/traces",
        ),
        (Tracing(), {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b/"}, "http://b/v1/traces"),
        (Tracing(), {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/x"}, "http://c/x"),
    ],
)
def test_the_endpoint_comes_from_document_or_variables(
    tracing: Tracing, env: dict[str, str], endpoint: str | None
) -> None:
    """Plano's gRPC address means the same host by HTTP."""
    assert _endpoint(tracing, env) == endpoint


@pytest.mark.parametrize(
    ("tracing", "env", "description"),
    [
        (Tracing(random_sampling=25), {}, "TraceIdRatioBased{0.25}"),
        (Tracing(), {}, "AlwaysOnSampler"),
        (Tracing(), {"OTEL_TRACES_SAMPLER": "always_off"}, "AlwaysOffSampler"),
        (
            Tracing(),
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"},
            "TraceIdRatioBased{0.1}",
        ),
        (
            Tracing(),
            {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"},
            "ParentBased{root:TraceIdRatioBased{0.5}",
        ),
        (Tracing(), {"OTEL_TRACES_SAMPLER": "nonsense"}, "AlwaysOnSampler"),
    ],
)
def test_the_sampler_comes_from_document_or_variables(
    tracing: Tracing, env: dict[str, str], description: str
) -> None:
    """Percent in the document, the standard names in the variables."""
    assert description in _sampler(tracing, env).get_description()


def test_a_protocol_we_do_not_speak_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """And metrics by OTLP likewise."""
    env = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_METRICS_EXPORTER": "otlp"}
    provider = tracer_provider(Tracing(otlp_endpoint="http://127.0.0.1:9"), env)
    assert provider is not None
    provider.shutdown()

    assert "grpc is not supported" in caplog.text
    assert "scrape /metrics" in caplog.text


def test_an_exporter_we_do_not_have_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """No spans go anywhere else without a word."""
    env = {"OTEL_TRACES_EXPORTER": "zipkin"}

    assert tracer_provider(Tracing(), env) is None
    assert "OTEL_TRACES_EXPORTER=zipkin is not supported" in caplog.text


def test_an_unsampled_parent_based_sampler_is_the_standard_one() -> None:
    """`parentbased_always_off` keeps what callers keep."""
    made = _sampler(Tracing(), {"OTEL_TRACES_SAMPLER": "parentbased_always_off"})

    assert isinstance(made, ParentBased)
    assert "AlwaysOffSampler" in made.get_description()  # type: ignore[no-untyped-call]
