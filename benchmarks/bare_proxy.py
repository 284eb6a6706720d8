"""What one writes in an afternoon: Starlette, Hypercorn and httpx, and no feature at all.

    python -m benchmarks.bare_proxy PORT UPSTREAM_URL

It runs on uvloop, with httpx's pool unlimited and Hypercorn's connections kept: the settings that
do it good.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import uvloop
from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route


def make_app(upstream: str) -> Starlette:
    """Return an app that passes every POST on."""
    client = httpx.AsyncClient(
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=1024),
        timeout=60,
        trust_env=False,
    )

    async def proxy(request: Request) -> Response:
        headers = {"content-type": "application/json", "authorization": "Bearer sk-bench"}
        sent = client.build_request(
            "POST", upstream + request.url.path, content=await request.body(), headers=headers
        )
        answer = await client.send(sent, stream=True)
        media_type = answer.headers["content-type"]
        if media_type == "text/event-stream":
            closing = BackgroundTask(answer.aclose)
            return StreamingResponse(answer.aiter_raw(), media_type=media_type, background=closing)
        return Response(await answer.aread(), answer.status_code, media_type=media_type)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        yield
        await client.aclose()

    routes = [Route("/v1/{path:path}", proxy, methods=["POST"])]
    return Starlette(routes=routes, lifespan=lifespan)


def main(port: int, upstream: str) -> None:
    """Serve until killed."""
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_max_requests = 1 << 31
    config.errorlog = None
    uvloop.run(serve(make_app(upstream), config))  # type: ignore[arg-type]


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
