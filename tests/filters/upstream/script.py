"""A transport that plays a script: what a provider answers, without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

SECRET = "sk-our-own-secret"
A, B = "openai/a", "groq/b"
DOCUMENT = {
    "model_providers": [
        {"model": A, "access_key": SECRET},
        {"model": B, "access_key": SECRET},
        {"model": "wild/*", "base_url": "http://wild", "provider_interface": "openai"},
    ]
}
ANSWER = {"id": "c1", "model": "a-2026", "choices": [{"finish_reason": "stop"}]}
EVENTS = (
    b'data: {"id":"c1","model":"m","choices":[{"delta":{"content":"hi"}}]}\n\n',
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\r\n\r\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n',
    b"data: [DONE]\n\n",
)
"""A chat stream, one event with CRLF."""
Reply = httpx.Response | Exception


class Chunks(httpx.AsyncByteStream):
    """A body of these chunks; an exception among them is raised."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self._chunks = chunks
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    async def aclose(self) -> None:
        self.closed = True


class Script(httpx.AsyncBaseTransport):
    """Answers with what it was given, in order; remembers what it was asked."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    @property
    def hosts(self) -> list[str]:
        return [request.url.host for request in self.requests]


def ok(**headers: str) -> httpx.Response:
    return httpx.Response(200, json=ANSWER, headers=headers)


def fails(status: int, code: str = "", **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"error": {"message": "no", "code": code}}, headers=given)


def stream(*chunks: bytes | Exception) -> httpx.Response:
    return httpx.Response(
        200, headers={"content-type": "text/event-stream; charset=utf-8"}, stream=Chunks(*chunks)
    )
