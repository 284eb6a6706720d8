"""Plano's filter demos against the running gateway: guard, rewriter, redactor, anonymizer.

The documents are Plano's, but for addresses. The services answer as Plano's demos do: FastAPI's
errors, bodies written anew, regular expressions over the bytes of a stream.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
import pytest_asyncio

from tests.support.answers import chat_document, chat_events, response_events
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.mcp_filters import serve_mcp
from tests.support.provider import FakeProvider, Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = Path(__file__).parents[2] / "configs" / "plano"
KEYWORDS = ("hack", "malware")
GUARD_TOKEN = "guard-token-0123456789"
CLIENT_KEY = "sk-client-0123456789"
PREFERENCES = """
routing_preferences:
  - {name: poems, description: "poems, rhymes and verses", models: [openai/gpt-4o]}
  - name: translation
    description: translating text from one language into another
    models: [openai/gpt-4o]
"""


async def content_guard(reply: Reply) -> None:
    """Refuse what has a keyword in it, as FastAPI words it; else write the body anew."""
    body = reply.request.json
    last = json.dumps(body.get("messages", [])[-1:]).lower()
    matched = next((word for word in KEYWORDS if word in last), None)
    if matched is None:
        await reply.whole(200, json.dumps(body).encode())
        return
    message = f"Request blocked by content safety filter (matched: '{matched}')."
    detail = {"detail": {"error": "content_blocked", "message": message}}
    await reply.whole(400, json.dumps(detail).encode())


async def redactor(reply: Reply) -> None:
    """Take secrets out of whatever bytes come."""
    await reply.whole(200, re.sub(rb"SECRET-\d+", b"[REDACTED]", reply.request.body))


@dataclass(slots=True)
class Anonymizer:
    """Replaces addresses in requests, and puts them back into answers, by the request's id."""

    known: dict[str, str] = field(default_factory=dict)

    async def __call__(self, reply: Reply) -> None:
        body, name = reply.request.body, reply.request.headers["x-request-id"]
        if reply.request.target.startswith("/anonymize/"):
            found = re.search(rb"[\w.]+@[\w.]+", body)
            if found is not None:
                self.known[name] = found[0].decode()
                body = body.replace(found[0], b"[EMAIL_0]")
        elif name in self.known:
            body = body.replace(b"[EMAIL_0]", self.known[name].encode())
        await reply.whole(200, body)


@dataclass(frozen=True, slots=True)
class Stand:
    """The gateway with Plano's document, its services, and a provider."""

    gateway: RunningGateway
    provider: FakeProvider
    guard: FakeProvider
    redactor: FakeProvider
    sdk: openai.AsyncOpenAI


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncGenerator[Stand]:
    """Serve `configs/plano/filters.yaml`; the rewriter is a tool of a real MCP server."""
    async with AsyncExitStack() as stack:
        provider, guard, redacting = [
            await stack.enter_async_context(FakeProvider().serve()) for _ in range(3)
        ]
        mcp = await stack.enter_async_context(serve_mcp())
        text = _at(
            (EXAMPLES / "filters.yaml").read_text(),
            {10500: guard.url, 10501: mcp, 10502: redacting.url},
            provider.url,
        )
        token = f"type: http\n    headers: {{x-guard: {GUARD_TOKEN}}}\n"
        text = text.replace("type: http\n", token, 1)
        gateway = await stack.enter_async_context(run_gateway(text + PREFERENCES))
        sdk = _sdk(gateway)
        await stack.enter_async_context(sdk)
        yield Stand(gateway, provider, guard, redacting, sdk)


def _at(text: str, services: dict[int, str], provider: str) -> str:
    """Move the services and the provider of an example to where they are."""
    for port, url in services.items():
        text = text.replace(f"http://localhost:{port}", url)
    key = "access_key: $OPENAI_API_KEY"
    assert key in text
    separator = "\n    " if f"{key}\n" in text else ", "
    return text.replace(key, f"access_key: sk-provider-0123456789{separator}base_url: {provider}")


def _sdk(gateway: RunningGateway) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=f"{gateway.url}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=20
    )


@pytest.fixture
def stand(running: Stand) -> Stand:
    """Return the stand with nothing recorded; the services do what Plano's demos do."""
    for one in (running.provider, running.guard, running.redactor):
        one.reset()
    running.guard.default = content_guard
    running.redactor.default = redactor
    return running


def saying(text: str) -> list[Any]:
    """Return a conversation of one question."""
    return [{"role": "user", "content": text}]


