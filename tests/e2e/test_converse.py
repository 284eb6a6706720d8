"""Every client in front of AWS's Converse, with the vendors' own SDKs and a strict provider."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx
import openai
import pytest
import pytest_asyncio

from tests.e2e.conftest import CLIENT_KEY, MAIN_KEY, read_into
from tests.support import converse
from tests.support.answers import SAID
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.provider import FakeProvider, Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODEL = "amazon_bedrock/us.anthropic.claude-x-v1:0"
PATH = "/model/us.anthropic.claude-x-v1:0/converse"
DOCUMENT = f"""\
version: v0.4.0
listeners: [{{type: model, name: egress, address: 127.0.0.1, port: 12000}}]
model_providers:
  - {{model: "{MODEL}", access_key: $MAIN_KEY, base_url: $URL, default: true}}
filters:
  - alias
  - upstream: {{attempts: 1, idle_timeout: 1s, keep_alive: 200ms}}
"""
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
CITY: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
LONG = "mcp__" + "weather" * 12
PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"messages": HELLO}),
    "messages": ("/v1/messages", {"messages": HELLO, "max_tokens": 9}),
    "responses": ("/v1/responses", {"input": "Hello"}),
}
clients = pytest.mark.parametrize("client", list(PATHS))
streamed = pytest.mark.parametrize("stream", [False, True])


@dataclass(frozen=True, slots=True)
class Stand:
    """A gateway between clients and a strict provider."""

    gateway: RunningGateway
    provider: FakeProvider
    openai: openai.AsyncOpenAI
    anthropic: anthropic.AsyncAnthropic
    http: httpx.AsyncClient

    async def post(self, client: str, **more: Any) -> httpx.Response:
        """Ask as a client of a dialect, without an SDK."""
        path, body = PATHS[client]
        return await self.http.post(path, json={"model": MODEL, **body, **more})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncGenerator[Stand]:
    """Start everything, once for the module."""
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(FakeProvider().serve())
        env = {"MAIN_KEY": MAIN_KEY, "URL": provider.url}
        gateway = await stack.enter_async_context(run_gateway(DOCUMENT, env))
        theirs: dict[str, Any] = {"api_key": CLIENT_KEY, "max_retries": 0, "timeout": 20}
        first = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", **theirs)
        second = anthropic.AsyncAnthropic(base_url=gateway.url, **theirs)
        http = httpx.AsyncClient(base_url=gateway.url, timeout=20)
        for one in (first, second, http):
            await stack.enter_async_context(one)
        yield Stand(gateway, provider, first, second, http)


@pytest.fixture
def stand(running: Stand) -> Stand:
    """Return the running stand with nothing recorded and a strict provider."""
    running.provider.reset()
    running.provider.default = converse.converse
    return running


async def test_chat(stand: Stand) -> None:
    """The model is in the path, the key a Bearer token, the client's header of the past none."""
    answer = await stand.openai.chat.completions.create(
        model=MODEL, messages=[{"role": "system", "content": "Be brief"}, *HELLO], seed=1
    )
    (sent,) = stand.provider.requests

    assert sent.target == PATH
    assert sent.headers["authorization"] == f"Bearer {MAIN_KEY}"
    assert set(sent.json) == {"messages", "system"}
    assert answer.choices[0].message.content == SAID
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "us.anthropic.claude-x-v1:0"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (8, 4)


async def test_chat_streamed(stand: Stand) -> None:
    """The path says that it is a stream; the usage comes last."""
    stream = await stand.openai.chat.completions.create(
        model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]

    assert stand.provider.requests[0].target == f"{PATH}-stream"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == SAID
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == 8


async def test_messages(stand: Stand) -> None:
    """A Messages client has a message with the provider's id, and cache points go up."""
    told: Any = [{"type": "text", "text": "Be brief", "cache_control": {"type": "ephemeral"}}]
    answer = await stand.anthropic.messages.create(
        model=MODEL, max_tokens=9, messages=HELLO, system=told
    )

    assert stand.provider.requests[0].json["system"][1] == {"cachePoint": {"type": "default"}}
    assert answer.id == f"msg_{converse.REQUEST_ID}"
    assert [block.text for block in answer.content if block.type == "text"] == [SAID]
    assert answer.stop_reason == "end_turn"
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens) == (5, 2)


async def test_messages_streamed(stand: Stand) -> None:
    """The SDK makes a whole message of the events."""
    async with stand.anthropic.messages.stream(model=MODEL, max_tokens=9, messages=HELLO) as stream:
        answer = await stream.get_final_message()

    assert [block.text for block in answer.content if block.type == "text"] == [SAID]
    assert answer.stop_reason == "end_turn"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (5, 4)


@streamed
async def test_responses(stand: Stand, stream: bool) -> None:
    """By way of chat and of Messages."""
    answer: Any
    if stream:
        async with stand.openai.responses.stream(model=MODEL, input="Hello") as events:
            answer = await events.get_final_response()
    else:
        answer = await stand.openai.responses.create(model=MODEL, input="Hello")

    assert answer.output_text == SAID
    assert answer.status == "completed"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (8, 4)


