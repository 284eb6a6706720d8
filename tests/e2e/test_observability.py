"""What an operator sees: the access log, the metrics, the traces, the admin listener."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import DOCUMENT
from tests.support import behaviours
from tests.support.collector import Collector
from tests.support.gateway import RunningGateway, free_port, run_gateway
from tests.support.provider import FakeProvider

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@dataclass(frozen=True, slots=True)
class Watched:
    """A gateway that exports its traces."""

    gateway: RunningGateway
    main: FakeProvider
    backup: FakeProvider
    collector: Collector
    http: httpx.AsyncClient


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started() -> AsyncGenerator[Watched]:
    """Start a gateway, its providers and a collector."""
    async with AsyncExitStack() as stack:
        main = await stack.enter_async_context(FakeProvider().serve())
        backup = await stack.enter_async_context(FakeProvider().serve())
        collector = await stack.enter_async_context(Collector().serve())
        env = {
            "MAIN_KEY": "sk-main",
            "BACKUP_KEY": "sk-backup",
            "MAIN_URL": main.url,
            "BACKUP_URL": backup.url,
            "REFUSED_URL": f"http://127.0.0.1:{free_port()}/v1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_SERVICE_NAME": "gateway-under-test",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        gateway = await stack.enter_async_context(run_gateway(DOCUMENT, env))
        http = httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=20)
        await stack.enter_async_context(http)
        yield Watched(gateway, main, backup, collector, http)


@pytest.fixture
def watched(started: Watched) -> Watched:
    """Return the running gateway with nothing scripted."""
    started.main.reset()
    started.backup.reset()
    return started


async def samples(watched: Watched) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Scrape the metrics; the parser refuses what Prometheus would refuse."""
    text = (await watched.http.get(f"{watched.gateway.admin_url}/metrics")).text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_every_exchange_has_one_line(watched: Watched) -> None:
    """Served, refused and failed exchanges have one line of JSON each, with who and how."""
    for number, model in enumerate(["main", "none-such"]):
        await watched.http.post(
            CHAT, json={"model": model}, headers={"x-request-id": f"line-{number}"}
        )
    served = json.loads(await watched.gateway.line_with('"line-0"'))
    refused = json.loads(await watched.gateway.line_with('"line-1"'))

    assert served["status"] == 200
    assert served["model"] == "openai/main"
    assert served["attempts"][0]["model"] == "openai/main"
    assert served["usage"] == {"input": 5, "output": 4}
    assert any("served by openai/main" in decision for decision in served["decisions"])
    assert (refused["status"], refused["error"]) == (404, "model_not_found")
    assert sum('"line-0"' in line for line in watched.gateway.stdout) == 1


async def test_a_client_that_leaves_is_in_the_log(watched: Watched) -> None:
    """The line says that the client left, and how many bytes it had by then."""
    watched.main.script(behaviours.endless())
    headers = {"x-request-id": "left-early"}
    body = {"model": "main", "stream": True}
    async with watched.http.stream("POST", CHAT, json=body, headers=headers) as answer:
        chunks = answer.aiter_raw()
        await anext(chunks)
    line = json.loads(await watched.gateway.line_with("left-early"))

    assert line["disconnected"] is True
    assert line["bytes_sent"] > 0


async def test_metrics_count_tries_and_fallbacks(watched: Watched) -> None:
    """A fallback after two 429s is three tries, one retry, one failover."""
    before = await samples(watched)
    watched.main.default = behaviours.status(429)
    await watched.http.post(CHAT, json={"model": "main"}, headers={"x-request-id": "counted"})
    await watched.gateway.line_with("counted")
    after = await samples(watched)

    def grown(name: str, **labels: str) -> float:
        key = (name, frozenset(labels.items()))
        return after.get(key, 0) - before.get(key, 0)

    assert grown("plano_upstream_attempts_total", target="openai/main", reason="429") == 2
    assert grown("plano_upstream_attempts_total", target="groq/backup", reason="served") == 1
    assert grown("plano_failovers_total", target="groq/backup") == 1
    assert (
        grown(
            "http_server_request_duration_seconds_count",
            http_request_method="POST",
            http_route=CHAT,
            http_response_status_code="200",
        )
        == 1
    )


async def test_the_metrics_have_their_names(watched: Watched) -> None:
    """The names that dashboards are built on are there."""
    await watched.http.post(CHAT, json={"model": "main"}, headers={"x-request-id": "named"})
    await watched.gateway.line_with('"named"')
    names = {name for name, _ in await samples(watched)}

    assert names >= {
        "gen_ai_client_operation_duration_seconds_bucket",
        "gen_ai_client_token_usage_bucket",
        "gen_ai_client_operation_time_to_first_chunk_seconds_bucket",
        "gen_ai_server_request_duration_seconds_bucket",
        "gen_ai_server_time_to_first_token_seconds_bucket",
        "http_server_request_duration_seconds_bucket",
        "plano_filter_duration_seconds_bucket",
        "plano_overhead_seconds_bucket",
        "plano_inflight",
        "plano_streams_open",
        "plano_build_info",
    }


