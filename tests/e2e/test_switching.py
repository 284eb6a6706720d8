"""Sessions with a budget over real sockets: two gateways, one Redis, the bundled prices."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support import behaviours
from tests.support.answers import chat_document, chat_events, event
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.provider import FakeProvider
from tests.support.redis import RedisServer, redis_server

POET, TRANSLATOR = "openai/gpt-4o", "openai/gpt-4.1"
"""2.5 USD a million prompt tokens, 1.25 cached; and 2 USD, 0.5 cached."""
DOCUMENT = f"""\
version: v0.4.0
listeners: [{{type: model, name: egress, address: 127.0.0.1, port: 12000}}]
model_providers:
  - {{model: {POET}, access_key: sk-aaaaaaaa, base_url: $POET_URL, default: true}}
  - {{model: {TRANSLATOR}, access_key: sk-aaaaaaaa, base_url: $TRANSLATOR_URL}}
routing_preferences:
  - {{name: poems, description: "poems, rhymes and verses", models: [{POET}]}}
  - name: translation
    description: translating text from one language into another
    models: [{TRANSLATOR}]
routing:
  session_cache: {{type: redis, url: $REDIS_URL}}
  routing_budget: {{max_switch_spend_pct: 50}}
filters:
  - alias
  - affinity: {{deadline: 1s}}
  - classify: {{deadline: 60s}}  # a busy machine must not fail a test
  - rerank
  - upstream: {{attempts: 1}}
"""
POEM, TRANSLATE = "a poem about autumn leaves, please", "translate good morning into Spanish"
USAGE = {"prompt_tokens": 100_000, "completion_tokens": 10, "total_tokens": 100_010}
"""Reading that from the poet's cache costs 0.125 USD; moving to the translator costs 0.075."""


@dataclass(slots=True)
class Stand:
    """Gateways in front of the same two providers."""

    gateways: list[RunningGateway]
    poet: FakeProvider
    http: httpx.AsyncClient
    asked: int = 0

    async def ask(
        self, prompt: str, gateway: int = 0, *, stream: bool = False, session: str = "s"
    ) -> tuple[str, str, list[str]]:
        """Ask a gateway; returns who served, by which route, and what `affinity` decided."""
        self.asked += 1
        request_id = f"request-{self.asked}-"
        answer = await self.http.post(
            f"{self.gateways[gateway].url}/v1/chat/completions",
            json={
                "model": "auto",
                "stream": stream,
                "messages": [{"role": "user", "content": prompt}],
            },
            headers={"x-model-affinity": session, "x-request-id": request_id},
        )
        assert answer.status_code == 200, answer.text
        line = json.loads(await self.gateways[gateway].line_with(request_id))
        said = [text for text in line["decisions"] if text.startswith("affinity: ")]
        return (
            answer.headers["x-plano-model"],
            answer.headers["x-plano-route"],
            [text.removeprefix("affinity: ") for text in said],
        )

    async def switches(self, gateway: int = 0) -> dict[str, float]:
        """Return how often sessions moved or stayed, by the reason."""
        text = (await self.http.get(f"{self.gateways[gateway].admin_url}/metrics")).text
        lines = [one for one in text.splitlines() if one.startswith("plano_affinity_switches_t")]
        return {one.split('reason="')[1].split('"')[0]: float(one.split()[-1]) for one in lines}


@asynccontextmanager
async def standing(redis: RedisServer, gateways: int) -> AsyncGenerator[Stand]:
    """Start gateways and providers that count 100 000 prompt tokens."""
    async with AsyncExitStack() as stack:
        poet, translator = [
            await stack.enter_async_context(FakeProvider().serve()) for _ in range(2)
        ]
        document: dict[str, Any] = {**chat_document("m"), "usage": USAGE}
        poet.default = translator.default = behaviours.json(document)
        env = {"POET_URL": poet.url, "TRANSLATOR_URL": translator.url, "REDIS_URL": redis.url}
        started = [
            await stack.enter_async_context(run_gateway(DOCUMENT, env)) for _ in range(gateways)
        ]
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=60))
        yield Stand(started, poet, http)