@streamed
async def test_a_tool_turn_of_a_messages_client(stand: Stand, stream: bool) -> None:
    """A call has the client's name of the tool, however long, and its result is understood."""
    tools: Any = [{"name": LONG, "description": "Say the weather", "input_schema": CITY}]
    asked: dict[str, Any] = {"model": MODEL, "max_tokens": 9, "tools": tools}
    answer: Any
    if stream:
        async with stand.anthropic.messages.stream(messages=HELLO, **asked) as events:
            answer = await events.get_final_message()
    else:
        answer = await stand.anthropic.messages.create(messages=HELLO, **asked)
    (call,) = answer.content
    result: Any = {"type": "tool_result", "tool_use_id": call.id, "content": "rain"}
    talk: Any = [
        *HELLO,
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": [result]},
    ]
    last = await stand.anthropic.messages.create(messages=talk, **asked)

    assert (call.name, call.input) == (LONG, {"city": "Oslo"})
    assert last.stop_reason == "end_turn"


async def test_a_tool_turn_of_a_chat_client(stand: Stand) -> None:
    """A call and its result, there and back."""
    function: Any = {"name": "weather", "parameters": CITY}
    tools: Any = [{"type": "function", "function": function}]
    first = await stand.openai.chat.completions.create(model=MODEL, messages=HELLO, tools=tools)
    message = first.choices[0].message
    assert message.tool_calls is not None
    (call,) = message.tool_calls
    assert call.type == "function"
    result = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
    talk: Any = [*HELLO, message.model_dump(exclude_none=True), result]
    last = await stand.openai.chat.completions.create(model=MODEL, messages=talk, tools=tools)

    assert first.choices[0].finish_reason == "tool_calls"
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    assert last.choices[0].message.content == SAID


@clients
@streamed
@pytest.mark.parametrize(("status", "kind"), [(429, "rate_limit"), (400, "invalid_request_error")])
async def test_an_error(stand: Stand, client: str, stream: bool, status: int, kind: str) -> None:
    """It keeps status and message, and has the client's shape and word."""

    async def refuse(reply: Reply) -> None:
        named = {"x-amzn-errortype": "ThrottlingException:"}
        await reply.whole(status, b'{"message":"their own words"}', named)

    stand.provider.script(refuse)
    response = await stand.post(client, stream=stream)
    error = response.json()["error"]

    assert response.status_code == status
    assert error["message"] == "their own words"
    assert kind in error["type"]
    assert response.headers["x-plano-error-source"] == "upstream"


@clients
async def test_no_answer_is_no_empty_answer(stand: Stand, client: str) -> None:
    """A service that does not know the operation says 200 all the same."""

    async def unknown(reply: Reply) -> None:
        body = b'{"Output":{"__type":"UnknownOperationException"},"Version":"1.0"}'
        await reply.whole(200, body)

    stand.provider.script(unknown)
    response = await stand.post(client)

    assert response.status_code == 502
    assert "error" in response.json()


FINISHES = (b"[DONE]", b"message_stop", b"response.completed", b'"finish_reason":"stop"')


async def received(stand: Stand, client: str) -> bytes:
    """Ask for a stream, and return all of it that arrives."""
    path, body = PATHS[client]
    asked = {"model": MODEL, **body, "stream": True}
    chunks: list[bytes] = []
    async with stand.http.stream("POST", path, json=asked) as response:
        with contextlib.suppress(httpx.RemoteProtocolError):
            await read_into(chunks, response.aiter_bytes())
    return b"".join(chunks)


def unfinished(data: bytes) -> bool:
    """Say whether a stream ends with an error, and not with a finish."""
    return b'"error"' in data and not any(mark in data for mark in FINISHES)


@clients
@pytest.mark.parametrize("kept", range(1, len(converse.text_events())))
@pytest.mark.parametrize("reset", [False, True])
async def test_a_cut_stream_is_never_finished(
    stand: Stand, client: str, kept: int, reset: bool
) -> None:
    """Wherever it is cut, and however, the client is told."""

    async def cut(reply: Reply) -> None:
        await converse.stream(reply, converse.text_events()[:kept])
        if reset:
            reply.cut(reset=True)
        else:
            await reply.end()

    stand.provider.script(cut)

    assert unfinished(await received(stand, client))


@clients
async def test_a_broken_frame_breaks_the_stream(stand: Stand, client: str) -> None:
    """What follows a wrong checksum is not read, even if it looks whole."""

    async def corrupt(reply: Reply) -> None:
        frames = converse.text_events()
        frames[2] = frames[2][:-1] + bytes([frames[2][-1] ^ 1])
        await converse.stream(reply, frames)
        await reply.end()

    stand.provider.script(corrupt)

    assert unfinished(await received(stand, client))


@clients
async def test_an_exception_in_a_stream(stand: Stand, client: str) -> None:
    """It is an error event of the client's dialect, with the provider's words."""

    async def throw(reply: Reply) -> None:
        slow = converse.thrown("throttlingException", "their own words")
        await converse.stream(reply, [*converse.text_events()[:3], slow])
        await reply.end()

    stand.provider.script(throw)
    data = await received(stand, client)

    assert unfinished(data)
    assert b"their own words" in data
    assert b"rate_limit" in data


async def test_the_log_tells_tokens(stand: Stand) -> None:
    """What was read from a cache or written to it is part of the input, once."""
    response = await stand.post("chat", stream=True)
    line = json.loads(await stand.gateway.line_with(response.headers["x-request-id"]))

    assert (line["usage"]["input"], line["usage"]["output"]) == (8, 4)
    assert (line["usage"]["cached"], line["usage"]["cache_write"]) == (2, 1)
