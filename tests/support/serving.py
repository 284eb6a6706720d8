"""Serving an ASGI app in this process with a real Hypercorn, on a free loopback port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config
from starlette.types import ASGIApp


@asynccontextmanager
async def serve(app: ASGIApp) -> AsyncGenerator[tuple[str, int]]:
    """Serve an app until the block ends; yields host and port."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = Config()
    config.bind = [f"fd://{listening.fileno()}"]
    config.errorlog = None
    config.graceful_timeout = 0.5
    stop = asyncio.Event()
    server = asyncio.create_task(
        hypercorn_serve(app, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]
    )
    try:
        yield listening.getsockname()[:2]
    finally:
        stop.set()
        await server
        listening.close()
