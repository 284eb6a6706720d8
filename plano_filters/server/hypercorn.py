"""Hypercorn as a library: its HTTP, our sockets, our end.

Hypercorn's own loop cuts streams at shutdown with several workers and never stops on Python 3.12,
so the loop is ours and the protocols are Hypercorn's. With `protocols.py` the only module that
knows it. See docs/adr/0004.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import Any, Final

from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.utils import wrap_app
from starlette.types import ASGIApp

from plano_filters.server.protocols import Connection

log = logging.getLogger(__name__)

BACKLOG: Final = 2048
KEEP_ALIVE: Final = 75.0
"""Seconds; longer than clients' pools keep a connection, so that it is they who close it."""
HANDSHAKE_SECONDS: Final = 10.0
MAX_HEAD: Final = 64 * 1024
"""Bytes of a request head; the guard's own limits are below and answer better."""
CLOSE_SECONDS: Final = 1.0
"""For cancelled connections to end."""


class Server:
    """Serves an app on one listening socket, until it is told to drain.

    Args:
        app: The app; its lifespan is not run here.
        listening: A bound socket.
        tls: Certificate and key; HTTP/2 is then offered by ALPN.

    Raises:
        OSError: The certificate or the key cannot be read, or they do not belong together.
    """

    def __init__(self, app: ASGIApp, listening: socket.socket, tls: tuple[str, str] | None) -> None:
        self._app = wrap_app(app, 0, "asgi")  # type: ignore[arg-type]
        self._socket = listening
        self._config = _config(tls)
        self._ssl: ssl.SSLContext | None = None
        if tls is not None:
            self._ssl = self._config.create_ssl_context()
        self._context = WorkerContext(None)
        self._connections: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Accept connections."""
        self._server = await asyncio.start_server(
            self._connected,
            sock=self._socket,
            backlog=BACKLOG,
            ssl=self._ssl,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if self._ssl else None,
        )

    async def drain(self, seconds: float) -> None:
        """Accept nothing more; let what runs go on for so long, then cut it.

        Idle connections are closed at once, busy ones after their answer.
        """
        if self._server is not None:
            self._server.close()
        await self._context.terminated.set()
        if self._connections:
            await asyncio.wait(self._connections, timeout=seconds)
        late = list(self._connections)
        for connection in late:
            connection.cancel()
        if late:
            log.warning("%d connections were cut at the end of the drain", len(late))
            await asyncio.wait(late, timeout=CLOSE_SECONDS)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - start_server runs us in one
        self._connections.add(task)
        loop = asyncio.get_running_loop()
        try:
            await Connection(self._app, loop, self._config, self._context, {}, reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        except Exception:
            log.exception("a connection failed")
        finally:
            self._connections.discard(task)


def _config(tls: tuple[str, str] | None) -> Config:
    config = Config()
    config.include_server_header = False
    config.keep_alive_timeout = KEEP_ALIVE
    config.keep_alive_max_requests = 1 << 31
    config.h11_max_incomplete_size = MAX_HEAD
    config.errorlog = logging.getLogger("plano_filters.server.http")
    config.accesslog = None
    if tls is not None:
        config.certfile, config.keyfile = tls
        config.alpn_protocols = ["h2", "http/1.1"]
    return config
