"""Exchanges as the gateway leaves them, for telemetry to read."""

from __future__ import annotations

import time
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from plano_filters.exchange import Exchange, Outcome, Timing
from plano_filters.facts import (
    Attempt,
    AttemptResult,
    Attempts,
    Candidates,
    Principal,
    ResponseInfo,
    Served,
    Usage,
)
from plano_filters.telemetry import Telemetry
from plano_filters.testing import make_exchange


def tracing(sampler: Sampler = ALWAYS_ON) -> tuple[TracerProvider, InMemorySpanExporter]:
    """Return a provider that keeps its spans."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


def served(**body: Any) -> Exchange:
    """Return an exchange that fell back once and was served, timings and decisions included."""
    headers = {"user-agent": "test/1", "x-acme-user-id": "u1", "x-other": "no"}
    exchange = make_exchange({"model": "fast", "temperature": 0.5, **body}, headers=headers)
    start = exchange.started
    exchange.timings += [
        Timing("auth", "request", "continue", start, 0.0001),
        Timing("alias", "request", "continue", start + 0.001, 0.0002),
        Timing("slow", "request", "skip", start + 0.002, 0.02, "OSError"),
        Timing("upstream", "request", "respond", start + 0.03, 0.3),
        Timing("auth", "response", "continue", start + 0.4, 0.0001),
    ]
    exchange.filter_id = "alias"
    exchange.decide("fast -> openai/gpt", requested="fast")
    first = Attempt(1, "openai/gpt", "openai")
    second = Attempt(2, "anthropic/claude", "anthropic")
    attempts = Attempts(
        [
            AttemptResult(first, 429, "status", start + 0.03, 0.1, "api.openai.com", 443),
            AttemptResult(second, 200, None, start + 0.15, 0.15, "api.anthropic.com", 443),
        ]
    )
    for fact in (
        attempts,
        Candidates(("openai/gpt", "anthropic/claude"), "fast", explicit=True),
        Served("anthropic/claude", "anthropic"),
        Principal("team-a"),
        Usage(input_tokens=12, output_tokens=9, cached_tokens=4),
        ResponseInfo("chatcmpl-1", "claude-x", ("stop",)),
    ):
        exchange.state.put(fact)
    exchange.clock_started = time.perf_counter() - 0.5
    exchange.head_sent = exchange.clock_started + 0.35
    return exchange


def finished(
    exchange: Exchange, outcome: Outcome | None = None, **options: Any
) -> InMemorySpanExporter:
    """Take an exchange through telemetry; return its spans."""
    provider, exporter = tracing()
    telemetry = Telemetry(tracer=provider.get_tracer("test"), env={}, **options)
    exchange.span = telemetry.begin(exchange.request, exchange.operation)
    telemetry.finish(exchange, outcome or Outcome(200, bytes_sent=10))
    return exporter
