"""The mock as an ASGI app, for tests that want a provider on a socket.

Serve it with `uvicorn --factory plano_filters.mock.app:create_app`, for example.
"""

from __future__ import annotations

from contextlib import nullcontext

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from plano_filters.lifespan import lifespan_protocol
from plano_filters.mock.provider import MockProvider


def create_app() -> ASGIApp:
    """Return a mock provider for any ASGI server.

    A scripted connect error and a scripted cut both end the connection without an end of the
    answer; a server may put a 500 in front of the first.
    """
    provider = MockProvider()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan_protocol(nullcontext, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the mock serves HTTP, not {scope['type']}")
        request = httpx.Request(
            scope["method"],
            f"http://mock.invalid{scope['path']}",
            headers=scope["headers"],
            content=await _body(receive),
        )
        try:
            response = await provider.handle_async_request(request)
            await _answer(response, send)
        except httpx.TransportError:
            return  # the server sees an answer without an end, and cuts the connection

    return app


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _answer(response: httpx.Response, send: Send) -> None:
    head = {"status": response.status_code, "headers": response.headers.raw}
    await send({"type": "http.response.start", **head})
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - the mock's own
    async for chunk in response.stream:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body"})
