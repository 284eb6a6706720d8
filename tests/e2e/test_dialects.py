"""Every client in front of every provider, with the vendors' own SDKs and strict providers."""

from __future__ import annotations

import asyncio
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

from tests.e2e.conftest import BACKUP_KEY, CLIENT_KEY, MAIN_KEY, read_into
from tests.support import behaviours, strict
from tests.support.answers import (
    SAID,
    message_call_events,
    message_error_document,
    message_events,
)
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.provider import FakeProvider, Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENT = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers:
  - {model: together_ai/chat, access_key: $MAIN_KEY, base_url: $CHAT_URL}
  - {model: anthropic/claude, access_key: $BACKUP_KEY, base_url: $MESSAGES_URL, default: true}
  - {model: openai/gpt, access_key: $MAIN_KEY, base_url: $CHAT_URL}
  - model: anthropic/dated
    access_key: $BACKUP_KEY
    base_url: $MESSAGES_URL
    headers: {anthropic-version: "2026-10-21"}
model_aliases: {fast: {target: anthropic/claude}}
routing_preferences:
  - {name: code, description: writing code, models: [together_ai/chat, anthropic/claude]}
filters:
  - alias
  - upstream: {attempts: 1, idle_timeout: 1s, keep_alive: 200ms}
"""
CHAT, MESSAGES = "together_ai/chat", "anthropic/claude"
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
FUNCTION: Any = {
    "name": "weather",
    "description": "Say the weather",
    "parameters": CITY,
    "strict": True,  # else the previous major version of the SDK does not stream it
}


@dataclass(frozen=True, slots=True)
class Stand:
    """A gateway between the SDKs and two strict providers, each of one dialect."""

    gateway: RunningGateway
    chat: FakeProvider
    messages: FakeProvider
    openai: openai.AsyncOpenAI
    anthropic: anthropic.AsyncAnthropic

    def provider(self, model: str) -> FakeProvider:
        return self.chat if model == CHAT else self.messages


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncGenerator[Stand]:
    """Start everything, once for the module."""
    async with AsyncExitStack() as stack:
        chat = await stack.enter_async_context(FakeProvider().serve())
        messages = await stack.enter_async_context(FakeProvider().serve())
        env = {
            "MAIN_KEY": MAIN_KEY,
            "BACKUP_KEY": BACKUP_KEY,
            "CHAT_URL": chat.url,
            "MESSAGES_URL": messages.url,
        }
        gateway = await stack.enter_async_context(run_gateway(DOCUMENT, env))
        theirs: dict[str, Any] = {"api_key": CLIENT_KEY, "max_retries": 0, "timeout": 20}
        first = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", **theirs)
        second = anthropic.AsyncAnthropic(base_url=gateway.url, **theirs)
        await stack.enter_async_context(first)
        await stack.enter_async_context(second)
        yield Stand(gateway, chat, messages, first, second)


@pytest.fixture
def stand(running: Stand) -> Stand:
    """Return the running stand with nothing recorded, and each provider in its dialect."""
    running.chat.reset()
    running.messages.reset()
    running.chat.default = strict.chat
    running.messages.default = strict.messages
    return running


both = pytest.mark.parametrize("model", [CHAT, MESSAGES])
streamed = pytest.mark.parametrize("stream", [False, True])


# ---- clients of chat completions


@both
async def test_chat(stand: Stand, model: str) -> None:
    """A system prompt and a question have an answer with tokens and a finish reason."""
    answer = await stand.openai.chat.completions.create(
        model=model, messages=[{"role": "system", "content": "Be brief"}, *HELLO], temperature=0.5
    )

    assert answer.choices[0].message.content == SAID
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (5, 4)
    assert answer.id.startswith("chatcmpl-")


@both
async def test_chat_streamed(stand: Stand, model: str) -> None:
    """The pieces make up the answer; the usage comes last, as asked for."""
    stream = await stand.openai.chat.completions.create(
        model=model, messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    reasons = [c.choices[0].finish_reason for c in chunks if c.choices]

    assert text.split()[0] == "Hello"
    assert [reason for reason in reasons if reason] == ["stop"]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 4
    assert len({chunk.id for chunk in chunks}) == 1


@both
@streamed
async def test_chat_with_a_tool(stand: Stand, model: str, stream: bool) -> None:
    """A call comes back, its result goes up, and an answer comes."""
    tools: Any = [{"type": "function", "function": FUNCTION}]
    asked: dict[str, Any] = {"model": model, "tools": tools}
    if stream:
        async with stand.openai.chat.completions.stream(messages=HELLO, **asked) as events:
            first: Any = await events.get_final_completion()
    else:
        first = await stand.openai.chat.completions.create(messages=HELLO, **asked)
    message = first.choices[0].message
    call = message.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
    history = [*HELLO, message.model_dump(exclude_none=True, exclude={"parsed"}), result]
    for one in history[1].get("tool_calls", []):
        one["function"].pop("parsed_arguments", None)
    last: Any = await stand.openai.chat.completions.create(messages=history, **asked)

    assert first.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, call.function.arguments.replace(" ", "")) == (
        "weather",
        '{"city":"Oslo"}',
    )
    assert last.choices[0].message.content == SAID


# ---- clients of messages


@both
async def test_messages(stand: Stand, model: str) -> None:
    """A system prompt and a question have an answer with tokens and a stop reason."""
    answer = await stand.anthropic.messages.create(
        model=model, messages=HELLO, max_tokens=50, system="Be brief"
    )

    assert answer.content[0].type == "text"
    assert answer.content[0].text == SAID
    assert answer.stop_reason == "end_turn"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (5, 4)


@both
async def test_messages_streamed(stand: Stand, model: str) -> None:
    """The SDK's own helper puts the events together."""
    async with stand.anthropic.messages.stream(
        model=model, messages=HELLO, max_tokens=50
    ) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        final = await stream.get_final_message()

    assert text.split()[0] == "Hello"
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens == 4


