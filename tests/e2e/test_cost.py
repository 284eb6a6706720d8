"""What answers cost, over real sockets: every dialect, plain and streamed, known and unknown."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from tests.support import behaviours
from tests.support.answers import (
    chat_document,
    chat_events,
    event,
    message_document,
    message_events,
    response_document,
    response_events,
)
from tests.support.collector import Collector
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.provider import FakeProvider, Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENT = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers:
  - {model: openai/priced, access_key: sk-aaaaaaaa, base_url: $URL, default: true}
  - {model: openai/unpriced, access_key: sk-aaaaaaaa, base_url: $URL}
  - {model: openai/failing, access_key: sk-aaaaaaaa, base_url: $FAILING_URL}
  - {model: openai/embedder, access_key: sk-aaaaaaaa, base_url: $URL}
  - {model: anthropic/claude, access_key: sk-aaaaaaaa, base_url: $URL}
  - {model: vllm/own, base_url: $URL}
model_aliases: {first: {target: failing}}
model_metrics_sources:
  - {type: cost, provider: file, url: $PRICES}
filters:
  - alias: {fallback: [default]}
  - upstream: {attempts: 1}
"""
PRICES = {
    "models": {
        "openai/priced": {"input": 3, "output": 15, "cache_read": 0.3},
        "openai/failing": {"input": 1000, "output": 1000},
        "openai/embedder": {"input": 0.02, "output": 0},
        "anthropic/claude": {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75},
    }
}
CHAT = {
    "prompt_tokens": 150, "completion_tokens": 10, "total_tokens": 160,
    "prompt_tokens_details": {"cached_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 6},
}  # fmt: skip
RESPONSES = {
    "input_tokens": 150, "output_tokens": 10, "total_tokens": 160,
    "input_tokens_details": {"cached_tokens": 30},
    "output_tokens_details": {"reasoning_tokens": 6},
}  # fmt: skip
MESSAGES = {
    "input_tokens": 100, "output_tokens": 10, "cache_read_input_tokens": 30,
    "cache_creation_input_tokens": 20,
}  # fmt: skip
OPENAI_USD = (120 * 3 + 30 * 0.3 + 10 * 15) / 1e6
CLAUDE_USD = (100 * 3 + 30 * 0.3 + 20 * 3.75 + 10 * 15) / 1e6
PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
    "embeddings": "/v1/embeddings",
}


@dataclass
class Stand:
    """A gateway with prices, its provider, and what it tells."""

    gateway: RunningGateway
    provider: FakeProvider
    failing: FakeProvider
    collector: Collector
    http: httpx.AsyncClient
    asked: int = 0

    async def ask(
        self, endpoint: str, model: str, *, stream: bool = False
    ) -> tuple[httpx.Response, dict[str, Any]]:
        """Ask once; return the answer and its line of the access log."""
        self.asked += 1
        name = f"cost-{self.asked}-"
        body = {"model": model, "messages": [], "input": "hello", "max_tokens": 9, "stream": stream}
        if endpoint in ("responses", "embeddings"):
            del body["messages"], body["max_tokens"]
        headers = {"x-request-id": name}
        answer = await self.http.post(
            f"{self.gateway.url}{PATHS[endpoint]}", json=body, headers=headers
        )
        return answer, json.loads(await self.gateway.line_with(name))

    async def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        text = (await self.http.get(f"{self.gateway.admin_url}/metrics")).text
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stand]:
    """Start everything, once, and wait until the prices were read."""
    path = tmp_path_factory.mktemp("prices") / "prices.json"
    path.write_text(json.dumps(PRICES))
    async with AsyncExitStack() as stack:
        provider, failing = [
            await stack.enter_async_context(FakeProvider().serve()) for _ in range(2)
        ]
        collector = await stack.enter_async_context(Collector().serve())
        env = {
            "URL": provider.url, "FAILING_URL": failing.url, "PRICES": str(path),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50",
        }  # fmt: skip
        gateway = await stack.enter_async_context(run_gateway(DOCUMENT, env))
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=20))
        async with asyncio.timeout(20):
            while True:
                state = (await http.get(f"{gateway.admin_url}/-/sources")).json()
                if state["sources"]["upstream"]["cost"]["used"] == "file":
                    break
                await asyncio.sleep(0.05)
        yield Stand(gateway, provider, failing, collector, http)


