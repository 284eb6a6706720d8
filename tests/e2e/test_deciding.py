"""The decision endpoint of a running gateway: the whole chain, and no provider."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.gateway import RunningGateway, run_gateway
from tests.support.provider import FakeProvider

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "sk-of-the-client-0123456789"
CHAT, DECIDE = "/v1/chat/completions", "/routing/v1/chat/completions"
DOCUMENT = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers:
  - {model: openai/plain, access_key: sk-plain, base_url: $URL, default: true}
  - {model: openai/coder, access_key: sk-coder, base_url: $URL}
  - {model: anthropic/poet, access_key: sk-poet, base_url: $URL}
routing_preferences:
  - name: code generation
    description: writing new functions, scripts, tests or boilerplate
    models: [openai/coder, openai/plain]
  - name: creative writing
    description: stories, poems, slogans and other imaginative text
    models: [anthropic/poet]
filters:
  - auth: {keys: [{id: team, key: $CLIENT_KEY}]}
  - alias
  - affinity
  - classify
  - rerank
  - upstream: {attempts: 1}
"""
CODE = "Write a Python function that sorts a list of numbers."
HELLO = "Hello there!"


@dataclass(frozen=True, slots=True)
class Stand:
    """A gateway with a key, and the provider behind it."""

    gateway: RunningGateway
    provider: FakeProvider
    http: httpx.AsyncClient

    async def post(
        self, text: str, path: str = DECIDE, headers: Mapping[str, str] | None = None, **body: Any
    ) -> httpx.Response:
        """Ask with the key and one message."""
        given = {"authorization": f"Bearer {KEY}", **(headers or {})}
        whole = {"messages": [{"role": "user", "content": text}], **body}
        return await self.http.post(path, json=whole, headers=given)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncGenerator[Stand]:
    """Start the gateway, once."""
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(FakeProvider().serve())
        env = {"URL": provider.url, "CLIENT_KEY": KEY}
        gateway = await stack.enter_async_context(run_gateway(DOCUMENT, env))
        http = httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=20)
        await stack.enter_async_context(http)
        yield Stand(gateway, provider, http)


@pytest.fixture
def stand(running: Stand) -> Stand:
    """Return the running gateway with nothing recorded."""
    running.provider.reset()
    return running


async def test_a_route_gives_its_models_to_a_client_with_models_of_its_own(stand: Stand) -> None:
    """The name that the client sends need not be declared, and no provider is asked."""
    answer = await stand.post(CODE, model="my-own-server")

    body = answer.json()
    assert answer.status_code == 200, answer.text
    assert body["models"] == ["openai/coder", "openai/plain"]
    assert body["route"] == answer.headers["x-plano-route"] == "code generation"
    assert 0.5 < body["confidence"] <= 1
    assert [one["filter"] for one in body["decisions"]] == ["auth", "alias", "classify"]
    assert len(body["trace_id"]) == 32
    assert answer.headers["x-request-id"]
    assert stand.provider.requests == []


async def test_no_match_is_none_and_empty_preferences_ask_nothing(stand: Stand) -> None:
    """The client then takes the model that it named."""
    unmatched = (await stand.post(HELLO, model="my-own-server")).json()
    switched_off = (await stand.post(CODE, model="plain", routing_preferences=[])).json()

    assert (unmatched["models"], unmatched["route"]) == (["none"], None)
    assert (switched_off["models"], switched_off["route"]) == (["none"], None)
    assert switched_off["decisions"][-1]["text"] == "not routed: the request says so"


async def test_preferences_in_the_body_replace_those_of_the_document(stand: Stand) -> None:
    """As on the endpoint that answers."""
    rows = [{"name": "greetings", "description": "saying hello to somebody", "models": ["plain"]}]

    body = (await stand.post(HELLO, routing_preferences=rows)).json()

    assert (body["models"], body["route"]) == (["openai/plain"], "greetings")


async def test_a_decision_pins_its_session_for_both_endpoints(stand: Stand) -> None:
    """A later decision says so, and a later request is served by the pinned model."""
    session = {"x-model-affinity": "decided-first"}
    first = (await stand.post(CODE, headers=session)).json()
    second = (await stand.post(HELLO, headers=session)).json()
    served = await stand.post(HELLO, CHAT, headers=session, model="plain")

    assert (first["session_id"], first["pinned"]) == ("decided-first", False)
    assert (second["session_id"], second["pinned"]) == ("decided-first", True)
    assert (second["models"], second["route"]) == (["openai/coder"], "code generation")
    assert second["switched"] is False
    assert served.headers["x-plano-model"] == "openai/coder"
    assert len(stand.provider.requests) == 1


