"""Chat through the gateway with the official SDK: plain, streamed, tools; and byte for byte."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest

from tests.e2e.conftest import CLIENT_KEY, Stand
from tests.support import behaviours
from tests.support.answers import (
    SAID,
    chat_events,
    tool_call_document,
    tool_call_events,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


async def test_chat(stand: Stand) -> None:
    """A completion comes back, and its headers say who served it."""
    raw = await stand.sdk.chat.completions.with_raw_response.create(model="main", messages=HELLO)

    assert raw.parse().choices[0].message.content == SAID
    assert raw.headers["x-plano-model"] == "openai/main"
    assert raw.headers["x-plano-attempts"] == "1"
    assert raw.headers["x-request-id"] == raw.headers["request-id"]
    assert raw.headers["x-upstream-request-id"] == "provider-request"
    assert "x-plano-fallback-from" not in raw.headers


async def test_chat_by_the_blocking_client(stand: Stand) -> None:
    """The SDK's blocking client works as well, plain and streamed."""

    def ask() -> tuple[str | None, str]:
        with openai.OpenAI(
            base_url=f"{stand.gateway.url}/v1", api_key=CLIENT_KEY, max_retries=0
        ) as client:
            plain = client.chat.completions.create(model="main", messages=HELLO)
            stream = client.chat.completions.create(model="main", messages=HELLO, stream=True)
            text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        return plain.choices[0].message.content, text

    assert await asyncio.to_thread(ask) == (SAID, f"{SAID} ")


async def test_stream(stand: Stand) -> None:
    """A streamed completion arrives piece by piece and ends with its reason."""
    stream = await stand.sdk.chat.completions.create(model="main", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]

    assert "".join(c.choices[0].delta.content or "" for c in chunks) == f"{SAID} "
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_events_are_relayed_as_they_come(stand: Stand) -> None:
    """The first event reaches the client while the provider still holds back the second."""
    stand.main.script(behaviours.stall(after=1))
    stream = await stand.sdk.chat.completions.create(model="main", messages=HELLO, stream=True)

    first = await anext(aiter(stream))
    await stream.close()

    assert first.choices[0].delta.role == "assistant"
    assert stand.main.requests[0].events_sent == 1


async def test_tools(stand: Stand) -> None:
    """A tool call comes through, and so do the tools that were offered."""
    stand.main.script(behaviours.json(tool_call_document("main")))
    completion = await stand.sdk.chat.completions.create(model="main", messages=HELLO, tools=TOOLS)

    call = (completion.choices[0].message.tool_calls or [])[0]
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Oslo"}')
    assert stand.main.requests[0].json["tools"] == TOOLS


async def test_tools_streamed(stand: Stand) -> None:
    """The SDK's stream helper puts a streamed tool call together."""
    stand.main.script(behaviours.sse(tool_call_events("main")))
    async with stand.sdk.chat.completions.stream(
        model="main", messages=HELLO, tools=TOOLS
    ) as stream:
        completion = await stream.get_final_completion()

    call = (completion.choices[0].message.tool_calls or [])[0]
    assert json.loads(call.function.arguments) == {"city": "Oslo"}


async def test_an_alias_and_no_model_at_all(stand: Stand) -> None:
    """An alias asks for its target, and a request that names no model gets the default."""
    await stand.sdk.chat.completions.create(model="fast", messages=HELLO)
    await stand.http.post("/v1/chat/completions", json={"messages": HELLO})

    assert [request.json["model"] for request in stand.main.requests] == ["main", "main"]


async def test_a_plain_answer_is_byte_for_byte_the_providers(stand: Stand) -> None:
    """Odd spacing, unknown fields, duplicate keys and escapes of an answer are not touched."""
    body = (
        b'{ "id":"x",\n\t"new_field": {"a":1e400, "n":123456789012345678901234567890},'
        b' "text":"\\u00e9\xc3\xa9", "text":"again" }\n'
    )
    stand.main.script(behaviours.answer(200, body, {"openai-organization": "acme"}))
    answer = await stand.http.post("/v1/chat/completions", json={"model": "main"})

    assert answer.content == body
    assert answer.headers["openai-organization"] == "acme"


async def test_a_stream_is_byte_for_byte_the_providers(stand: Stand) -> None:
    """Comments, ids, unknown events, CRLF and odd spacing of a stream are not touched."""
    events = [
        b": a comment\n\n",
        b'id: 7\nretry: 10\nevent: odd\ndata:{"choices":[]}\n\n',
        b'data: {"choices":[],"x":"\xe2\x82\xac"}\r\n\r\n',
        *chat_events("main"),
    ]
    stand.main.script(behaviours.sse(events))
    answer = await stand.http.post("/v1/chat/completions", json={"model": "main", "stream": True})

    assert answer.content == b"".join(events)
    assert answer.headers["content-type"] == "text/event-stream"
    assert "content-length" not in answer.headers


async def test_a_request_reaches_the_provider_unchanged_but_for_the_model(stand: Stand) -> None:
    """Unknown fields, big numbers, escapes and spacing arrive; only the model's name differs."""
    body = (
        b'{"model" : "openai/main", "messages":[ {"role":"user","content":"\\u00e9 \xc3\xa9"} ],\n'
        b' "n_big": 123456789012345678901234567890, "tiny": 1.0000000000000000001,'
        b' "future": {"a": [1, 2.50, null]}, "stream" : false}'
    )
    await stand.http.post(
        "/v1/chat/completions",
        content=body,
        headers={"content-type": "application/json", "x-custom": "kept"},
    )

    received = stand.main.requests[0]
    assert received.body == body.replace(b'"openai/main"', b'"main"')
    assert received.target == "/v1/chat/completions"
    assert received.headers["x-custom"] == "kept"
    assert received.headers["accept-encoding"] == "identity"


async def test_a_request_that_needs_no_change_is_not_changed(stand: Stand) -> None:
    """Where even the model's name is the provider's, the client's bytes go up as they are."""
    body = b'{ "model":"main" ,"messages":[] }'
    await stand.http.post(
        "/v1/chat/completions", content=body, headers={"content-type": "application/json"}
    )

    assert stand.main.requests[0].body == body
