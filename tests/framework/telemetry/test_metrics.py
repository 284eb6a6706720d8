"""Metrics: their names, their closed labels, their values."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator

import pytest

from plano_filters.exchange import Exchange, Outcome
from plano_filters.facts import Attempt, AttemptResult, Attempts, Candidates, Cost, Served
from plano_filters.messages import MutableHeaders, Response
from plano_filters.telemetry import Telemetry, render_metrics
from plano_filters.testing import make_exchange
from tests.framework.telemetry.exchanges import served

MODELS = ("openai/gpt", "anthropic/claude")


def rendered(telemetry: Telemetry) -> dict[str, float]:
    """Return the samples by name and labels."""
    text, _ = render_metrics(telemetry.meter)
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def recorded(*exchanges: tuple[Exchange, Outcome]) -> Telemetry:
    telemetry = Telemetry(models=MODELS, env={})
    for exchange, outcome in exchanges:
        exchange.span = telemetry.begin(exchange.request, exchange.operation)
        telemetry.finish(exchange, outcome)
    return telemetry


def test_an_exchange_is_counted_under_the_documented_names() -> None:
    """Durations, tokens, tries, fallbacks, skipped filters, overhead."""
    samples = rendered(recorded((served(), Outcome(200))))

    labels = (
        'gen_ai_operation_name="chat",gen_ai_provider_name="anthropic",'
        'gen_ai_request_model="anthropic/claude",gen_ai_response_model="anthropic/claude"'
    )
    assert samples[f'gen_ai_client_operation_duration_seconds_count{{error_type="",{labels}}}'] == 1
    assert samples[f'gen_ai_server_request_duration_seconds_count{{error_type="",{labels}}}'] == 1
    assert samples[f'gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type="input"}}'] == 12
    assert samples[f'gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type="output"}}'] == 9
    assert samples[f"gen_ai_server_time_to_first_token_seconds_count{{{labels}}}"] == 1
    assert samples['plano_upstream_attempts_total{reason="429",target="openai/gpt"}'] == 1
    assert samples['plano_upstream_attempts_total{reason="served",target="anthropic/claude"}'] == 1
    assert samples['plano_failovers_total{target="anthropic/claude"}'] == 1
    assert samples['plano_filter_skipped_total{error="OSError",filter="slow"}'] == 1
    assert samples["plano_overhead_seconds_count"] == 1
    assert samples["plano_overhead_seconds_sum"] == pytest.approx(0.1, abs=0.01)
    assert samples["plano_inflight"] == 0
    http = (
        'http_request_method="POST",http_response_status_code="200",'
        'http_route="/v1/chat/completions"'
    )
    assert samples[f"http_server_request_duration_seconds_count{{{http}}}"] == 1


def test_what_answers_cost_is_added_up() -> None:
    """By provider and model; what is not known is counted instead, with the reason."""
    paid, again, unpriced, silent = served(), served(), served(), make_exchange({"model": "gpt"})
    paid.state.put(Cost(0.25, "file", None))
    again.state.put(Cost(0.5, "file", None))
    attempt = AttemptResult(Attempt(1, "openai/gpt", "openai"), 200, None, 0, 0.1)
    silent.state.put(Attempts([attempt]))
    silent.state.put(Served("openai/gpt", "openai"))
    samples = rendered(recorded(*((one, Outcome(200)) for one in (paid, again, unpriced, silent))))

    claude = 'model="anthropic/claude",provider="anthropic"'
    assert samples[f"plano_cost_total{{{claude}}}"] == 0.75
    assert samples[f'plano_cost_unknown_total{{{claude},reason="price"}}'] == 1
    openai = 'model="openai/gpt",provider="openai",reason="usage"'
    assert samples[f"plano_cost_unknown_total{{{openai}}}"] == 1
    assert not any(name.startswith('plano_cost_total{model="openai') for name in samples)


def test_a_second_try_of_a_model_is_a_retry() -> None:
    """A first try of the next model is not."""
    exchange = make_exchange({"model": "gpt"})
    tries = [
        AttemptResult(Attempt(1, "openai/gpt", "openai"), None, "connect", 0, 0.1),
        AttemptResult(Attempt(2, "openai/gpt", "openai"), 200, None, 0, 0.1),
    ]
    exchange.state.put(Attempts(tries))
    exchange.state.put(Served("openai/gpt", "openai"))
    samples = rendered(recorded((exchange, Outcome(200))))

    assert samples['plano_upstream_retries_total{reason="served",target="openai/gpt"}'] == 1
    assert not any(name.startswith("plano_failovers_total{") for name in samples)


def test_names_a_client_makes_up_add_no_series() -> None:
    """Labels are closed sets, so nobody can fill the memory of a Prometheus."""
    telemetry = Telemetry(models=MODELS, env={})

    def ask(number: int) -> None:
        exchange = make_exchange({}, method=f"M{number}", path=f"/v1/{number}")
        exchange.state.put(Candidates((f"made/up-{number}",), f"up-{number}", explicit=True))
        exchange.state.put(
            Attempts([AttemptResult(Attempt(1, f"made/up-{number}", "made"), 500, "status", 0, 0)])
        )
        telemetry.begin(exchange.request, exchange.operation)
        telemetry.finish(exchange, Outcome(500))

    ask(0)
    before = len(rendered(telemetry))
    for number in range(1, 200):
        ask(number)

    assert len(rendered(telemetry)) == before


async def test_an_open_stream_is_seen() -> None:
    """A gauge says how many are being relayed; at the end the mean gaps are recorded."""

    async def body() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"data: x\n\n"

    telemetry = Telemetry(models=MODELS, env={})
    exchange = served()
    exchange.span = telemetry.begin(exchange.request, exchange.operation)
    response = Response(200, MutableHeaders({"content-type": "text/event-stream"}), body())
    telemetry.wrap(exchange, response)
    assert not isinstance(response.body, bytes)
    seen = [rendered(telemetry)["plano_streams_open"] async for _ in response.body]
    telemetry.finish(exchange, Outcome(200))

    samples = rendered(telemetry)
    assert seen == [1, 1, 1]
    assert samples["plano_streams_open"] == 0
    assert any(
        n.startswith("gen_ai_client_operation_time_per_output_chunk_seconds_count") for n in samples
    )
    assert any(n.startswith("gen_ai_server_time_per_output_token_seconds_count") for n in samples)


def test_promtool_finds_nothing_to_say() -> None:
    """Units and suffixes are as Prometheus wants them."""
    if shutil.which("promtool") is None:
        assert not os.environ.get("CI"), "promtool is missing: apt-get install prometheus"
        pytest.skip("promtool is missing: apt-get install prometheus")
    text, _ = render_metrics(recorded((served(), Outcome(200))).meter)

    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
    )

    assert checked.stderr == b""


def test_what_fails_while_recording_does_not_reach_the_exchange() -> None:
    """An observer that raises is logged; the others were called before it."""
    calls: list[str] = []

    def broken(*_: object) -> None:
        calls.append("called")
        raise RuntimeError("no disk")

    telemetry = Telemetry(env={}, observers=[broken])
    exchange = make_exchange({})
    telemetry.begin(exchange.request, exchange.operation)

    telemetry.finish(exchange, Outcome(200))

    assert calls == ["called"]