async def test_a_question_passes_the_guard_and_the_rewriter(stand: Stand) -> None:
    """The provider sees what the filters made of it; the client's key stays at the gateway."""
    done = await stand.sdk.chat.completions.create(
        model="gpt-4o", messages=saying("what is a router?")
    )

    asked = (await stand.provider.request()).json
    shown = stand.guard.requests[0]
    assert done.choices[0].message.content
    assert asked["messages"] == saying("what is a router? (rewritten)")
    assert shown.target == "/v1/chat/completions"
    assert shown.headers["x-arch-upstream"] == "input_guard"
    assert shown.headers["x-guard"] == GUARD_TOKEN
    assert CLIENT_KEY not in str(stand.guard.wire)
    assert stand.redactor.requests[0].headers["x-request-id"] == shown.headers["x-request-id"]
    line = json.loads(await stand.gateway.line_with(shown.headers["x-request-id"]))
    told = [text for text in line["decisions"] if "guard" in text or "re" in text.split(":")[0]]
    assert "input_guard: let the request pass" in told
    assert "query_rewriter: changed messages" in told
    assert "redactor: let the answer pass" in told


async def test_a_keyword_is_refused_in_the_clients_dialect(stand: Stand) -> None:
    """Both SDKs raise their own error with the guard's words; no provider is asked."""
    with pytest.raises(openai.BadRequestError) as refused:
        await stand.sdk.chat.completions.create(model="gpt-4o", messages=saying("how to hack it"))

    error: Any = refused.value.body
    assert error["code"] == "filter_blocked"
    assert error["message"] == "Request blocked by content safety filter (matched: 'hack')."
    assert error["details"]["filter"] == "input_guard"
    assert error["details"]["response"]["detail"]["error"] == "content_blocked"
    assert refused.value.response.headers["x-plano-error-source"] == "filter"
    assert stand.provider.requests == []
    assert len(stand.guard.requests) == 1


async def test_the_router_reads_what_the_filters_wrote(stand: Stand) -> None:
    """As in Plano: the route fits the filtered text."""

    async def translating(reply: Reply) -> None:
        body = reply.request.json
        asked = {**body, "messages": saying("translate good morning into Spanish")}
        await reply.whole(200, json.dumps(asked).encode())

    stand.guard.script(translating)
    raw = await stand.sdk.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=saying("a poem about autumn leaves, please")
    )

    assert raw.headers["x-plano-route"] == "translation"


async def test_a_filter_cannot_change_the_model(stand: Stand) -> None:
    """It was resolved before; that the filter tried is in the log."""

    async def other(reply: Reply) -> None:
        body = {**reply.request.json, "model": "openai/o3"}
        await reply.whole(200, json.dumps(body).encode())

    stand.guard.script(other)
    done = await stand.sdk.chat.completions.create(model="gpt-4o", messages=saying("hi"))

    assert done.model == "gpt-4o"
    assert (await stand.provider.request()).json["model"] == "gpt-4o"
    await stand.gateway.line_with("input_guard: let the request pass; not its to change: model")


async def streaming_secret(reply: Reply) -> None:
    """Answer with a secret that is torn over events, and the events over chunks."""
    model, responses = reply.request.json["model"], reply.request.target.endswith("/responses")
    text = "The code is SE CRET -4 2 and no other. Keep it."
    stream = b"".join(response_events(model) if responses else chat_events(model, text))
    stream = stream.replace(b'"Hello "', b'"The SECRET"').replace(b'"there"', b'"-42"')
    for piece in (b"SE", b"CRET", b"-4"):
        stream = stream.replace(b'"%b "' % piece, b'"%b"' % piece)
    await reply.stream_head()
    for start in range(0, len(stream), 13):
        await reply.chunk(stream[start : start + 13])
    await reply.send(b"0\r\n\r\n")


async def test_a_secret_that_is_torn_is_taken_out_of_a_stream(stand: Stand) -> None:
    """Plano asks once per chunk, and lets it pass."""
    stand.provider.script(streaming_secret)
    stream = await stand.sdk.chat.completions.create(
        model="gpt-4o", messages=saying("hi"), stream=True
    )

    chunks = [chunk async for chunk in stream]

    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said.startswith("The code is [REDACTED] and no other. Keep it.")
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert {one.headers["content-type"] for one in stand.redactor.requests} == {"text/event-stream"}


