"""What `explain` says is what the gateway does: on every example, for every kind of request."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from plano_filters.app import Service
from plano_filters.config import Loaded, load_text
from plano_filters.exchange import Decision, Exchange, Outcome
from plano_filters.explain import Explanation, request_of
from plano_filters.jsonbody import encode
from plano_filters.models import ModelIndex
from tests.support import requests
from tests.support.examples import CONFIGS, EXAMPLES, example
from tests.support.provider import FakeProvider
from tests.support.redis import redis_server
from tests.support.requests import Sent
from tests.support.serving import serve

RICH = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers:
  - {model: openai/gpt-4o, access_key: sk-a, base_url: PROVIDER, default: true}
  - {model: openai/gpt-4o-mini, access_key: sk-a, base_url: PROVIDER}
  - {model: openai/gpt-3.5-turbo, access_key: sk-a, base_url: PROVIDER}
  - {model: anthropic/claude-haiku-4-5, access_key: sk-a, base_url: PROVIDER}
  - {model: "groq/*", access_key: sk-a, base_url: PROVIDER}
model_aliases: {fast-model: {target: gpt-4o-mini}}
routing: ROUTING
routing_preferences:
  - name: code generation
    description: writing new functions, scripts, tests or boilerplate
    models: [openai/gpt-4o, openai/gpt-4o-mini, anthropic/claude-haiku-4-5]
    selection_policy: {prefer: cheapest}
  - name: quick answers
    description: short factual questions about the world
    models: [openai/gpt-4o-mini, openai/gpt-3.5-turbo]
    selection_policy: {prefer: fastest}
filters:
  - alias
  - affinity
  - classify: {deadline: 60s, min_confidence: 0.6}
  - rerank: {explore: 0}
  - upstream: {attempts: 1}
"""
VARYING = re.compile(r"remembered|[\d.]+ (?:ms|s|min|h|d)\b")
"""What of a sentence is time."""
TIMES = frozenset({"seconds", "age_seconds", "figures"})
"""What of a decision's data is."""


@dataclass(frozen=True, slots=True)
class Stand:
    """A gateway in this process, on a real socket."""

    service: Service
    http: httpx.AsyncClient
    seen: list[Exchange]
    """Exchanges that have ended."""

    async def explain(self, sent: Sent, prefix: str = "") -> Explanation:
        """Ask what would be done."""
        asked = request_of(encode(sent.body), path=prefix + sent.path, headers=sent.headers)
        return await self.service.explain(asked)

    async def post(self, sent: Sent, prefix: str = "") -> tuple[httpx.Response, Exchange]:
        """Do it; returns the answer, and what the gateway saw."""
        before = len(self.seen)
        answer = await self.http.post(prefix + sent.path, json=sent.body, headers=sent.headers)
        while len(self.seen) == before:  # an exchange ends just after its last byte
            await self.http.get("/healthz")
        return answer, self.seen[-1]

    @property
    def names(self) -> list[str]:
        """What clients may call the models."""
        index = ModelIndex.of(self.service.loaded.document)
        bare = [model.partition("/")[2] for model in index.concrete]
        wild = [f"{one.provider}/some-model" for one in index.entries if one.wildcard]
        return [*index.concrete, *bare, *index.aliases, *wild]


@asynccontextmanager
async def standing(loaded: Loaded) -> AsyncGenerator[Stand]:
    """Serve a document."""
    seen: list[Exchange] = []

    def note(exchange: Exchange, outcome: Outcome) -> None:
        seen.append(exchange)

    loaded.report.raise_errors()
    service = Service(loaded, observers=[note])
    async with AsyncExitStack() as stack:
        host, port = await stack.enter_async_context(serve(service.app))
        http = httpx.AsyncClient(base_url=f"http://{host}:{port}", trust_env=False, timeout=60)
        yield Stand(service, await stack.enter_async_context(http), seen)