@pytest.fixture
def stand(running: Stand) -> Stand:
    """Return the running stand with nothing scripted."""
    running.provider.reset()
    running.failing.reset()
    return running


def plain(endpoint: str) -> dict[str, Any]:
    """Return an answer with tokens."""
    made: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "chat": (chat_document("priced"), CHAT),
        "messages": (message_document("claude"), MESSAGES),
        "responses": (response_document("priced"), RESPONSES),
    }
    document, usage = made[endpoint]
    return {**document, "usage": usage}


def streamed(endpoint: str) -> list[bytes]:
    """Return the same answer as events, with its tokens where the dialect has them."""
    if endpoint == "chat":
        *events, done = chat_events("priced")
        return [*events, event({"choices": [], "usage": CHAT}), done]
    if endpoint == "responses":
        *events, _ = response_events("priced")
        last = {"type": "response.completed", "response": plain("responses")}
        return [*events, event(last, "response.completed")]
    begun = {**plain("messages"), "content": [], "stop_reason": None}
    begun["usage"] = {**MESSAGES, "output_tokens": 1}
    _, *middle, _, stop = message_events("claude")
    ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn"},
             "usage": {"output_tokens": 10}}  # fmt: skip
    start = event({"type": "message_start", "message": begun}, "message_start")
    return [start, *middle, event(ended, "message_delta"), stop]


MODELS = {"chat": "openai/priced", "responses": "openai/priced", "messages": "anthropic/claude"}
USD = {"chat": OPENAI_USD, "responses": OPENAI_USD, "messages": CLAUDE_USD}


@pytest.mark.parametrize("endpoint", MODELS)
async def test_a_plain_answer_says_what_it_cost(stand: Stand, endpoint: str) -> None:
    """In a header, without an exponent; the log says the same, with the source of the price."""
    stand.provider.script(behaviours.json(plain(endpoint)))
    answer, line = await stand.ask(endpoint, MODELS[endpoint])

    told = answer.headers["x-plano-cost-usd"]
    assert re.fullmatch(r"0\.\d+", told)
    assert float(told) == pytest.approx(USD[endpoint])
    assert line["cost"]["usd"] == pytest.approx(USD[endpoint])
    assert line["cost"]["source"] == "file"
    assert line["cost"]["age_s"] >= 0
    assert "whole" not in line["cost"]


@pytest.mark.parametrize("endpoint", MODELS)
async def test_a_stream_costs_what_the_plain_answer_costs(stand: Stand, endpoint: str) -> None:
    """It is known at the end only, so no header tells it; log and metrics do."""
    model = MODELS[endpoint]
    provider = model.partition("/")[0]
    key = ("plano_cost_total", frozenset({("provider", provider), ("model", model)}))
    before = (await stand.samples()).get(key, 0)
    stand.provider.script(behaviours.sse(streamed(endpoint)))
    answer, line = await stand.ask(endpoint, model, stream=True)

    assert "x-plano-cost-usd" not in answer.headers
    assert line["cost"]["usd"] == pytest.approx(USD[endpoint])
    assert "whole" not in line["cost"]
    after = (await stand.samples())[key]
    assert after - before == pytest.approx(USD[endpoint])


async def test_embeddings_have_no_output_to_pay_for(stand: Stand) -> None:
    """Their input is all there is; a tiny amount is written in full."""
    document = {"object": "list", "data": [], "usage": {"prompt_tokens": 7, "total_tokens": 7}}
    stand.provider.script(behaviours.json(document))
    answer, _ = await stand.ask("embeddings", "openai/embedder")

    assert answer.headers["x-plano-cost-usd"] == "0.00000014"