@both
@streamed
async def test_messages_with_a_tool(stand: Stand, model: str, stream: bool) -> None:
    """A call comes back, its result goes up with a word of the user's, and an answer comes."""
    tools: Any = [{"name": "weather", "description": "Say it", "input_schema": CITY}]
    asked: dict[str, Any] = {"model": model, "tools": tools, "max_tokens": 50}
    if stream:
        async with stand.anthropic.messages.stream(messages=HELLO, **asked) as events:
            first: Any = await events.get_final_message()
    else:
        first = await stand.anthropic.messages.create(messages=HELLO, **asked)
    call = first.content[-1]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "rain"}
    said = [block.model_dump(exclude_none=True) for block in first.content]
    for block in said:
        for extra in set(block) - {"type", "text", "id", "name", "input"}:
            block.pop(extra)
    history = [
        *HELLO,
        {"role": "assistant", "content": said},
        {"role": "user", "content": [result, {"type": "text", "text": "and?"}]},
    ]
    last: Any = await stand.anthropic.messages.create(messages=history, **asked)

    assert first.stop_reason == "tool_use"
    assert (call.name, call.input) == ("weather", {"city": "Oslo"})
    assert any(block.type == "text" for block in last.content) or last.stop_reason == "tool_use"


# ---- clients of responses


@both
async def test_responses(stand: Stand, model: str) -> None:
    """Instructions and an input have an answer with tokens and a status."""
    answer = await stand.openai.responses.create(
        model=model, input="Hello", instructions="Be brief", max_output_tokens=50
    )

    assert answer.output_text == SAID
    assert answer.status == "completed"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (5, 4)


@both
async def test_responses_streamed(stand: Stand, model: str) -> None:
    """Events come numbered and in order, and the last has the whole response."""
    stream = await stand.openai.responses.create(model=model, input="Hello", stream=True)
    events: list[Any] = [event async for event in stream]
    text = "".join(e.delta for e in events if e.type == "response.output_text.delta")

    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == text
    assert text.split()[0] == "Hello"


@both
@streamed
async def test_responses_with_a_tool(stand: Stand, model: str, stream: bool) -> None:
    """A call comes back as an item, its output goes up, and an answer comes."""
    tools: Any = [{"type": "function", **FUNCTION}]
    asked: dict[str, Any] = {"model": model, "tools": tools}
    given: Any = [{"role": "user", "content": "Hello"}]
    if stream:
        async with stand.openai.responses.stream(input=given, **asked) as events:
            first: Any = await events.get_final_response()
    else:
        first = await stand.openai.responses.create(input=given, **asked)
    call = first.output[-1]
    items = [item.model_dump(exclude_none=True) for item in first.output]
    for item in items:
        item.pop("parsed_arguments", None)
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    last: Any = await stand.openai.responses.create(input=[*given, *items, result], **asked)

    assert (call.type, call.name) == ("function_call", "weather")
    assert call.arguments.replace(" ", "") == '{"city":"Oslo"}'
    assert last.output_text == SAID


