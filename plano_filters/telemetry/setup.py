"""The tracer, from the standard `OTEL_*` variables and the document's `tracing:`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)

from plano_filters.config.document import Tracing
from plano_filters.telemetry import names

log = logging.getLogger(__name__)

FLUSH_SECONDS: Final = 3.0
"""For the last spans at the end. The SDK's own shutdown waits 30 s for a collector that is gone."""
_TRACES_PATH: Final = "/v1/traces"


def tracer_provider(tracing: Tracing, env: Mapping[str, str]) -> TracerProvider | None:
    """Return a provider with an exporter, or None where no spans are wanted.

    An exporter is made only where an endpoint is given, or `OTEL_TRACES_EXPORTER` asks for one: a
    default address with nobody there would log errors for ever.
    """
    if env.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    exporter = _exporter(tracing, env)
    if exporter is None:
        return None
    if "otlp" in env.get("OTEL_METRICS_EXPORTER", ""):
        log.warning("OTEL_METRICS_EXPORTER=otlp is not supported; scrape /metrics instead")
    attributes = {SERVICE_NAME: env.get("OTEL_SERVICE_NAME") or names.SERVICE}
    provider = TracerProvider(
        sampler=_sampler(tracing, env),
        resource=Resource.create(attributes),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def flush(provider: TracerProvider, seconds: float = FLUSH_SECONDS) -> None:
    """Export what is left and stop, within a limit. Blocks: call it in a thread."""
    worker = threading.Thread(target=provider.shutdown, name="flush-spans", daemon=True)
    worker.start()
    worker.join(seconds)
    if worker.is_alive():
        log.warning("the last spans could not be exported within %g s", seconds)


def _exporter(tracing: Tracing, env: Mapping[str, str]) -> SpanExporter | None:
    wanted = env.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if wanted == "none" or tracing.random_sampling == 0:
        return None
    if wanted == "console":
        return ConsoleSpanExporter()
    if wanted not in ("", "otlp"):
        log.warning("OTEL_TRACES_EXPORTER=%s is not supported; spans go by OTLP only", wanted)
    endpoint = _endpoint(tracing, env)
    if endpoint is None and wanted != "otlp":
        return None
    protocol = env.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or env.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL"
    )
    if protocol not in (None, "", "http/protobuf"):
        log.warning("OTLP protocol %s is not supported; spans go by http/protobuf", protocol)
    # Imported late: it brings protobuf and requests, and most gateways run without a collector.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    return OTLPSpanExporter(endpoint=endpoint)


def _endpoint(tracing: Tracing, env: Mapping[str, str]) -> str | None:
    exact = env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if tracing.otlp_endpoint is not None:
        return tracing.otlp_endpoint.rstrip("/") + _TRACES_PATH
    if tracing.opentracing_grpc_endpoint is not None:
        host = urlsplit(tracing.opentracing_grpc_endpoint).hostname
        return f"http://{host}:4318{_TRACES_PATH}"
    if exact:
        return exact
    base = env.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    return base.rstrip("/") + _TRACES_PATH if base else None


def _sampler(tracing: Tracing, env: Mapping[str, str]) -> Sampler:
    """Return the sampler; a caller's own decision is honoured by the `parentbased` ones."""
    if tracing.random_sampling is not None:
        return ParentBased(TraceIdRatioBased(tracing.random_sampling / 100))
    name = env.get("OTEL_TRACES_SAMPLER", "parentbased_always_on").strip().lower()
    try:
        ratio = min(1.0, max(0.0, float(env.get("OTEL_TRACES_SAMPLER_ARG", "1"))))
    except ValueError:
        log.warning("OTEL_TRACES_SAMPLER_ARG is no number; every trace is kept")
        ratio = 1.0
    roots: dict[str, Sampler] = {
        "always_on": ALWAYS_ON,
        "always_off": ALWAYS_OFF,
        "traceidratio": TraceIdRatioBased(ratio),
    }
    root = roots.get(name.removeprefix("parentbased_"))
    if root is None:
        log.warning("OTEL_TRACES_SAMPLER=%s is not known; every trace is kept", name)
        return ParentBased(ALWAYS_ON)
    return ParentBased(root) if name.startswith("parentbased_") else root