async def test_what_a_server_of_ones_own_costs_is_known_to_be_nothing(stand: Stand) -> None:
    """That is another thing than not to know it."""
    stand.provider.script(behaviours.json({**chat_document("own"), "usage": CHAT}))
    answer, line = await stand.ask("chat", "vllm/own")

    assert answer.headers["x-plano-cost-usd"] == "0"
    assert line["cost"] == {"usd": 0.0, "source": "own"}


@pytest.mark.parametrize(
    ("model", "usage", "stream", "reason"),
    [
        ("openai/unpriced", CHAT, False, "price"),
        ("openai/priced", None, False, "usage"),
        ("openai/priced", None, True, "usage"),  # no `include_usage`: the stream does not say
    ],
)
async def test_an_unknown_cost_is_absent_and_counted(
    stand: Stand, model: str, usage: dict[str, int] | None, stream: bool, reason: str
) -> None:
    """It is not 0, and nothing is guessed."""
    document = {**chat_document("m"), "usage": usage}
    script = behaviours.sse(chat_events("m")) if stream else behaviours.json(document)
    stand.provider.script(script)
    labels = {("provider", "openai"), ("model", model), ("reason", reason)}
    key = ("plano_cost_unknown_total", frozenset(labels))
    before = (await stand.samples()).get(key, 0)
    answer, line = await stand.ask("chat", model, stream=stream)

    assert answer.status_code == 200
    assert "x-plano-cost-usd" not in answer.headers
    assert "cost" not in line
    assert (await stand.samples())[key] - before == 1


async def test_the_cost_is_that_of_the_model_that_served(stand: Stand) -> None:
    """A try that failed is not counted, whatever it said of itself."""
    stand.failing.script(behaviours.json({**chat_document("failing"), "usage": CHAT}, 500))
    stand.provider.script(behaviours.json(plain("chat")))
    answer, line = await stand.ask("chat", "first")

    assert answer.headers["x-plano-fallback-from"] == "openai/failing"
    assert float(answer.headers["x-plano-cost-usd"]) == pytest.approx(OPENAI_USD)
    assert line["cost"]["usd"] == pytest.approx(OPENAI_USD)


async def test_an_error_has_no_cost(stand: Stand) -> None:
    """Whether a provider charges for it, it does not say."""
    stand.provider.script(behaviours.json({**plain("chat"), "error": {"message": "no"}}, 400))
    answer, line = await stand.ask("chat", "priced")

    assert answer.status_code == 400
    assert "x-plano-cost-usd" not in answer.headers
    assert "cost" not in line


async def test_a_stream_that_breaks_off_cost_at_least_its_beginning(stand: Stand) -> None:
    """Anthropic counts the input in the first event; the line says that it is not all."""

    async def broken(reply: Reply) -> None:
        await reply.stream_head()
        await reply.events(streamed("messages")[:3])
        reply.cut(reset=False)

    stand.provider.script(broken)
    with pytest.raises(httpx.RemoteProtocolError):
        await stand.ask("messages", "anthropic/claude", stream=True)
    line = json.loads(await stand.gateway.line_with(f"cost-{stand.asked}-"))

    assert line["cost"]["whole"] is False
    assert line["cost"]["usd"] == pytest.approx(CLAUDE_USD - 9 * 15 / 1e6)


async def test_the_root_span_says_what_it_cost(stand: Stand) -> None:
    """With the source of the price."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    stand.provider.script(behaviours.json(plain("chat")))
    await stand.http.post(
        f"{stand.gateway.url}{PATHS['chat']}",
        json={"model": "priced", "messages": []},
        headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"},
    )
    spans = await stand.collector.trace(trace, 4)
    root = next(span for span in spans if span.name == "POST /v1/chat/completions")

    assert root.attributes["plano.cost.usd"] == pytest.approx(OPENAI_USD)
    assert root.attributes["plano.cost.source"] == "file"
