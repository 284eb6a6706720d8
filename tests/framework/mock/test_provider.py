"""The mock as a transport."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters.mock import MockProvider

HELLO = {"model": "fast", "messages": [{"role": "user", "content": "Hello"}]}


async def ask(
    provider: MockProvider, headers: dict[str, str], path: str = "/v1/chat/completions", **body: Any
) -> httpx.Response:
    """Send one request without a pause; the answer's body is not read yet."""
    given = {"x-mock-delay-ms": "0", **headers}
    url = f"http://mock.invalid{path}"
    return await provider.handle_async_request(
        httpx.Request("POST", url, headers=given, json={**HELLO, **body})
    )


async def test_statuses_follow_the_tries_of_one_request() -> None:
    """`429,200` fails a request once, and every other request once as well."""
    provider = MockProvider()
    script = {"x-mock-status": "429,200"}

    first = [(await ask(provider, {**script, "x-request-id": "a"})).status_code for _ in range(3)]
    other = await ask(provider, {**script, "x-request-id": "b"})

    assert first == [429, 200, 200]
    assert other.status_code == 429


async def test_a_request_without_an_id_is_always_a_first_try() -> None:
    """Requests that cannot be told apart do not use up each other's script."""
    provider = MockProvider()

    statuses = [(await ask(provider, {"x-mock-status": "500,200"})).status_code for _ in range(2)]

    assert statuses == [500, 500]


async def test_only_the_named_model_fails() -> None:
    """`x-mock-model` lets another model stand in."""
    provider = MockProvider()
    script = {"x-mock-status": "503", "x-mock-model": "fast", "x-request-id": "a"}

    assert (await ask(provider, script)).status_code == 503
    assert (await ask(provider, script, model="smart")).status_code == 200


async def test_an_error_has_the_envelope_and_says_when_to_come_back() -> None:
    """A scripted error is what an OpenAI SDK expects of one."""
    response = await ask(MockProvider(), {"x-mock-status": "429", "x-mock-retry-after": "2"})
    error = json.loads(await response.aread())["error"]

    assert response.headers["retry-after"] == "2"
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == "rate_limit_exceeded"


ENDPOINTS = ["/v1/chat/completions", "/v1/responses", "/v1/messages"]


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_a_script_is_played_on_every_endpoint(path: str) -> None:
    """Statuses and cuts do not depend on the dialect; the error's shape does."""
    given = {"input": "Hello", "max_tokens": 9}
    refused = await ask(MockProvider(), {"x-mock-status": "429"}, path, **given)
    cut = await ask(MockProvider(), {"x-mock-cut-after": "2"}, path, stream=True, **given)
    error = json.loads(await refused.aread())
    chunks = cut.aiter_raw()
    await anext(chunks)
    await anext(chunks)

    assert refused.status_code == 429
    assert error.get("type") == ("error" if path == "/v1/messages" else None)
    assert "asked to answer 429" in error["error"]["message"]
    with pytest.raises(httpx.ReadError):
        await anext(chunks)


async def test_messages_need_max_tokens() -> None:
    """Anthropic's API requires it, so its mock does."""
    response = await ask(MockProvider(), {}, "/v1/messages")

    assert response.status_code == 400
    assert "max_tokens" in json.loads(await response.aread())["error"]["message"]


async def test_tokens_are_counted() -> None:
    """For clients that ask before they send."""
    response = await ask(MockProvider(), {}, "/v1/messages/count_tokens")

    assert json.loads(await response.aread())["input_tokens"] > 0


async def test_a_refused_connection() -> None:
    """A connect error is raised as a transport raises it."""
    with pytest.raises(httpx.ConnectError):
        await ask(MockProvider(), {"x-mock-connect-error": "1"})


async def test_a_cut_stream_has_no_end() -> None:
    """After so many events the stream breaks, as on a lost connection."""
    response = await ask(MockProvider(), {"x-mock-cut-after": "2"}, stream=True)
    chunks = response.aiter_raw()
    seen = [await anext(chunks), await anext(chunks)]

    with pytest.raises(httpx.ReadError):
        await anext(chunks)
    assert not any(b"[DONE]" in chunk for chunk in seen)


async def test_a_stream_is_one_event_a_chunk() -> None:
    """Nothing is held back: each event comes on its own, and `[DONE]` last."""
    response = await ask(MockProvider(), {}, stream=True)
    chunks = [chunk async for chunk in response.aiter_raw()]

    assert response.headers["content-type"] == "text/event-stream"
    assert len(chunks) > 3
    assert all(chunk.startswith(b"data: ") and chunk.endswith(b"\n\n") for chunk in chunks)
    assert chunks[-1] == b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/v1/models", b"", 200),
        ("GET", "/v1/chat/completions", b"", 404),
        ("POST", "/v1/audio", b"{}", 404),
        ("POST", "/v1/chat/completions", b"[]", 400),
        ("POST", "/v1/chat/completions", b"{", 400),
        ("POST", "/v1/chat/completions", b"", 400),
    ],
)
async def test_other_requests(method: str, path: str, content: bytes, status: int) -> None:
    """What the mock does not serve is refused, not answered with something else."""
    request = httpx.Request(method, f"http://mock.invalid{path}", content=content)
    response = await MockProvider().handle_async_request(request)

    assert response.status_code == status


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)

FIELDS = ("messages", "input", "tools", "tool_choice", "stream_options")


@given(
    st.sampled_from(
        [
            "/v1/chat/completions",
            "/v1/responses",
            "/v1/embeddings",
            "/v1/messages",
            "/v1/messages/count_tokens",
        ]
    ),
    st.fixed_dictionaries({"max_tokens": st.just(9)}, optional=dict.fromkeys(FIELDS, JSON)),
    st.booleans(),
)
async def test_whatever_is_asked_is_answered(
    path: str, body: dict[str, object], stream: bool
) -> None:
    """A request that no API would take is a 400, never an exception."""
    response = await ask(MockProvider(), {}, path, **{"stream": stream, **body})

    assert response.status_code in (200, 400)
