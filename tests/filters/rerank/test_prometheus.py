"""Latencies from Prometheus: its answers, and a real one that scrapes a small exporter."""

from __future__ import annotations

from pathlib import Path

import pytest

from plano_builtin_filters.rerank import Rerank, RerankConfig, prometheus
from plano_filters import Candidates, Exchange, Route
from plano_filters.testing import exercise, make_exchange
from tests.support.catalogs import (
    CLAUDE,
    GPT,
    LLAMA,
    MINI,
    StepClock,
    bytes_of,
    real_context,
    sources,
)
from tests.support.prometheus import PROGRAM, run_prometheus


def fastest(*models: str) -> Exchange:
    facts = [Candidates(models, "x", explicit=True), Route("a", 0.9, models, "fastest")]
    return make_exchange({"messages": []}, facts=facts)


@pytest.mark.skipif(PROGRAM is None, reason="prometheus is not installed")
async def test_the_fastest_comes_first_as_prometheus_sees_it(tmp_path: Path) -> None:
    """By the query's value; new values are taken up, and the last ones outlive Prometheus."""
    clock = StepClock()
    values = {GPT: 1.2, MINI: 0.4, CLAUDE: 0.85}
    async with run_prometheus(tmp_path, values) as server:
        declared = {
            "type": "latency", "provider": "prometheus", "url": server.url,
            "query": f'{server.metric}{{job="models"}}', "refresh_interval": 10,
        }  # fmt: skip
        async with real_context(sources(declared), clock) as context:
            rerank = Rerank(RerankConfig(), context)
            async with rerank.lifespan():
                await clock.asleep()
                before = fastest(GPT, CLAUDE, MINI)
                await exercise(rerank, before)
                server.values[GPT] = 0.1
                await server.scraped()
                await clock.next()
                after = fastest(GPT, CLAUDE, MINI)
                await exercise(rerank, after)
                server.process.terminate()
                await server.process.wait()
                await clock.next()
                down = fastest(CLAUDE, MINI, GPT)
                await exercise(rerank, down)

    assert before.state[Candidates].models == (MINI, CLAUDE, GPT)
    assert before.decisions[0].text == (
        f"fastest: {MINI} 0.4, {CLAUDE} 0.85, {GPT} 1.2 (prometheus, 0 s old)"
    )
    assert after.state[Candidates].models == (GPT, MINI, CLAUDE)
    assert down.state[Candidates].models == (GPT, MINI, CLAUDE)
    assert down.decisions[0].data["age_seconds"] == pytest.approx(10, abs=1.1)


def test_prometheus_has_a_row_for_each_model() -> None:
    """Rows without a number or without the label are left out."""
    row = [1700000000.0, "0.85"]
    result = [
        {"metric": {"model_name": GPT}, "value": row},
        {"metric": {"model_name": "claude-haiku-4-5"}, "value": [1700000000.0, "1.2"]},
        {"metric": {"model_name": MINI}, "value": [1700000000.0, "NaN"]},
        {"metric": {"model": "x"}, "value": row},
        {"metric": {"model_name": LLAMA}},
        None,
    ]
    answer = {"status": "success", "data": {"resultType": "vector", "result": result}}
    found = prometheus.parse(bytes_of(answer))

    assert [found.find(name) for name in (GPT, CLAUDE, MINI, LLAMA)] == [0.85, 1.2, None, None]
    assert len(found) == 2


def test_the_query_is_escaped() -> None:
    """It is PromQL, and holds whatever it likes."""
    assert prometheus.address("http://p:9090/x/", 'a{b="c"} & d') == (
        "http://p:9090/x/api/v1/query?query=a%7Bb%3D%22c%22%7D%20%26%20d"
    )


@pytest.mark.parametrize(
    "text",
    [
        b"", b"<html>", b"[]", b"null", b'{"status": "success", "data": {"result": []}}',
        b'{"data": {"result": 1}}', b'{"status": "error", "errorType": "bad_data"}',
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused(text: bytes) -> None:
    """So that it never replaces one."""
    with pytest.raises(ValueError):
        prometheus.parse(text)