# ---- what only a gateway can get wrong


@streamed
async def test_a_fallback_crosses_dialects(stand: Stand, stream: bool) -> None:
    """A chat request whose provider fails is answered by one that speaks another dialect."""
    stand.chat.script(behaviours.status(503))
    raw = await stand.openai.chat.completions.with_raw_response.create(
        model=CHAT, messages=HELLO, stream=stream, seed=7, max_tokens=50
    )

    assert raw.headers["x-plano-model"] == MESSAGES
    assert raw.headers["x-plano-fallback-from"] == CHAT
    assert raw.headers["x-plano-dropped-params"] == "seed"
    assert stand.chat.requests[0].json["seed"] == 7
    assert stand.messages.requests[0].target == "/v1/messages"
    assert stand.messages.requests[0].json["max_tokens"] == 50
    if not stream:
        assert raw.http_response.json()["choices"][0]["message"]["content"] == SAID


async def test_a_fallback_back_to_the_own_dialect_drops_nothing(stand: Stand) -> None:
    """What an earlier try had to leave out is not told of one that did not."""
    stand.messages.script(behaviours.status(503))
    raw = await stand.openai.chat.completions.with_raw_response.create(
        model=MESSAGES, messages=HELLO, seed=7
    )

    assert raw.headers["x-plano-model"] == CHAT
    assert "x-plano-dropped-params" not in raw.headers


async def test_what_cannot_be_translated_goes_to_who_needs_no_translation(stand: Stand) -> None:
    """Two choices at once are impossible on a Messages API, which is therefore not asked."""
    raw = await stand.openai.chat.completions.with_raw_response.create(
        model=MESSAGES, messages=HELLO, n=2
    )

    assert raw.headers["x-plano-model"] == CHAT
    assert raw.headers["x-plano-attempts"] == "1"
    assert stand.messages.requests == []


async def test_what_cannot_be_translated_for_anybody_is_refused(stand: Stand) -> None:
    """With the parameter at fault, in the client's dialect, and nobody is asked."""
    with pytest.raises(openai.BadRequestError) as raised:
        await stand.openai.chat.completions.create(
            model=MESSAGES, messages=HELLO, n=2, extra_headers={"x-plano-fallback": "off"}
        )

    assert raised.value.param == "n"
    assert stand.messages.requests == []


async def test_headers_of_the_other_api_stay_here(stand: Stand) -> None:
    """`anthropic-*` and `?beta=true` mean nothing to a chat provider."""
    await stand.anthropic.beta.messages.create(
        model=CHAT, messages=HELLO, max_tokens=5, betas=["context-1m-2025-08-07"]
    )

    (request,) = stand.chat.requests
    assert request.target == "/v1/chat/completions"
    assert not any(name.startswith("anthropic-") for name in request.headers)
    assert request.headers["authorization"] == f"Bearer {MAIN_KEY}"
    assert request.headers["content-type"] == "application/json"


async def test_headers_of_the_answer_survive(stand: Stand) -> None:
    """Rate limits and the provider's request id; length and type are those of our body."""
    raw = await stand.openai.chat.completions.with_raw_response.create(
        model=MESSAGES, messages=HELLO
    )

    assert raw.headers["anthropic-ratelimit-tokens-remaining"] == "7"
    assert raw.headers["x-upstream-request-id"] == "req_theirs"
    assert raw.headers["content-type"] == "application/json"
    assert int(raw.headers["content-length"]) == len(raw.http_response.content)


async def test_the_newer_api_version_gets_no_temperature(stand: Stand) -> None:
    """It refuses one; what is left out is told."""
    raw = await stand.openai.chat.completions.with_raw_response.create(
        model="anthropic/dated", messages=HELLO, temperature=0.2, top_p=0.9
    )

    assert raw.headers["x-plano-model"] == "anthropic/dated"
    assert set(raw.headers["x-plano-dropped-params"].split(", ")) == {"temperature", "top_p"}


