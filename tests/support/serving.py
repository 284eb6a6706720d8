"""Serving an ASGI app in this process with a real Hypercorn, on a free loopback port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from hypercorn.asyncio.run import worker_serve
from hypercorn.config import Config, Sockets
from hypercorn.utils import wrap_app
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@asynccontextmanager
async def serve(app: ASGIApp) -> AsyncGenerator[tuple[str, int]]:
    """Serve an app until the block ends, lifespan included; yields host and port."""
    listening = socket.create_server(("127.0.0.1", 0))
    # asyncio does so only where the protocol is named; else each answer waits 40 ms for an ACK
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = Config()
    config.errorlog = None
    config.graceful_timeout = 0.5
    stop, started = asyncio.Event(), asyncio.Event()

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                started.set()

        await app(scope, receive, told if scope["type"] == "lifespan" else send)

    wrapped = wrap_app(watched, 0, "asgi")  # type: ignore[arg-type]
    sockets = Sockets([], [listening], [])
    server = asyncio.create_task(
        worker_serve(wrapped, config, sockets=sockets, shutdown_trigger=stop.wait)
    )
    try:
        await started.wait()
        yield listening.getsockname()[:2]
    finally:
        stop.set()
        await server
