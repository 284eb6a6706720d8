"""A chain in front of a real ASGI app, served by a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from plano_filters.chain import Chain, link
from plano_filters.errors import Unauthorized
from plano_filters.exchange import Exchange, Outcome
from plano_filters.filter import FactoryContext, Filter, FilterConfig
from plano_filters.messages import Response
from plano_filters.middleware import FilterChainMiddleware
from tests.framework.test_asgi import ask, post
from tests.support.serving import serve


class Guard(Filter[FilterConfig]):
    """Refuses the path /secret, renames the model, marks the response."""

    def __init__(self) -> None:
        super().__init__(FilterConfig(), FactoryContext("guard"))
        self.log: list[str] = []
        self.outcomes: asyncio.Queue[Outcome] = asyncio.Queue()

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        self.log.append("chain starts")
        yield
        self.log.append("chain stops")

    async def on_request(self, exchange: Exchange) -> None:
        if exchange.request.path == "/secret":
            raise Unauthorized("no")
        if exchange.request.body:
            exchange.request.edit(model="renamed")

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        response.headers["x-guarded"] = "yes"

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        self.outcomes.put_nowait(outcome)


def wrapped(guard: Guard) -> FilterChainMiddleware:
    async def echo(request: Request) -> JSONResponse:
        return JSONResponse({"got": await request.json(), "state": request.state.colour})

    async def stream(request: Request) -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            try:
                yield b"data: 1\n\n"
                await asyncio.Event().wait()
            finally:
                guard.log.append("app cancelled")

        return StreamingResponse(body(), media_type="text/event-stream")

    async def fail(request: Request) -> JSONResponse:
        raise RuntimeError("in the app")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[dict[str, str]]:
        guard.log.append("app starts")
        yield {"colour": "red"}
        guard.log.append("app stops")

    routes = [
        Route("/v1/chat/completions", echo, methods=["POST"]),
        Route("/routing/v1/chat/completions", echo, methods=["POST"]),
        Route("/stream", stream),
        Route("/fail", fail),
        Route("/secret", fail),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    return FilterChainMiddleware(app, chain=Chain([link(guard, id="guard", name="guard")]))


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()


async def test_requests_pass_the_filters_and_reach_the_app() -> None:
    """The app sees what the filters left; the client sees what the filters added."""
    guard = Guard()
    async with serve(wrapped(guard)) as address:
        status, headers, body = await ask(address, post(b'{"model":"m","n":1}'))

    assert status == 200
    assert headers["x-guarded"] == "yes"
    assert json.loads(body.split(b"\r\n")[1]) == {
        "got": {"model": "renamed", "n": 1},
        "state": "red",
    }
    assert guard.log == ["app starts", "chain starts", "chain stops", "app stops"]


async def test_a_refused_request_never_reaches_the_app() -> None:
    """The filter's error is the answer."""
    async with serve(wrapped(Guard())) as address:
        status, _, body = await ask(address, get("/secret"))

    assert status == 401
    assert json.loads(body)["error"]["code"] == "invalid_api_key"


async def test_what_the_app_answers_to_unknown_paths_stands() -> None:
    """The chain does not decide which paths an app has."""
    async with serve(wrapped(Guard())) as address:
        status, headers, _ = await ask(address, get("/nowhere"))

    assert (status, headers["x-guarded"]) == (404, "yes")


async def test_a_path_of_the_app_is_never_a_decision() -> None:
    """Whatever it is called, the app answers it."""
    request = post(b'{"model":"m"}').replace(b"/v1/", b"/routing/v1/", 1)
    async with serve(wrapped(Guard())) as address:
        status, _, body = await ask(address, request)

    assert (status, json.loads(body.split(b"\r\n")[1])["got"]) == (200, {"model": "renamed"})


async def test_a_client_that_leaves_cancels_the_app() -> None:
    """The wrapped app learns it as from its own server."""
    guard = Guard()
    async with serve(wrapped(guard)) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(get("/stream"))
        await reader.readuntil(b"data: 1\n\n")
        writer.close()
        outcome = await guard.outcomes.get()
        assert "app cancelled" in guard.log

    assert outcome.disconnected


async def test_an_app_that_fails_is_a_500() -> None:
    """Its error stays in the log."""
    async with serve(wrapped(Guard())) as address:
        status, _, body = await ask(address, get("/fail"))

    assert status == 500
    assert b"in the app" not in body


async def test_a_chain_can_be_a_file(tmp_path: Path) -> None:
    """A path is loaded, compiled and started with the app."""

    async def ok(request: Request) -> JSONResponse:
        return JSONResponse("ok")

    file = tmp_path / "chain.yaml"
    file.write_text(
        "filters:\n  - auth: {keys: [{id: team-a, key: sk-gateway-0123456789}]}\n", encoding="utf-8"
    )
    app = Starlette(routes=[Route("/anything", ok)])
    async with serve(FilterChainMiddleware(app, chain=file)) as address:
        refused = await ask(address, get("/anything"))
        key = b"Host: t\r\nAuthorization: Bearer sk-gateway-0123456789\r\n"
        passed = await ask(address, get("/anything").replace(b"Host: t\r\n", key))

    assert (refused[0], passed[0]) == (401, 200)
