"""Hypercorn's protocols with their holes closed: what a connection may become, and how it ends.

Each override says which behaviour of Hypercorn 0.18 it replaces. See docs/adr/0004.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from itertools import chain
from typing import Final

import h2.errors
import h2.events
import h2.exceptions
import h11
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Closed
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.events import EndBody, StreamClosed
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr
from starlette.datastructures import Headers

from plano_filters.errors import BadRequest, GatewayError, HeadersTooLarge
from plano_filters.refusal import refusal

LINGER_SECONDS: Final = 10.0
"""For the last bytes to leave when a connection closes; a peer that takes none is cut."""
FLUSH_SECONDS: Final = 1.0
"""For what was written before a broken HTTP/2 stream is reset."""
MAX_RESETS: Final = 200
RESET_WINDOW: Final = 10.0
"""Seconds. More resets than `MAX_RESETS` in a window are a rapid-reset attack (CVE-2023-44487)."""


class Connection(TCPServer):
    """One connection: HTTP/1.1 in clear text, HTTP/2 only if TLS agreed on it."""

    async def run(self) -> None:
        """Serve the connection until it ends."""
        sock = self.writer.get_extra_info("socket")
        tls = self.writer.get_extra_info("ssl_object")
        try:
            client = parse_socket_addr(sock.family, sock.getpeername())
            server = parse_socket_addr(sock.family, sock.getsockname())
            async with TaskGroup(self.loop) as tasks:
                self._task_group = tasks
                self.protocol = _Protocol(
                    self.app,
                    self.config,
                    self.context,
                    tasks,
                    ConnectionState(self.state),
                    tls is not None,
                    client,
                    server,
                    self.protocol_send,
                    tls.selected_alpn_protocol() if tls is not None else None,
                )
                await self.protocol.initiate()
                await self.idle_task.restart(tasks, self._idle_timeout)
                await self._read_data()
                # Hypercorn would keep what its client has closed until the idle timer ends.
                await self.idle_task.stop()
        except OSError:
            pass  # the peer is gone
        finally:
            await self._close()

    async def _close(self) -> None:
        """Close, and cut a peer that takes no more bytes. Hypercorn would wait for it for ever."""
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                await super()._close()
        except TimeoutError:
            self.writer.transport.abort()


class _Protocol(ProtocolWrapper):
    """Chooses the protocol once. Hypercorn would change it in the middle of a connection."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        own = _H2 if isinstance(self.protocol, H2Protocol) else _H1
        self.protocol = own(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.state,
            self.ssl,
            self.client,
            self.server,
            self.send,
        )


class _H1(H11Protocol):
    """HTTP/1.1 that stays HTTP/1.1.

    An `Upgrade: h2c` is not taken up, and the HTTP/2 preface is a request that the guard refuses.
    A front that passes either on would let requests in that it never saw.
    """

    async def _check_protocol(self, event: h11.Request) -> None:
        """Switch to no other protocol."""

    async def _send_error_response(self, status_code: int) -> None:
        """Answer what is no HTTP with a body that says so."""
        close = {"connection": "close"}
        if status_code == 431:
            error: GatewayError = HeadersTooLarge("the request head is too large", headers=close)
        else:
            error = BadRequest("this is not a valid HTTP/1.1 request", headers=close)
        response, body = refusal(error, "chat", Headers())
        headers = list(chain(response.headers.raw, self.config.response_headers("h11")))
        await self._send_h11_event(h11.Response(status_code=error.status, headers=headers))
        await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())


def written(error: GatewayError) -> bytes:
    """Write an error as a whole HTTP/1.1 response, for connections that get no further."""
    response, body = refusal(error, "chat", Headers())
    lines = [b"HTTP/1.1 %d %s" % (error.status, HTTPStatus(error.status).phrase.encode())]
    lines += [name + b": " + value for name, value in response.headers.raw]
    return b"\r\n".join([*lines, b"", body])


class _H2(H2Protocol):
    """HTTP/2 in which a broken answer is seen to be broken, and one bad stream harms no other."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._ended: set[int] = set()
        self._resets = 0
        self._window_start = 0.0
        self._over = False

    async def stream_send(self, event: StreamEvent) -> None:
        """Reset a stream whose answer has no end. Hypercorn forgets it, and the client waits."""
        if isinstance(event, EndBody):
            self._ended.add(event.stream_id)
        if isinstance(event, StreamClosed):
            if event.stream_id in self._ended:
                self._ended.discard(event.stream_id)
            else:
                await self._break(event.stream_id)
        await super().stream_send(event)

    async def _break(self, stream_id: int) -> None:
        buffer = self.stream_buffers.get(stream_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                if buffer is not None and buffer.buffer:
                    await buffer.drain()
        with suppress(h2.exceptions.ProtocolError):  # it is closed already
            self.connection.reset_stream(stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
        await self._flush()
        await self._window_updated(stream_id)  # wakes the sender, which drops the buffer

    async def _handle_events(self, events: Sequence[h2.events.Event]) -> None:
        for event in events:
            if self._over:
                return
            if not await self._refused(event):
                await super()._handle_events([event])
        await self._flush()

    async def _refused(self, event: h2.events.Event) -> bool:
        """Deal with the events that would break Hypercorn's connection; say whether it was one."""
        if isinstance(event, h2.events.DataReceived) and event.stream_id not in self.streams:
            # The rest of a request that was answered before its end.
            self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            return True
        if isinstance(event, h2.events.RequestReceived):
            path = next((value for name, value in event.headers if name == b":path"), b"")
            if not path.isascii():
                self.connection.reset_stream(event.stream_id, h2.errors.ErrorCodes.PROTOCOL_ERROR)
                return True
        if isinstance(event, h2.events.StreamReset) and self._too_many_resets():
            self._over = True
            self.connection.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
            await self._flush()
            await self.send(Closed())
            return True
        return False

    def _too_many_resets(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._window_start > RESET_WINDOW:
            self._window_start, self._resets = now, 0
        self._resets += 1
        return self._resets > MAX_RESETS
