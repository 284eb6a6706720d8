"""Latencies from a real Prometheus that scrapes a small exporter."""

from __future__ import annotations

from pathlib import Path

import pytest

from plano_builtin_filters.rerank import Rerank, RerankConfig
from plano_filters import Candidates, Exchange, Route
from plano_filters.testing import exercise, make_exchange
from tests.filters.rerank.stand import CLAUDE, GPT, MINI, StepClock, real_context, sources
from tests.support.prometheus import PROGRAM, run_prometheus

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="prometheus is not installed")


def fastest(*models: str) -> Exchange:
    facts = [Candidates(models, "x", explicit=True), Route("a", 0.9, models, "fastest")]
    return make_exchange({"messages": []}, facts=facts)


async def test_the_fastest_comes_first_as_prometheus_sees_it(tmp_path: Path) -> None:
    """By the query's value; new values are taken up, and the last ones outlive Prometheus."""
    clock = StepClock()
    values = {GPT: 1.2, MINI: 0.4, CLAUDE: 0.85}
    async with run_prometheus(tmp_path, values) as prometheus:
        declared = {
            "type": "latency", "provider": "prometheus", "url": prometheus.url,
            "query": f'{prometheus.metric}{{job="models"}}', "refresh_interval": 10,
        }  # fmt: skip
        async with real_context(sources(declared), clock) as context:
            rerank = Rerank(RerankConfig(), context)
            async with rerank.lifespan():
                await clock.asleep()
                before = fastest(GPT, CLAUDE, MINI)
                await exercise(rerank, before)
                prometheus.values[GPT] = 0.1
                await prometheus.scraped()
                await clock.next()
                after = fastest(GPT, CLAUDE, MINI)
                await exercise(rerank, after)
                prometheus.process.terminate()
                await prometheus.process.wait()
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
