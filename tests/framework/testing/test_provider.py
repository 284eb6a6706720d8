"""The provider on a socket: it answers as the mock, and remembers what it was asked."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from plano_filters.testing import FakeProvider, Reply, mock_provider

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


def client(provider: FakeProvider) -> httpx.AsyncClient:
    """Return a client of a provider."""
    return httpx.AsyncClient(base_url=provider.base_url, trust_env=False)


@pytest.mark.parametrize("stream", [True, False])
async def test_it_answers_as_the_mock_does(*, stream: bool) -> None:
    """Plain, or streamed to `[DONE]`, and without the mock's visible delay."""
    async with mock_provider() as provider, client(provider) as http:
        answer = await http.post("/chat/completions", json={**BODY, "stream": stream})

    assert answer.status_code == 200
    assert "You said: Hello" in answer.text or stream
    assert answer.text.endswith("data: [DONE]\n\n") == stream


async def test_it_speaks_what_the_mock_speaks() -> None:
    """Also the Responses API, and a 404 to what it does not serve."""
    async with mock_provider() as provider, client(provider) as http:
        answer = await http.post("/responses", json={"model": "m", "input": "Hi", "stream": True})
        unknown = await http.post("/nothing", json={})

    assert "event: response.completed" in answer.text
    assert unknown.status_code == 404


async def test_headers_of_a_request_make_it_fail() -> None:
    """As those of the mock: here a stream that is cut."""
    async with mock_provider() as provider, client(provider) as http:
        with pytest.raises(httpx.TransportError):
            await http.post(
                "/chat/completions",
                json={**BODY, "stream": True},
                headers={"x-mock-cut-after": "2"},
            )


async def test_it_knows_when_its_client_left() -> None:
    """In the middle of an answer, which nobody reads to its end."""
    async with mock_provider() as provider:
        provider.script(silent)
        async with client(provider) as http:
            asking = asyncio.create_task(http.post("/chat/completions", json=BODY))
            received = await provider.request()
            asking.cancel()
            await asyncio.wait([asking])
        async with asyncio.timeout(10):
            await received.disconnected.wait()

    assert received.json == BODY
    assert received.target == "/v1/chat/completions"


async def silent(reply: Reply) -> None:
    """Begin a stream, and say nothing."""
    await reply.stream_head()
    await asyncio.Event().wait()


async def test_it_can_begin_anew() -> None:
    """Requests and script are forgotten."""
    async with mock_provider() as provider, client(provider) as http:
        provider.script(silent)
        provider.reset()
        answer = await http.post("/chat/completions", json=BODY)
        provider.reset()

    assert answer.status_code == 200
    assert provider.requests == []