async def test_two_gateways_keep_one_budget() -> None:
    """What one adds to it the other may spend; the record is Plano's, in Redis."""
    async with redis_server() as redis, standing(redis, 2) as stand:
        usage = {**json.loads(chat_events("m")[-2].removeprefix(b"data: ")), "choices": []}
        counted = event({**usage, "usage": USAGE})
        stand.poet.script(behaviours.sse([*chat_events("m")[:-1], counted, chat_events("m")[-1]]))
        model, route, said = await stand.ask(POEM, 0, stream=True)
        assert (model, route, said[0]) == (POET, "poems", "new session")

        model, route, said = await stand.ask(TRANSLATE, 1)
        assert (model, route) == (POET, "poems")
        assert said == [
            f"warm session, was at {POET}",
            (
                f"kept at {POET}: moving to {TRANSLATOR} would cost 0.075000 USD;"
                " 0.000000 of 0.062500 USD were spent"
            ),
        ]
        model, route, said = await stand.ask(TRANSLATE, 0)
        assert (model, route) == (TRANSLATOR, "translation")
        assert said[1] == (
            f"moves from {POET} to {TRANSLATOR} for 0.075000 USD;"
            " 0.000000 of 0.125000 USD were spent"
        )
        assert (await stand.ask(TRANSLATE, 1))[0] == TRANSLATOR

        keys = await redis.call("KEYS", "*")
        record = json.loads(await redis.call("GET", keys[0]))
        left = await redis.call("TTL", keys[0])
        assert await stand.switches(0) == {"within_cap": 1}
        assert await stand.switches(1) == {"over_cap": 1, "same_anchor": 1}

    assert keys == [b"plano:affinity:s#auto"]
    assert 590 < left <= 600
    [visit] = record["history"]
    told = {key: record[key] for key in ("anchor_model", "default_model", "route_name", "switches")}
    assert told == {
        "anchor_model": TRANSLATOR, "default_model": POET, "route_name": "translation",
        "switches": 1,
    }  # fmt: skip
    assert (record["cached_tokens"], visit["model"]) == (100_000, POET)
    assert abs(record["switch_spend_usd"] - 0.075) < 1e-9
    assert abs(record["baseline_usd"] - 0.375) < 1e-9


async def test_a_budget_outlives_redis() -> None:
    """While it is down, the gateway goes by what it knows itself, and no request fails."""
    async with redis_server() as redis, standing(redis, 1) as stand:
        assert (await stand.ask(POEM))[0] == POET
        await redis.stop()
        served = [(await stand.ask(TRANSLATE))[0] for _ in range(3)]
        model, _, said = await stand.ask(POEM, session="another")

        assert served == [POET, TRANSLATOR, TRANSLATOR]
        assert model == POET
        assert said[-1].startswith(f"pinned to {POET} here only: redis, ")


async def test_a_decision_is_under_the_budget_too() -> None:
    """The endpoint that only decides says whether a session was warm, and whether it moved."""
    async with redis_server() as redis, standing(redis, 1) as stand:
        found = []
        for prompt in (POEM, TRANSLATE, TRANSLATE):
            answer = await stand.http.post(
                f"{stand.gateways[0].url}/routing/v1/chat/completions",
                json={"model": "auto", "messages": [{"role": "user", "content": prompt}]},
                headers={"x-model-affinity": "s"},
            )
            told = answer.json()
            found.append((told["models"][0], told["route"], told["pinned"], told["switched"]))
            assert told["session_id"] == "s"
        served, _, said = await stand.ask(TRANSLATE)

        assert found == [
            (POET, "poems", False, False),
            (POET, "poems", True, False),
            (TRANSLATOR, "translation", True, True),
        ]
        assert stand.poet.requests == []
        assert (served, said[0]) == (TRANSLATOR, f"warm session, was at {TRANSLATOR}")


async def test_an_explanation_spends_nothing_and_is_true() -> None:
    """However often it is asked for, and until the session really moves."""
    async with redis_server() as redis, standing(redis, 1) as stand:
        await stand.ask(POEM)
        for _ in range(3):
            question = {
                "path": "/v1/chat/completions",
                "headers": {"x-model-affinity": "s"},
                "body": {"model": "auto", "messages": [{"role": "user", "content": TRANSLATE}]},
            }
            for _ in range(2):
                url = f"{stand.gateways[0].admin_url}/-/explain"
                explained = (await stand.http.post(url, json=question)).json()
            steps = [one for one in explained["steps"] if one["filter"] == "affinity"]
            told = [decision["text"] for one in steps for decision in one["decisions"]]
            model, route, said = await stand.ask(TRANSLATE)

            assert explained["verdict"]["models"][0] == model
            assert explained["verdict"]["route"] == route
            assert told == said[: len(told)]
        assert model == TRANSLATOR
