"""Routes whose models are ordered, over real sockets: a catalogue that fails, times that differ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support import behaviours
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.provider import FakeProvider, Reply, echo

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENT = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers:
  - {model: openai/dear, access_key: sk-aaaaaaaa, base_url: $DEAR_URL, default: true}
  - {model: openai/cheap, access_key: sk-aaaaaaaa, base_url: $CHEAP_URL}
routing_preferences:
  - name: poems
    description: poems, rhymes and verses
    models: [openai/dear, openai/cheap]
    selection_policy: {prefer: cheapest}
  - name: translation
    description: translating text from one language into another
    models: [openai/dear, openai/cheap]
    selection_policy: {prefer: fastest}
model_metrics_sources:
  - {type: cost, provider: models.dev, url: $CATALOG_URL, refresh_interval: 1}
filters:
  - alias
  - classify: {deadline: 60s}  # a busy machine must not fail a test
  - rerank: {min_samples: 1, explore: 1}  # each model is measured at the first opportunity
  - upstream: {attempts: 1}
"""
CATALOG = {
    "openai": {
        "models": {
            "dear": {"cost": {"input": 10, "output": 30}},
            "cheap": {"cost": {"input": 0.1, "output": 0.3}},
        }
    }
}
POEM = "a poem about autumn leaves, please"
TRANSLATE = "translate good morning into Spanish"


@dataclass(frozen=True, slots=True)
class Stand:
    """A gateway that orders models, its providers and its catalogue."""

    gateway: RunningGateway
    catalog: FakeProvider
    dear: FakeProvider
    http: httpx.AsyncClient

    async def served_by(self, prompt: str) -> str:
        """Ask a question; return the model that answered."""
        body = {"messages": [{"role": "user", "content": prompt}], "model": "dear"}
        answer = await self.http.post(f"{self.gateway.url}/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-plano-model"]

    async def cost(self) -> dict[str, Any]:
        """Return what the admin listener says of the prices."""
        answer = await self.http.get(f"{self.gateway.admin_url}/-/sources")
        found: dict[str, Any] = answer.json()["sources"]["rerank"]["cost"]
        return found

    async def until(self, key: str, *, there: bool) -> dict[str, Any]:
        """Wait until the catalogue's state has, or has not, something under a key."""
        async with asyncio.timeout(20):
            while True:
                state: dict[str, Any] = (await self.cost())["sources"][-1]
                if bool(state[key]) is there:
                    return state
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand() -> AsyncGenerator[Stand]:
    """Start everything, once."""
    async with AsyncExitStack() as stack:
        dear, cheap, catalog = [
            await stack.enter_async_context(FakeProvider().serve()) for _ in range(3)
        ]
        catalog.default = behaviours.json(CATALOG)
        env = {"DEAR_URL": dear.url, "CHEAP_URL": cheap.url, "CATALOG_URL": catalog.url}
        gateway = await stack.enter_async_context(run_gateway(DOCUMENT, env))
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=60))
        yield Stand(gateway, catalog, dear, http)


async def test_prices_outlive_their_catalogue(stand: Stand) -> None:
    """The cheapest answers, also when the catalogue says 500, and its state says so."""
    await stand.until("entries", there=True)
    assert await stand.served_by(POEM) == "openai/cheap"

    stand.catalog.default = behaviours.status(500)
    state = await stand.until("error", there=True)

    assert state["error"] == "answered 500"
    assert (await stand.cost())["used"] == "models.dev"
    assert await stand.served_by(POEM) == "openai/cheap"
    line = await stand.gateway.line_with("cheapest: openai/cheap 0.4 USD/M, openai/dear 40 USD/M")
    assert "models.dev" in line
    metrics = (await stand.http.get(f"{stand.gateway.admin_url}/metrics")).text
    assert 'plano_source_age_seconds{source="models.dev"}' in metrics
    assert 'plano_source_refreshes_total{result="failed",source="models.dev"}' in metrics

    stand.catalog.default = behaviours.json(CATALOG)
    await stand.until("error", there=False)


async def test_the_gateway_measures_who_is_fast(stand: Stand) -> None:
    """After one answer of each the faster one comes first."""

    async def slowly(reply: Reply) -> None:
        await asyncio.sleep(0.3)
        await echo(reply)

    stand.dear.default = slowly
    served = [await stand.served_by(TRANSLATE) for _ in range(4)]

    assert set(served) == {"openai/dear", "openai/cheap"}
    assert served[2:] == ["openai/cheap"] * 2
    await stand.gateway.line_with("fastest: openai/cheap 0.")
