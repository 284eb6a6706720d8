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
from contextlib import suppress
from typing import Any, Final

from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.utils import wrap_app
from starlette.types import ASGIApp

from plano_filters.errors import Unavailable
from plano_filters.server.protocols import Connection, written
from plano_filters.server.sockets import connection_limit

log = logging.getLogger(__name__)

BACKLOG: Final = 2048
KEEP_ALIVE: Final = 75.0
"""Seconds; longer than clients' pools keep a connection, so that it is they who close it."""
HANDSHAKE_SECONDS: Final = 10.0
MAX_HEAD: Final = 64 * 1024
"""Bytes of a request head; the guard's own limits are below and answer better."""
CLOSE_SECONDS: Final = 1.0
"""For cancelled connections to end."""
ACCEPT_PAUSE: Final = 0.5
"""Seconds after an accept that failed, for lack of file descriptors as a rule."""
TOLD: Final = 16
"""Clients over the limit that are told so at a time; more are just closed."""
BUSY: Final = {"connection": "close", "retry-after": "1"}


class Server:
    """Serves an app on one listening socket, until it is told to drain.

    Args:
        app: The app; its lifespan is not run here.
        listening: A bound socket; closed by the drain.
        tls: Certificate and key; HTTP/2 is then offered by ALPN.
        most: Connections at a time; as many as the file descriptors allow unless given.

    Raises:
        OSError: The certificate or the key cannot be read, or they do not belong together.
    """

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        tls: tuple[str, str] | None,
        *,
        most: int | None = None,
    ) -> None:
        self._app = wrap_app(app, 0, "asgi")  # type: ignore[arg-type]
        self._socket = listening
        self._config = _config(tls)
        self._ssl: ssl.SSLContext | None = None
        if tls is not None:
            self._ssl = self._config.create_ssl_context()
        self._context = WorkerContext(None)
        self._connections: set[asyncio.Task[Any]] = set()
        self._accepting: asyncio.Task[None] | None = None
        self._most = connection_limit() if most is None else most

    async def start(self) -> None:
        """Accept connections."""
        self._socket.listen(BACKLOG)
        self._accepting = asyncio.create_task(self._accept(), name="accept")

    async def drain(self, seconds: float) -> None:
        """Accept nothing more; let what runs go on for so long, then cut it.

        Idle connections are closed at once, busy ones after their answer.
        """
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
        self._socket.close()
        await self._context.terminated.set()
        if self._connections:
            await asyncio.wait(self._connections, timeout=seconds)
        late = list(self._connections)
        for connection in late:
            connection.cancel()
        if late:
            log.warning("%d connections were cut at the end of the drain", len(late))
            await asyncio.wait(late, timeout=CLOSE_SECONDS)

    async def _accept(self) -> None:
        """Take connections one by one.

        The loops' own servers take as many as wait, whatever they have, and uvloop's ends for good
        when file descriptors run out.
        """
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(self._socket)
            except OSError as error:
                log.error("no connection can be accepted: %s", error.strerror)  # noqa: TRY400
                await asyncio.sleep(ACCEPT_PAUSE)
                continue
            over = len(self._connections) - self._most
            if over > TOLD:
                accepted.close()
                continue
            task = loop.create_task(
                self._turn_away(accepted) if over >= 0 else self._serve(accepted)
            )
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _serve(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol,
                accepted,
                ssl=self._ssl,
                ssl_handshake_timeout=HANDSHAKE_SECONDS if self._ssl else None,
            )
        except OSError as error:  # a failed handshake is one
            log.debug("a connection could not be set up: %s", error)
            accepted.close()
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            await Connection(self._app, loop, self._config, self._context, {}, reader, writer)
        except asyncio.CancelledError:
            transport.abort()
        except Exception:
            log.exception("a connection failed")

    async def _turn_away(self, accepted: socket.socket) -> None:
        """Say that there are too many; a client of TLS is not worth the handshake."""
        with accepted:
            if self._ssl is None:
                error = Unavailable("too many connections", headers=BUSY)
                with suppress(OSError):
                    accepted.send(written(error))
                    accepted.shutdown(socket.SHUT_WR)
                    async with asyncio.timeout(CLOSE_SECONDS):  # else it may see a reset first
                        await asyncio.get_running_loop().sock_recv(accepted, 65536)


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
