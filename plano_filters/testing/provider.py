"""A provider on a loopback port: raw bytes over a real socket, every request recorded.

Nothing here is a web framework's: what goes out is exactly what a behaviour writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from plano_filters.testing.mocked import Mocked, stream_of


@dataclass(slots=True)
class Received:
    """One request as it came, and what became of its client."""

    method: str
    target: str
    """Path and query."""
    headers: dict[str, str]
    """Names in lower case."""
    head: bytes
    """The request line and the header fields, as they came."""
    body: bytes
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client closes the connection before the answer is complete."""
    events_sent: int = 0

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass(slots=True)
class Reply:
    """The hand a behaviour writes with."""

    request: Received
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status: int, headers: dict[str, str]) -> None:
        """Write a status line and header fields."""
        lines = [f"HTTP/1.1 {status} Scripted", *(f"{k}: {v}" for k, v in headers.items())]
        await self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def whole(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Write a complete answer."""
        length = {"content-length": str(len(body))}
        await self.head(status, {"content-type": "application/json", **length, **(headers or {})})
        await self.send(body)

    async def chunk(self, data: bytes) -> None:
        """Write one chunk of a chunked body."""
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def stream_head(self, headers: dict[str, str] | None = None) -> None:
        """Begin a chunked stream of events."""
        chunked = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
        await self.head(200, {**chunked, **(headers or {})})

    async def events(self, events: list[bytes], delay: float = 0.0) -> None:
        """Write events, a chunk each, some seconds apart."""
        for event in events:
            await self.chunk(event)
            self.request.events_sent += 1
            if delay:
                await asyncio.sleep(delay)

    async def end(self) -> None:
        """Write the last chunk of a chunked body."""
        await self.send(b"0\r\n\r\n")

    def cut(self, *, reset: bool) -> None:
        """End the connection in the middle, with RST or with FIN."""
        raw = self.writer.get_extra_info("socket")
        if reset:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
        else:
            self.writer.close()


Behaviour = Callable[[Reply], Awaitable[None]]
"""What a provider does with one request."""


class AsMock:
    """Answers as the mock provider does: plain, or streamed if asked."""

    def __init__(self) -> None:
        self._mocked = Mocked()

    async def answer(self, request: Received) -> httpx.Response:
        """Return what the mock says to a request."""
        return await self._mocked.answer(
            request.method, request.target, request.headers, request.body
        )

    async def __call__(self, reply: Reply) -> None:
        answer = await self.answer(reply.request)
        headers = {k: v for k, v in answer.headers.items() if k != "content-length"}
        if not headers.get("content-type", "").startswith("text/event-stream"):
            await reply.whole(answer.status_code, await answer.aread(), headers)
            return
        await reply.stream_head(headers)
        try:
            async for event in stream_of(answer):
                await reply.events([event])
        except httpx.TransportError:  # `x-mock-cut-after`
            reply.cut(reset=True)
        else:
            await reply.end()


class FakeProvider:
    """A scripted provider on a loopback port of its own.

    Each request takes the next behaviour of the script; the default answers when it is empty.

    Args:
        default: Answers unless something is scripted; as the mock does unless given.
    """

    def __init__(self, default: Behaviour | None = None) -> None:
        self._usual = default or AsMock()
        self.requests: list[Received] = []
        self.wire = bytearray()
        """Everything that ever came in."""
        self.default = self._usual
        self.port = 0
        self._script: deque[Behaviour] = deque()
        self._arrived = asyncio.Condition()
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The address without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """The address as SDKs and `base_url` in YAML want it, with `/v1`."""
        return f"{self.url}/v1"

    def script(self, *behaviours: Behaviour) -> None:
        """Append what the next requests get.

        Raises:
            TypeError: One of them is no behaviour, such as an address that nobody listens at.
        """
        for behaviour in behaviours:
            if not callable(behaviour):
                raise TypeError(f"{behaviour} cannot be scripted; a request must arrive first")
        self._script.extend(behaviours)

    def reset(self) -> None:
        """Forget requests and script."""
        self.requests.clear()
        self._script.clear()
        self.default = self._usual

    async def request(self, number: int = 1, seconds: float = 10.0) -> Received:
        """Wait until so many requests have come; return the last of them."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= number)
        return self.requests[number - 1]

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[Self]:
        """Listen until the block ends."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for connection in self._connections:
                connection.cancel()
            if self._connections:
                await asyncio.wait(self._connections)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - we are in a coroutine
        self._connections.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                held = b""
                while not writer.is_closing():
                    received = await self._read(reader, held)
                    held = await self._answer(received, reader, writer)
        except asyncio.CancelledError:
            pass  # the end of the test
        finally:
            self._connections.discard(task)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, held: bytes) -> Received:
        head = held + await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {k.strip().lower(): v.strip() for k, _, v in (li.partition(":") for li in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        received = Received(method, target, headers, head, body)
        async with self._arrived:
            self.requests.append(received)
            self.wire += head + body
            self._arrived.notify_all()
        return received

    async def _answer(
        self, received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        """Play a behaviour; return what was read of the next request, if it began."""
        behaviour = self._script.popleft() if self._script else self.default
        playing = asyncio.ensure_future(behaviour(Reply(received, writer)))
        watching = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait([playing, watching], return_when=asyncio.FIRST_COMPLETED)
            if not playing.done():  # a client that waits for an answer has nothing to say
                received.disconnected.set()
                raise ConnectionAbortedError
            await playing
            return await watching
        except ConnectionError:
            received.disconnected.set()
            raise
        finally:
            for task in (playing, watching):
                task.cancel()
            await asyncio.wait([playing, watching])
            for task in (playing, watching):
                if not task.cancelled():
                    task.exception()


def mock_provider() -> AbstractAsyncContextManager[FakeProvider]:
    """Serve a provider that answers as the mock does, until the block ends.

    `async with mock_provider() as provider:` gives its `base_url`, the `requests` it got, and
    `script(...)` for what the next ones get.
    """
    return FakeProvider().serve()