@pytest.mark.parametrize(
    ("status", "kind", "raises", "code"),
    [
        (400, "invalid_request_error", openai.BadRequestError, "invalid_request_error"),
        (401, "authentication_error", openai.AuthenticationError, "invalid_api_key"),
        (403, "permission_error", openai.PermissionDeniedError, "permission_error"),
        (404, "not_found_error", openai.NotFoundError, "model_not_found"),
        (429, "rate_limit_error", openai.RateLimitError, "rate_limit_exceeded"),
        (500, "api_error", openai.InternalServerError, "api_error"),
        (529, "overloaded_error", openai.InternalServerError, "overloaded_error"),
    ],
)
async def test_anthropics_error_for_an_openai_client(
    stand: Stand, status: int, kind: str, raises: type[openai.APIStatusError], code: str
) -> None:
    """The SDK raises its own class with the provider's message; ids and limits survive."""
    document = message_error_document(status, kind, "they say no")
    stand.messages.default = behaviours.json(document, status, {"retry-after": "60"})
    with pytest.raises(raises, match="they say no") as raised:
        await stand.openai.chat.completions.create(
            model=MESSAGES, messages=HELLO, extra_headers={"x-plano-fallback": "off"}
        )

    error = raised.value
    assert error.code == code
    assert error.status_code == (503 if status == 529 else status)
    assert error.response.headers["retry-after"] == "60"
    assert error.response.headers["x-should-retry"] == "false"
    assert error.response.headers["x-plano-error-source"] == "upstream"
    assert error.response.headers["x-upstream-request-id"] == "req_theirs"


@pytest.mark.parametrize(
    ("status", "kind", "raises"),
    [
        (400, "invalid_request_error", anthropic.BadRequestError),
        (401, "authentication_error", anthropic.AuthenticationError),
        (404, "not_found_error", anthropic.NotFoundError),
        (429, "rate_limit_error", anthropic.RateLimitError),
        (503, "api_error", anthropic.InternalServerError),
    ],
)
async def test_openais_error_for_an_anthropic_client(
    stand: Stand, status: int, kind: str, raises: type[anthropic.APIStatusError]
) -> None:
    """The type is Anthropic's, the message and the code are the provider's."""
    stand.chat.default = behaviours.status(status)
    with pytest.raises(raises, match=f"the provider says {status}") as raised:
        await stand.anthropic.messages.create(
            model=CHAT, messages=HELLO, max_tokens=5, extra_headers={"x-plano-fallback": "off"}
        )

    body = raised.value.response.json()
    assert body["error"]["type"] == kind
    assert body["error"]["details"]["error_code"] == "scripted"
    assert body["request_id"] == raised.value.request_id


async def test_a_cut_stream_is_an_error_for_an_openai_client(stand: Stand) -> None:
    """Half of a message is never taken for the whole of it."""

    async def cut(reply: Reply) -> None:
        await reply.stream_head()
        await reply.events(message_events("claude")[:4], delay=0.02)
        reply.cut(reset=False)

    stand.messages.script(cut)
    stream = await stand.openai.chat.completions.create(model=MESSAGES, messages=HELLO, stream=True)
    chunks: list[Any] = []
    with pytest.raises(openai.APIError, match="broke the connection"):
        await read_into(chunks, stream)

    assert chunks
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks)


@pytest.mark.parametrize("way", ["cut", "stall"])
async def test_a_broken_stream_is_an_error_for_an_anthropic_client(stand: Stand, way: str) -> None:
    """Also one that falls silent: pings until the deadline, then an error event."""
    stand.chat.script(behaviours.cut(3, reset=True) if way == "cut" else behaviours.stall(3))
    stream = await stand.anthropic.messages.create(
        model=CHAT, messages=HELLO, max_tokens=5, stream=True
    )
    events: list[Any] = []
    with pytest.raises(anthropic.APIError):
        await read_into(events, stream)

    kinds = [event.type for event in events]
    assert kinds[0] == "message_start"
    assert "message_stop" not in kinds


async def test_an_error_event_is_translated(stand: Stand) -> None:
    """Message and code of the provider reach the client, in the client's dialect."""
    error = message_error_document(529, "overloaded_error", "they are busy")
    events = message_events("claude")[:4]
    events.append(f"event: error\ndata: {json.dumps(error)}\n\n".encode())
    stand.messages.script(behaviours.sse(events))
    stream = await stand.openai.chat.completions.create(model=MESSAGES, messages=HELLO, stream=True)
    with pytest.raises(openai.APIError, match="they are busy") as raised:
        await read_into([], stream)

    assert raised.value.code == "overloaded_error"