async def test_the_other_dialects_are_put_together_too(stand: Stand) -> None:
    """Their SDKs read the events that the gateway made of several, to the end."""
    stand.provider.script(streaming_secret, streaming_secret)
    client = anthropic.AsyncAnthropic(base_url=stand.gateway.url, api_key=CLIENT_KEY, max_retries=0)
    async with (
        client,
        client.messages.stream(model="gpt-4o", max_tokens=99, messages=saying("hi")) as stream,
    ):
        message = await stream.get_final_message()
    answer = await stand.sdk.responses.create(model="gpt-4o", input="hi", stream=True)
    events = [event async for event in answer]

    assert message.stop_reason == "end_turn"
    assert "[REDACTED] and no other" in "".join(getattr(b, "text", "") for b in message.content)
    assert events[-1].type == "response.completed"
    deltas = [one.delta for one in events if one.type == "response.output_text.delta"]
    assert "".join(deltas) == "The [REDACTED]"
    paths = {one.target for one in stand.redactor.requests}
    assert paths == {"/redact/v1/messages", "/redact/v1/responses"}


async def test_a_secret_is_taken_out_of_a_whole_answer(stand: Stand) -> None:
    """One call sees all of it."""

    async def telling(reply: Reply) -> None:
        await reply.whole(200, json.dumps(chat_document("gpt-4o", "It is SECRET-42.")).encode())

    stand.provider.script(telling)
    done = await stand.sdk.chat.completions.create(model="gpt-4o", messages=saying("hi"))

    assert done.choices[0].message.content == "It is [REDACTED]."
    assert len(stand.redactor.requests) == 1


async def failing(reply: Reply) -> None:
    """Fail with words that are nobody's business."""
    await reply.whole(500, b"traceback with a password")


@pytest.mark.parametrize("side", ["guard", "redactor"])
@pytest.mark.parametrize("stream", [False, True])
async def test_both_sides_fail_closed(stand: Stand, side: str, stream: bool) -> None:
    """Plano's output filters fail open. What the service said is nowhere to be seen."""
    service: FakeProvider = getattr(stand, side)
    service.script(failing)
    with pytest.raises(openai.InternalServerError) as failed:
        await stand.sdk.chat.completions.create(
            model="gpt-4o", messages=saying("hi"), stream=stream
        )

    error: Any = failed.value.body
    assert error["code"] == "filter_failed"
    assert failed.value.response.headers["x-plano-error-source"] == "filter"
    assert len(stand.provider.requests) == (0 if side == "guard" else 1)
    assert "password" not in "\n".join([*stand.gateway.stdout, *stand.gateway.stderr])
    assert "password" not in failed.value.response.text


async def test_a_client_who_leaves_ends_the_call(stand: Stand) -> None:
    """A guard that thinks about nobody's request any more is told by a closed connection."""

    async def thinking(reply: Reply) -> None:
        await asyncio.Event().wait()

    stand.guard.script(thinking)
    asking = asyncio.create_task(
        stand.sdk.chat.completions.create(model="gpt-4o", messages=saying("hi"))
    )
    received = await stand.guard.request()
    asking.cancel()
    async with asyncio.timeout(10):
        await received.disconnected.wait()

    assert stand.provider.requests == []


async def test_a_client_who_leaves_a_stream_ends_the_call_and_the_answer(stand: Stand) -> None:
    """While a service looks at a part: its connection and the provider's are closed."""

    async def endless(reply: Reply) -> None:
        first, *_ = chat_events("gpt-4o")
        await reply.stream_head()
        await reply.chunk(first)
        await stand.redactor.request()  # else both may come as one part
        await reply.chunk(first.replace(b'"content": ""', b'"content": "One. "'))
        await asyncio.Event().wait()

    async def thinking(reply: Reply) -> None:
        await asyncio.Event().wait()

    stand.provider.script(endless)
    stand.redactor.script(redactor, thinking)
    stream = await stand.sdk.chat.completions.create(
        model="gpt-4o", messages=saying("hi"), stream=True
    )
    asked, answering = await stand.redactor.request(2), await stand.provider.request()
    await stream.close()

    async with asyncio.timeout(10):
        await asked.disconnected.wait()
        await answering.disconnected.wait()


async def test_calls_are_counted(stand: Stand) -> None:
    """By filter, side and outcome; the secret of the definition is in no dump."""
    await stand.sdk.chat.completions.create(model="gpt-4o", messages=saying("hi"))
    async with httpx.AsyncClient(base_url=stand.gateway.admin_url, trust_env=False) as admin:
        metrics = (await admin.get("/metrics")).text
        config = (await admin.get("/-/config")).text

    labels = 'filter="redactor",outcome="passed",phase="response"'
    assert f"plano_remote_filter_seconds_count{{{labels}}}" in metrics
    assert "input_guard" in config
    assert GUARD_TOKEN not in config
    assert GUARD_TOKEN not in "\n".join([*stand.gateway.stdout, *stand.gateway.stderr])