async def test_no_label_is_a_clients_text(watched: Watched) -> None:
    """Names that clients make up do not become label values: the series would have no end."""
    for number in range(3):
        await watched.http.post(f"/v1/made-up-{number}", json={"model": f"made-up-{number}"})
        await watched.http.post(CHAT, json={"model": f"made-up-{number}"})
    await watched.http.request("MADEUP", CHAT, headers={"x-request-id": "odd-method"})
    await watched.gateway.line_with("odd-method")

    labels = {value for _, pairs in await samples(watched) for _, value in pairs}
    assert not [label for label in labels if "made-up" in label or label == "MADEUP"]


async def test_the_gauges_return_to_zero(watched: Watched) -> None:
    """After a stream that was left, nothing is counted as running."""
    watched.main.script(behaviours.endless())
    headers = {"x-request-id": "gauge"}
    body = {"model": "main", "stream": True}
    async with watched.http.stream("POST", CHAT, json=body, headers=headers) as answer:
        chunks = answer.aiter_raw()
        await anext(chunks)
        during = await samples(watched)
    await watched.gateway.line_with('"gauge"')
    after = await samples(watched)

    empty: frozenset[tuple[str, str]] = frozenset()
    assert (during["plano_inflight", empty], during["plano_streams_open", empty]) == (1, 1)
    assert (after["plano_inflight", empty], after["plano_streams_open", empty]) == (0, 0)


async def test_a_trace_continues_the_callers_and_shows_the_tries(watched: Watched) -> None:
    """One SERVER span under the caller's, one CLIENT span of the operation, one for each try."""
    watched.main.default = behaviours.status(500)
    await watched.http.post(
        CHAT,
        json={"model": "main", "temperature": 0.5},
        headers={"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "traced"},
    )
    spans = await watched.collector.trace(TRACE, spans=6)
    root = next(span for span in spans if span.kind == 2)
    operation = next(span for span in spans if span.name.startswith("chat "))
    tries = [span for span in spans if span.name == "POST"]
    chain = next(span for span in spans if span.name == "plano.filter_chain")

    assert (root.name, root.parent_id) == (f"POST {CHAT}", PARENT)
    assert root.resource["service.name"] == "gateway-under-test"
    assert root.attributes["http.response.status_code"] == 200
    assert root.attributes["plano.request.id"] == "traced"
    assert operation.parent_id == root.span_id
    assert operation.kind == 3
    assert operation.attributes["gen_ai.operation.name"] == "chat"
    assert operation.attributes["gen_ai.request.temperature"] == 0.5
    assert operation.attributes["gen_ai.usage.input_tokens"] == 5
    assert [span.parent_id for span in tries] == [operation.span_id] * 3
    assert [span.attributes["http.response.status_code"] for span in tries] == [500, 500, 200]
    assert [span.attributes.get("http.request.resend_count") for span in tries] == [None, 1, 2]
    filters = [about["plano.filter.name"] for name, about in chain.events if name == "plano.filter"]
    assert filters == ["alias", "upstream"]


async def test_a_trace_that_the_caller_does_not_sample_is_not_exported(watched: Watched) -> None:
    """The caller's decision is honoured; the next, sampled, trace proves that time has passed."""
    unsampled, sampled = "1" * 32, "2" * 32
    for trace, flag in ((unsampled, "00"), (sampled, "01")):
        headers = {"traceparent": f"00-{trace}-{PARENT}-{flag}"}
        await watched.http.post(CHAT, json={"model": "main"}, headers=headers)
    await watched.collector.trace(sampled, spans=4)

    assert all(span.trace_id != unsampled for span in watched.collector.spans)


async def test_no_trace_context_goes_to_a_provider(watched: Watched) -> None:
    """Unless it is asked for, providers learn nothing of the caller's traces."""
    headers = {"traceparent": f"00-{'3' * 32}-{PARENT}-01", "tracestate": "a=b", "baggage": "c=d"}
    await watched.http.post(CHAT, json={"model": "main"}, headers=headers)

    assert not {"traceparent", "tracestate", "baggage"} & set(watched.main.requests[0].headers)


async def test_the_admin_listener_tells_the_chain(watched: Watched) -> None:
    """Health, readiness, chain and document are on the admin listener; the data port has none."""
    admin = watched.gateway.admin_url
    pages = await asyncio.gather(
        *(watched.http.get(f"{admin}{path}") for path in ("/healthz", "/readyz", "/-/filters"))
    )

    assert [page.status_code for page in pages] == [200, 200, 200]
    assert [link["id"] for link in pages[2].json()["filters"]] == ["alias", "upstream"]
    for path in ("/metrics", "/-/config", "/-/filters", "/-/reload", "/readyz"):
        assert (await watched.http.get(path)).status_code == 404
