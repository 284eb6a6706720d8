"""Routing by preferences, over real sockets, with the encoder that comes with the gateway."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio

from plano_builtin_filters.classify.routers.embedded import BUNDLED
from tests.e2e.conftest import CLIENT_KEY
from tests.support import behaviours
from tests.support.answers import SAID, message_document, response_document
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.provider import Behaviour, FakeProvider

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENT = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers:
  - {model: vllm/main, base_url: $MAIN_URL, default: true}
  - {model: vllm/poet, base_url: $POET_URL}
  - {model: vllm/translator, base_url: $TRANSLATOR_URL}
routing_preferences:
  - {name: poems, description: "poems, rhymes and verses", models: [vllm/poet]}
  - name: translation
    description: translating text from one language into another
    models: [vllm/translator]
filters:
  - alias
  - classify: {deadline: 60s}  # a busy machine must not fail a test
  - upstream: {attempts: 1}
"""
# Prompts that any model which we ship routes so.
POEM = "a poem about autumn leaves, please"
TRANSLATE = "translate good morning into Spanish"
NEITHER = "hello"
LANGUAGES = [
    {
        "name": "languages",
        "description": "translating text from one language into another",
        "models": ["poet"],
    }
]
"""A table of the request's own, which sends translations to the poet."""


@dataclass(frozen=True, slots=True)
class Stand:
    """A gateway that routes, and the providers behind it."""

    gateway: RunningGateway
    main: FakeProvider
    poet: FakeProvider
    translator: FakeProvider
    sdk: openai.AsyncOpenAI
    http: httpx.AsyncClient

    async def ask(self, prompt: str, model: str = "main", **more: Any) -> httpx.Response:
        """Ask a question by the SDK; return the answer with its headers."""
        raw = await self.sdk.chat.completions.with_raw_response.create(
            model=model, messages=[{"role": "user", "content": prompt}], **more
        )
        response: httpx.Response = raw.http_response
        return response

    async def metric(self, line: str) -> bool:
        """Say whether the metrics have a line."""
        text = (await self.http.get(f"{self.gateway.admin_url}/metrics")).text
        return line in text.splitlines()

    async def reload(self, text: str, generation: int) -> None:
        """Change the document, and wait until it is in service."""
        self.gateway.path.write_text(text, encoding="utf-8")
        self.gateway.process.send_signal(signal.SIGHUP)
        said = f"reloaded the configuration, generation {generation}"
        await self.gateway.line_with(said, where=self.gateway.stderr, seconds=30)


@asynccontextmanager
async def standing(text: str = DOCUMENT) -> AsyncGenerator[Stand]:
    """Start a gateway with three providers."""
    async with AsyncExitStack() as stack:
        main, poet, translator = [
            await stack.enter_async_context(FakeProvider().serve()) for _ in range(3)
        ]
        env = {"MAIN_URL": main.url, "POET_URL": poet.url, "TRANSLATOR_URL": translator.url}
        gateway = await stack.enter_async_context(run_gateway(text, env))
        sdk = openai.AsyncOpenAI(
            base_url=f"{gateway.url}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=60
        )
        await stack.enter_async_context(sdk)
        http = httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=60)
        await stack.enter_async_context(http)
        yield Stand(gateway, main, poet, translator, sdk, http)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncGenerator[Stand]:
    """Start everything, once."""
    async with standing() as stand:
        yield stand


@pytest.fixture
def stand(running: Stand) -> Stand:
    """Return the running stand with nothing recorded and nothing scripted."""
    for provider in (running.main, running.poet, running.translator):
        provider.reset()
    return running


@pytest.mark.parametrize("model", ["main", "auto"])
@pytest.mark.parametrize(
    ("prompt", "route", "served"),
    [
        (POEM, "poems", "vllm/poet"),
        (TRANSLATE, "translation", "vllm/translator"),
        (NEITHER, None, "vllm/main"),
    ],
)
async def test_a_prompt_goes_to_the_model_for_it(
    stand: Stand, prompt: str, route: str | None, served: str, model: str
) -> None:
    """Whether the client names a model or not; the answer says the route, and how sure it was."""
    answer = await stand.ask(prompt, model)

    confidence = answer.headers.get("x-plano-route-confidence")
    assert answer.headers["x-plano-model"] == served
    assert answer.headers.get("x-plano-route") == route
    assert (confidence is None) == (route is None)
    assert confidence is None or 0 < float(confidence) <= 1


async def test_a_stream_is_routed(stand: Stand) -> None:
    """Its events are the events of the route's model."""
    stream = await stand.sdk.chat.completions.create(
        model="main", messages=[{"role": "user", "content": POEM}], stream=True
    )
    chunks = [chunk async for chunk in stream]

    assert "".join(c.choices[0].delta.content or "" for c in chunks) == f"{SAID} "
    assert {chunk.model for chunk in chunks} == {"poet"}
    assert stand.main.requests == []


async def test_a_table_in_the_request_is_obeyed_and_not_sent_on(stand: Stand) -> None:
    """The provider gets what it would get without it."""
    answer = await stand.ask(TRANSLATE, extra_body={"routing_preferences": LANGUAGES, "seed": 7})
    received = stand.poet.requests[0].json

    assert answer.headers["x-plano-route"] == "languages"
    assert received == {
        "messages": [{"role": "user", "content": TRANSLATE}], "model": "poet", "seed": 7,
    }  # fmt: skip


