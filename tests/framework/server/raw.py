"""Talking to a server byte by byte, as a client library would not."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from plano_filters.config.document import Limits
from plano_filters.guards import Guard
from plano_filters.server.hypercorn import Server
from plano_filters.server.sockets import bind


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Listening:
    """A server under test."""

    server: Server
    socket: socket.socket
    port: int

    async def send(self, data: bytes) -> bytes:
        """Send bytes on a connection of their own; return all that comes until it closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        async with asyncio.timeout(10):
            received = await reader.read()
        writer.close()
        return received

    async def ask(self, data: bytes) -> Answer:
        """Send one request that closes its connection; return the answer."""
        return parse(await self.send(data))


def parse(received: bytes) -> Answer:
    """Read the one response of a closed connection."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return Answer(int(first.split()[1]), headers, body)


def get(path: str = "/", headers: str = "Host: here\r\n", *, close: bool = True) -> bytes:
    """Return a GET request."""
    ending = "Connection: close\r\n" if close else ""
    return f"GET {path} HTTP/1.1\r\n{headers}{ending}\r\n".encode("latin-1")


@asynccontextmanager
async def serving(
    app: ASGIApp,
    *,
    limits: Limits | None = None,
    tls: tuple[str, str] | None = None,
    most: int | None = None,
    **guard: Any,
) -> AsyncGenerator[Listening]:
    """Serve an app behind the guard, as a process does."""
    listening = bind("127.0.0.1", 0, "test", "try again")
    guarded = Guard(app, limits or Limits(), **guard)
    server = Server(guarded, listening, tls, most=most)
    port = listening.getsockname()[1]
    await server.start()
    try:
        yield Listening(server, listening, port)
    finally:
        await server.drain(5)


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what was asked."""
    body = f"{scope['method']} {scope['path']}".encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
