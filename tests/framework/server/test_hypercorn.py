"""The server's end: what a drain lets finish, what it closes, what it cuts."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from contextlib import suppress
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from tests.framework.server.raw import get, hello, serving


async def test_a_drain_lets_a_stream_end_and_takes_no_new_client() -> None:
    """What runs goes on to its last byte; whoever comes now is refused by the system."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        begun.set()
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"two"})

    async with serving(slow) as listening:
        streaming = asyncio.create_task(listening.send(get(close=False)))
        await begun.wait()
        draining = asyncio.create_task(listening.server.drain(30))
        while listening.socket.fileno() >= 0:
            await asyncio.sleep(0)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", listening.port)
        go_on.set()
        received = await streaming
        await draining

    assert b"two" in received
    assert received.endswith(b"0\r\n\r\n")


async def test_a_drain_closes_idle_connections_at_once() -> None:
    """A connection without a request does not keep the server."""
    async with serving(hello) as listening:
        reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
        writer.write(get(close=False))
        await reader.readuntil(b"GET /")
        async with asyncio.timeout(5):
            await listening.server.drain(30)
        assert await reader.read() == b""
        writer.close()


async def test_the_end_of_the_drain_cuts_what_still_runs(caplog: pytest.LogCaptureFixture) -> None:
    """The app of a cut connection is cancelled, and the log says how many there were."""
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def forever(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with serving(forever) as listening:
        _, writer = await asyncio.open_connection("127.0.0.1", listening.port)
        writer.write(get())
        await begun.wait()
        with caplog.at_level(logging.WARNING):
            await listening.server.drain(0)
        assert cancelled.is_set()
        writer.transport.abort()

    assert "1 connections were cut" in caplog.text


async def test_the_server_does_not_name_itself() -> None:
    """Which server this is, is nobody's business."""
    async with serving(hello) as listening:
        answer = await listening.ask(get())

    assert "server" not in answer.headers
    assert "date" in answer.headers


async def test_too_many_connections_are_told_so() -> None:
    """Over the limit a client gets 503 at once; when another leaves, the next one is served."""
    async with serving(hello, most=2) as listening:
        opened = [await asyncio.open_connection("127.0.0.1", listening.port) for _ in range(2)]
        for reader, writer in opened:
            writer.write(get(close=False))
            await reader.readuntil(b"GET /")
        answer = await listening.ask(get())
        opened[0][1].close()
        await opened[0][1].wait_closed()
        async with asyncio.timeout(5):
            while (await listening.ask(get())).status != 200:
                pass
        opened[1][1].close()

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.json["error"]["code"] == "unavailable"


async def test_an_accept_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """Without file descriptors nobody can be taken; afterwards the listener serves as before."""
    taken: list[socket.socket] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with serving(hello) as listening:
        client = socket.socket()
        client.setblocking(False)
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 4, hard)
        )
        try:
            with suppress(OSError):
                while True:
                    taken.append(socket.socket())
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, ("127.0.0.1", listening.port))
            while "no connection can be accepted" not in caplog.text:
                await asyncio.sleep(0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for one in taken:
                one.close()
        await loop.sock_sendall(client, get())
        async with asyncio.timeout(5):
            received = await loop.sock_recv(client, 65536)
        client.close()

    assert received.startswith(b"HTTP/1.1 200")