async def test_the_key_of_the_older_demos_works() -> None:
    """`configs/plano/filter_chain.yaml`: v0.3.0 and `filter_chain`, for Anthropic's SDK too."""
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(FakeProvider().serve())
        guard = await stack.enter_async_context(FakeProvider().serve())
        guard.default = content_guard
        text = _at((EXAMPLES / "filter_chain.yaml").read_text(), {10500: guard.url}, provider.url)
        text += (
            "  - model: anthropic/claude\n    access_key: sk-b-0123456789\n"
            f"    base_url: {provider.url}\n"
        )
        text = _providers_last(text)
        gateway = await stack.enter_async_context(run_gateway(text))
        sdk = anthropic.AsyncAnthropic(base_url=gateway.url, api_key=CLIENT_KEY, max_retries=0)
        await stack.enter_async_context(sdk)
        with pytest.raises(anthropic.BadRequestError) as refused:
            await sdk.messages.create(model="claude", max_tokens=9, messages=saying("malware"))
        await gateway.line_with("filter_chain is deprecated", where=gateway.stderr)

    error: Any = refused.value.body
    assert error["error"]["message"].endswith("(matched: 'malware').")
    assert error["error"]["details"]["error_code"] == "filter_blocked"
    assert guard.requests[0].target == "/v1/messages"
    assert provider.requests == []


def _providers_last(text: str) -> str:
    """Move the section of the providers to the end, where another one was added."""
    before, _, rest = text.partition("model_providers:\n")
    providers, _, listeners = rest.partition("listeners:\n")
    body, _, added = listeners.partition("  - model: anthropic")
    both = f"{providers.rstrip()}\n  - model: anthropic{added}"
    return f"{before}listeners:\n{body}model_providers:\n{both}"


async def test_what_was_taken_out_comes_back() -> None:
    """Plano's anonymizer: one service with two definitions, which knows a request by its id."""
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(FakeProvider().serve())
        service = await stack.enter_async_context(FakeProvider().serve())
        service.default = Anonymizer()

        async def echoing(reply: Reply) -> None:
            said = reply.request.json["messages"][0]["content"]
            events = chat_events("gpt-4o", said)
            torn = [part for event in events for part in (event[:9], event[9:])]
            await reply.stream_head()
            await reply.events(torn)
            await reply.send(b"0\r\n\r\n")

        provider.default = echoing
        text = f"""
version: v0.4.0
filters:
  - {{id: pii_anonymizer, url: "{service.url}/anonymize", type: http}}
  - {{id: pii_deanonymizer, url: "{service.url}/deanonymize", type: http}}
model_providers:
  - {{model: openai/gpt-4o, access_key: sk-0123456789, base_url: "{provider.url}", default: true}}
listeners:
  - type: model
    name: llm_gateway
    port: 12000
    input_filters: [pii_anonymizer]
    output_filters: [pii_deanonymizer]
"""
        gateway = await stack.enter_async_context(run_gateway(text))
        sdk = await stack.enter_async_context(_sdk(gateway))
        stream = await sdk.chat.completions.create(
            model="gpt-4o", messages=saying("Write to alice@example.com now"), stream=True
        )
        said = [chunk.choices[0].delta.content or "" async for chunk in stream]

    assert "".join(said).strip() == "Write to alice@example.com now"
    assert provider.requests[0].json["messages"] == saying("Write to [EMAIL_0] now")


async def test_a_filter_that_may_be_skipped_keeps_nobody_waiting() -> None:
    """`on_error: skip` and a `timeout`: without the service, requests and answers go on."""
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(FakeProvider().serve())
        slow = await stack.enter_async_context(FakeProvider().serve())

        async def thinking(reply: Reply) -> None:
            await asyncio.Event().wait()

        slow.default = thinking
        text = f"""
version: v0.4.0
filters:
  - {{id: slow, url: "{slow.url}", type: http, timeout: 100ms, on_error: skip}}
model_providers:
  - {{model: openai/gpt-4o, access_key: sk-0123456789, base_url: "{provider.url}", default: true}}
listeners: [{{name: a, port: 12000, input_filters: [slow], output_filters: [slow]}}]
"""
        async with run_gateway(text) as gateway, _sdk(gateway) as sdk:
            stream = await sdk.chat.completions.create(
                model="gpt-4o", messages=saying("hi"), stream=True
            )
            chunks = [chunk async for chunk in stream]
            await gateway.line_with("no answer within 0.1 s", where=gateway.stderr)

    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len(slow.requests) == 2
    assert "was skipped in request" in "\n".join(gateway.stderr)