@pytest.mark.parametrize("client", ["openai", "anthropic"])
async def test_a_client_that_leaves_cancels_the_provider(stand: Stand, client: str) -> None:
    """In the middle of a translated stream, as in any other."""

    async def endless(reply: Reply) -> None:
        await reply.stream_head()
        events = message_events("claude")
        await reply.events(events[:3])
        while True:
            await reply.events(events[2:3], delay=0.01)

    if client == "openai":
        provider = stand.messages
        provider.script(endless)
        stream: Any = await stand.openai.chat.completions.create(
            model=MESSAGES, messages=HELLO, stream=True
        )
    else:
        provider = stand.chat
        provider.script(behaviours.endless())
        stream = await stand.anthropic.messages.create(
            model=CHAT, messages=HELLO, max_tokens=5, stream=True
        )
    await anext(aiter(stream))
    await stream.close()
    request = await provider.request()

    await request.disconnected.wait()


RAW: list[tuple[str, str, dict[str, Any], bytes, bytes]] = [
    ("/v1/chat/completions", MESSAGES, {"messages": HELLO}, b": keep-alive\n\n",
     b"data: [DONE]\n\n"),
    ("/v1/messages", CHAT, {"messages": HELLO, "max_tokens": 5},
     b'event: ping\ndata: {"type": "ping"}\n\n',
     b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
    ("/v1/responses", CHAT, {"input": "Hello"}, b": keep-alive\n\n", b"}\n\n"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "model", "body", "sign", "end"), RAW)
async def test_the_bytes_of_a_translated_stream(
    stand: Stand, path: str, model: str, body: dict[str, Any], sign: bytes, end: bytes
) -> None:
    """Events framed, signs of life and an end as the client's dialect has them."""

    async def slow(reply: Reply) -> None:
        events = message_events("claude")
        await reply.stream_head()
        await reply.events(events[:4])
        await asyncio.sleep(0.5)  # longer than keep_alive, on the clock of another process
        await reply.events(events[4:])
        await reply.send(b"0\r\n\r\n")

    provider = stand.provider(model)
    provider.script(slow if model == MESSAGES else behaviours.pause(3, 0.5))
    async with httpx.AsyncClient(base_url=stand.gateway.url, trust_env=False) as client:
        answer = await client.post(path, json={"model": model, "stream": True, **body})

    raw = answer.content
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert sign in raw
    assert raw.endswith(end)
    named = [block.startswith((b"event: ", b": ")) for block in raw.strip().split(b"\n\n")]
    assert all(named) if path != "/v1/chat/completions" else b"event: " not in raw


async def test_a_stream_in_pieces_of_one_byte(stand: Stand) -> None:
    """However a provider's packets fall, the client gets the same."""

    async def crumbs(reply: Reply) -> None:
        await reply.stream_head()
        for byte in b"".join(message_call_events("claude")):
            await reply.chunk(bytes([byte]))
        await reply.send(b"0\r\n\r\n")

    asked: dict[str, Any] = {"model": MESSAGES, "messages": HELLO}
    asked["tools"] = [{"type": "function", "function": FUNCTION}]
    async with stand.openai.chat.completions.stream(**asked) as events:
        usual = await events.get_final_completion()
    stand.messages.script(crumbs)
    async with stand.openai.chat.completions.stream(**asked) as events:
        torn = await events.get_final_completion()

    assert torn.choices == usual.choices
    assert torn.usage == usual.usage


@pytest.mark.parametrize("base", ["", "/v1"])
async def test_both_forms_of_an_anthropic_base_url(stand: Stand, base: str) -> None:
    """The SDK appends `/v1/messages` to either."""
    async with anthropic.AsyncAnthropic(
        base_url=f"{stand.gateway.url}{base}", api_key=CLIENT_KEY, max_retries=0
    ) as sdk:
        answer = await sdk.messages.create(model="fast", messages=HELLO, max_tokens=5)
        listed = [model.id async for model in await sdk.models.list()]

    assert answer.content[0].type == "text"
    assert listed[:2] == [CHAT, MESSAGES]
    assert stand.messages.requests[0].target == "/v1/messages"


@pytest.mark.parametrize(("model", "estimated"), [(MESSAGES, None), (CHAT, "input_tokens")])
async def test_tokens_are_counted(stand: Stand, model: str, estimated: str | None) -> None:
    """By the provider where it can, else by an estimate that says it is one."""
    stand.messages.default = behaviours.json({"input_tokens": 77})
    raw = await stand.anthropic.messages.with_raw_response.count_tokens(model=model, messages=HELLO)

    assert raw.headers.get("x-plano-estimated") == estimated
    assert (raw.http_response.json()["input_tokens"] == 77) == (estimated is None)
    targets = [request.target for request in stand.messages.requests]
    assert targets == ([] if estimated else ["/v1/messages/count_tokens"])