def told(decisions: Sequence[Decision], stand: Stand) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the decisions up to where a provider is asked, without what is time."""
    ends = {"decide", stand.service.gateway.chain.links[-1].id}
    end = next((n for n, one in enumerate(decisions) if one.filter in ends), len(decisions))
    return [
        (
            one.filter,
            VARYING.sub("", one.text),
            {name: value for name, value in one.data.items() if name not in TIMES},
        )
        for one in decisions[:end]
    ]


def foretold(found: Explanation, stand: Stand) -> list[tuple[str, str, dict[str, Any]]]:
    return told([one for step in found.steps for one in step.decisions], stand)


async def agree(stand: Stand, sent: Sent) -> str:
    """Check one request on both endpoints; returns what became of it."""
    said = await stand.explain(sent, "/routing")
    answer, exchange = await stand.post(sent, "/routing")
    assert foretold(said, stand) == told(exchange.decisions, stand), sent
    if said.verdict.result == "refused":
        assert (answer.status_code, said.verdict.code) == (said.verdict.status, code_of(answer))
    else:
        decided = answer.json()
        assert decided["models"] == list(said.verdict.decision), sent
        assert decided["route"] == said.verdict.route
        assert decided["confidence"] == said.verdict.confidence
        assert decided["pinned"] == said.verdict.pinned

    said = await stand.explain(sent)
    answer, exchange = await stand.post(sent)
    assert foretold(said, stand) == told(exchange.decisions, stand), sent
    if said.verdict.result == "refused":
        assert (answer.status_code, said.verdict.code) == (said.verdict.status, code_of(answer))
        return "refused"
    assert answer.status_code == 200, (sent, answer.text)
    assert answer.headers["x-plano-model"] == said.verdict.models[0], sent
    assert answer.headers.get("x-plano-route") == said.verdict.route, sent
    return said.verdict.route or ("pinned" if said.verdict.pinned else "asked")


def code_of(answer: httpx.Response) -> str:
    """Return the code of an error, in whatever dialect."""
    error = answer.json()["error"]
    code: str = error["code"] if "code" in error else error["details"]["error_code"]
    return code


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: str(file.relative_to(CONFIGS)))
async def test_every_example_does_what_explain_says(file: Path) -> None:
    """Model, route, errors and each decision, of ten requests to each configuration."""
    source = random.Random(file.name)
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(FakeProvider().serve())
        redis = ""
        if "redis" in file.read_text(encoding="utf-8"):
            redis = (await stack.enter_async_context(redis_server())).url
        loaded = example(file, provider.url, redis)
        stand = await stack.enter_async_context(standing(loaded))
        ends = [await agree(stand, requests.request(source, stand.names)) for _ in range(10)]

    assert set(ends) != {"refused"}


@pytest.mark.parametrize(
    "routing",
    [
        "{}",
        "{override_explicit: false, route_on_user_only: true}",
        "{routing_budget: {max_switch_spend_pct: 25}}",
    ],
)
async def test_two_hundred_requests_do_what_explain_says(routing: str) -> None:
    """Aliases, unknown models, three APIs, preferences in the body, images, tools, sessions."""
    source = random.Random(4)
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(FakeProvider().serve())
        text = RICH.replace("PROVIDER", provider.url).replace("ROUTING", routing)
        stand = await stack.enter_async_context(standing(load_text(text, env={})))
        ends = [await agree(stand, requests.request(source, stand.names)) for _ in range(200)]

    assert {"refused", "asked", "pinned", "programs", "quick answers"} <= set(ends)


async def test_explaining_keeps_nothing_and_asks_nobody() -> None:
    """A session is as new after it as before, and no provider has heard of it."""
    sent = Sent(
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": requests.PROMPTS[0]}]},
        {"x-model-affinity": "s"},
    )
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(FakeProvider().serve())
        text = RICH.replace("PROVIDER", provider.url).replace("ROUTING", "{}")
        stand = await stack.enter_async_context(standing(load_text(text, env={})))
        first, second = await stand.explain(sent), await stand.explain(sent)

        assert (first.verdict, provider.requests, stand.seen) == (second.verdict, [], [])
        assert not second.verdict.pinned
        await stand.post(sent)
        assert (await stand.explain(sent)).verdict.pinned