async def test_a_request_pins_the_decisions_of_its_session(stand: Stand) -> None:
    """And no other session's."""
    session = {"x-model-affinity": "served-first"}
    await stand.post(HELLO, CHAT, headers=session, model="plain")
    later = (await stand.post(CODE, headers=session)).json()
    other = (await stand.post(CODE, headers={"x-model-affinity": "another"})).json()

    assert (later["models"], later["pinned"]) == (["openai/plain"], True)
    assert (other["models"][0], other["pinned"]) == ("openai/coder", False)


async def test_a_session_without_a_model_of_ours_is_not_pinned(stand: Stand) -> None:
    """No match and a name that is not declared: there is nothing to pin to."""
    session = {"x-model-affinity": "foreign"}
    await stand.post(HELLO, headers=session, model="my-own-server")
    later = (await stand.post(CODE, headers=session, model="my-own-server")).json()

    assert later["pinned"] is False
    assert later["models"][0] == "openai/coder"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/routing/v1/responses", {"input": CODE}),
        ("/routing/v1/messages", {"messages": [{"role": "user", "content": "Write a poem."}]}),
    ],
)
async def test_each_api_has_its_decisions(stand: Stand, path: str, body: dict[str, Any]) -> None:
    """The body is that of the API, and only models that speak it are named."""
    answer = await stand.http.post(path, json=body, headers={"x-api-key": KEY})

    assert answer.status_code == 200, answer.text
    models = answer.json()["models"]
    assert models == (["anthropic/poet"] if "messages" in path else ["openai/coder", models[-1]])


async def test_errors_are_in_the_dialect_of_the_path(stand: Stand) -> None:
    """A missing key, a wrong body and a wrong path are what each SDK can parse."""
    no_key = await stand.http.post("/routing/v1/messages", json={"messages": []})
    broken = await stand.http.post(DECIDE, content=b"{", headers={"x-api-key": KEY})
    rows = await stand.post(CODE, routing_preferences=[{"name": "x"}])
    nowhere = await stand.http.post("/routing/v1/embeddings", json={})

    assert (no_key.status_code, no_key.json()["type"]) == (401, "error")
    assert no_key.json()["error"]["type"] == "authentication_error"
    assert (broken.status_code, broken.json()["error"]["code"]) == (400, "invalid_json")
    assert (rows.status_code, rows.json()["error"]["param"]) == (400, "routing_preferences")
    assert (nowhere.status_code, nowhere.json()["error"]["code"]) == (404, "not_found")


async def test_methods_are_those_of_the_apis(stand: Stand) -> None:
    """Browsers may ask first; GET is told what is allowed."""
    options = await stand.http.options(DECIDE)
    wrong = await stand.http.get(DECIDE)

    assert options.status_code == 204
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


async def test_log_and_metrics_tell_decisions_from_answers(stand: Stand) -> None:
    """By path and route template; an operation of a provider is not counted."""
    await stand.post(CODE, headers={"x-request-id": "only-decided"})
    line = json.loads(await stand.gateway.line_with('"only-decided"'))
    metrics = (await stand.http.get(f"{stand.gateway.admin_url}/metrics")).text

    assert (line["path"], line["decided"], line["route"]) == (
        DECIDE, "openai/coder", "code generation",
    )  # fmt: skip
    assert "model" not in line
    assert f'http_route="{DECIDE}"' in metrics
    assert 'gen_ai_request_model=""' not in metrics


async def test_a_running_gateway_explains_by_its_own_pins(stand: Stand) -> None:
    """It reads them and makes none; nothing of the key or the prompt comes back."""

    async def explained(session: str) -> Any:
        asked = {
            "headers": {"authorization": f"Bearer {KEY}", "x-model-affinity": session},
            "body": {"messages": [{"role": "user", "content": CODE}]},
        }
        answer = await stand.http.post(f"{stand.gateway.admin_url}/-/explain", json=asked)
        assert answer.status_code == 200, answer.text
        assert KEY not in answer.text
        assert CODE not in answer.text
        return answer.json()["verdict"]

    await stand.post(HELLO, CHAT, headers={"x-model-affinity": "explained"}, model="plain")
    asked = len(stand.provider.requests)
    held = await explained("explained")
    fresh, again = await explained("never seen"), await explained("never seen")

    assert (held["models"][0], held["pinned"]) == ("openai/plain", True)
    assert (fresh["models"][0], fresh["pinned"]) == ("openai/coder", False)
    assert again == fresh
    assert len(stand.provider.requests) == asked


async def test_a_reload_changes_what_is_decided(stand: Stand) -> None:
    """Both endpoints are served by one chain."""
    before = (await stand.post(CODE)).json()["models"]
    stand.gateway.path.write_text(
        DOCUMENT.replace("[openai/coder, openai/plain]", "[openai/plain, openai/coder]"),
        encoding="utf-8",
    )
    reloaded = await stand.http.post(f"{stand.gateway.admin_url}/-/reload")
    after = (await stand.post(CODE)).json()["models"]

    assert reloaded.status_code == 200, reloaded.text
    assert before == ["openai/coder", "openai/plain"]
    assert after == ["openai/plain", "openai/coder"]