async def test_an_empty_table_means_no_routing(stand: Stand) -> None:
    """The model that was named serves it."""
    answer = await stand.ask(POEM, extra_body={"routing_preferences": []})

    assert answer.headers["x-plano-model"] == "vllm/main"
    assert "x-plano-route" not in answer.headers
    assert "routing_preferences" not in stand.main.requests[0].json


async def test_a_wrong_table_is_an_error_of_the_client(stand: Stand) -> None:
    """The SDK raises what it raises for a bad request, with the field."""
    wrong = [{**LANGUAGES[0], "models": ["poets"]}]
    with pytest.raises(openai.BadRequestError) as caught:
        await stand.ask(POEM, extra_body={"routing_preferences": wrong})

    assert caught.value.param == "routing_preferences"
    assert 'the model "poets" is not declared; did you mean "poet"?' in str(caught.value)


DIALECTS = [
    pytest.param(
        "/v1/messages",
        {"max_tokens": 10, "messages": [{"role": "user", "content": TRANSLATE}]},
        behaviours.json(message_document("any")),
        id="messages",
    ),
    pytest.param(
        "/v1/responses",
        {"input": TRANSLATE},
        behaviours.json(response_document("any")),
        id="responses",
    ),
    pytest.param(
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": TRANSLATE}]}]},
        None,
        id="chat",
    ),
]


@pytest.mark.parametrize(("path", "body", "answer"), DIALECTS)
@pytest.mark.parametrize(
    ("preferences", "served"),
    [({}, "translator"), ({"routing_preferences": LANGUAGES}, "poet")],
)
async def test_every_dialect_is_routed(
    stand: Stand,
    path: str,
    body: dict[str, Any],
    answer: Behaviour | None,
    preferences: dict[str, Any],
    served: str,
) -> None:
    """By the document's table and by the request's own."""
    provider = {"translator": stand.translator, "poet": stand.poet}[served]
    if answer is not None:
        provider.default = answer

    response = await stand.http.post(path, json={"model": "main", **body, **preferences})

    assert (response.status_code, response.headers["x-plano-model"]) == (200, f"vllm/{served}")
    assert provider.requests[0].target == path
    assert provider.requests[0].json == {"model": served, **body}


async def test_a_route_whose_model_fails_falls_back(stand: Stand) -> None:
    """To the model of the request; the answer says both."""
    stand.poet.default = behaviours.status(500)

    answer = await stand.ask(POEM)

    assert answer.headers["x-plano-route"] == "poems"
    assert answer.headers["x-plano-model"] == "vllm/main"
    assert answer.headers["x-plano-fallback-from"] == "vllm/poet"


async def test_no_fallback_if_the_client_wants_none(stand: Stand) -> None:
    """The error is the one of the route's model."""
    stand.poet.default = behaviours.status(500)

    with pytest.raises(openai.InternalServerError):
        await stand.ask(POEM, extra_headers={"x-plano-fallback": "off"})

    assert stand.main.requests == []


async def test_an_operator_sees_what_was_decided_and_not_what_was_asked(stand: Stand) -> None:
    """The route is in the access log and in the metrics, the prompt is nowhere."""
    await stand.ask(POEM, extra_headers={"x-request-id": "seen"})
    line = json.loads(await stand.gateway.line_with('"seen"'))
    metrics = (await stand.http.get(f"{stand.gateway.admin_url}/metrics")).text

    assert any(text.startswith("classify: poems ") for text in line["decisions"])
    assert 'plano_router_decisions_total{outcome="routed",router="embedded"}' in metrics
    written = "\n".join([metrics, *stand.gateway.stdout, *stand.gateway.stderr])
    assert "autumn leaves" not in written


async def test_preferences_change_with_a_reload() -> None:
    """The next request is routed by the new table."""
    async with standing() as stand:
        before = await stand.ask(TRANSLATE)
        await stand.reload(DOCUMENT.replace("name: translation", "name: languages"), 2)
        renamed = await stand.ask(TRANSLATE)
        await stand.reload(DOCUMENT.replace("[vllm/translator]", "[vllm/poet]"), 3)
        moved = await stand.ask(TRANSLATE)

    assert before.headers["x-plano-route"] == "translation"
    assert renamed.headers["x-plano-route"] == "languages"
    assert moved.headers["x-plano-model"] == "vllm/poet"


async def test_a_corrupt_model_is_in_nobodys_way_and_can_be_repaired(tmp_path: Path) -> None:
    """The gateway starts, serves, and says why it does not route; repaired, a reload is enough."""
    directory = shutil.copytree(BUNDLED, tmp_path / "model")
    graph = directory / "model.onnx"
    whole = graph.read_bytes()
    graph.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    text = DOCUMENT.replace("{deadline: 60s}", f'{{deadline: 60s, model: "{directory}"}}')
    corrupt = f"{graph} is corrupt: not the file of the manifest"
    failures = 'plano_router_failures_total{reason="unavailable",router="embedded"} 1.0'

    async with standing(text) as stand:
        served = await stand.ask(POEM, extra_headers={"x-request-id": "unrouted"})
        line = json.loads(await stand.gateway.line_with('"unrouted"'))
        counted = await stand.metric(failures)
        graph.write_bytes(whole)
        await stand.reload(text, 2)
        routed = await stand.ask(POEM)

    assert any(f"no routing by preferences: {corrupt}" in said for said in stand.gateway.stderr)
    assert served.headers["x-plano-model"] == "vllm/main"
    assert "x-plano-route" not in served.headers
    assert f"classify: not routed: embedded router, {corrupt}" in line["decisions"]
    assert counted
    assert routed.headers["x-plano-route"] == "poems"
