"""Connections: what they may become, and how they end when something breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
from starlette.types import Receive, Scope, Send

from tests.framework.server.certificate import client_context, self_signed
from tests.framework.server.raw import get, hello, serving

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
Headers = list[tuple[str, str]]


async def test_an_upgrade_to_h2c_is_not_taken_up() -> None:
    """The request is answered in HTTP/1.1, as if nobody had asked for more."""
    request = get(
        headers="Host: here\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        "HTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        close=True,
    )
    async with serving(hello) as listening:
        received = await listening.send(request)

    assert received.startswith(b"HTTP/1.1 200")
    assert b"101" not in received.partition(b"\r\n")[0]


async def test_the_preface_of_http2_in_clear_text_is_refused() -> None:
    """Prior knowledge of HTTP/2 is of no use without TLS."""
    async with serving(hello) as listening:
        received = await listening.send(PREFACE + b"\x00" * 9)

    assert received.split(b"\r\n")[0].split()[1] in (b"400", b"505")
    assert b"GET" not in received


async def test_an_answer_that_breaks_off_does_not_end() -> None:
    """In HTTP/1.1 the connection ends without the last chunk, so no part is taken for the whole."""
    async with serving(breaking) as listening:
        received = await listening.send(get(close=False))

    assert b"first" in received
    assert not received.endswith(b"0\r\n\r\n")


async def test_a_client_that_takes_nothing_is_cut() -> None:
    """At the end of the drain a connection goes, whatever its peer does with its bytes."""
    begun = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            begun.set()
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})

    async with serving(endless) as listening:
        _, writer = await asyncio.open_connection("127.0.0.1", listening.port)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(get())
        await begun.wait()
        async with asyncio.timeout(5):
            await listening.server.drain(0.05)
        writer.transport.abort()


async def test_http2_is_agreed_on_by_alpn_only(tmp_path: Path) -> None:
    """Over TLS a client that offers h2 gets it; one that does not gets HTTP/1.1."""
    tls = self_signed(tmp_path)
    async with serving(hello, tls=tls) as listening:
        for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), ([], None)):
            context = client_context(tls, offered)
            _, writer = await asyncio.open_connection("127.0.0.1", listening.port, ssl=context)
            agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
            writer.close()
            assert agreed == chosen


async def test_http2_serves_many_requests_on_one_connection(tmp_path: Path) -> None:
    """Streams are answered each for itself."""
    tls = self_signed(tmp_path)
    async with serving(hello, tls=tls) as listening, H2Client(listening.port, tls) as client:
        ids = [client.request("/one"), client.request("/two")]
        bodies = [await client.body(number) for number in ids]

    assert bodies == [b"GET /one", b"GET /two"]


async def test_a_refusal_over_http2_is_answered(tmp_path: Path) -> None:
    """An error that would close an HTTP/1.1 connection reaches an HTTP/2 client too."""
    tls = self_signed(tmp_path)
    async with serving(hello, tls=tls) as listening, H2Client(listening.port, tls) as client:
        number = client.request("/" + "x" * 9000)
        body = await client.body(number)

    assert client.status[number] == "414"
    assert b"uri_too_long" in body


async def test_a_broken_answer_over_http2_is_reset(tmp_path: Path) -> None:
    """The client sees what came and then a reset; it does not wait for ever."""
    tls = self_signed(tmp_path)
    async with serving(breaking, tls=tls) as listening, H2Client(listening.port, tls) as client:
        number = client.request("/")
        with pytest.raises(ConnectionResetError):
            await client.body(number)

    assert client.received[number] == b"first"


async def test_a_bad_stream_harms_no_other(tmp_path: Path) -> None:
    """A path that is not ASCII resets its own stream; the connection serves on."""
    tls = self_signed(tmp_path)
    async with serving(hello, tls=tls) as listening, H2Client(listening.port, tls) as client:
        bad = client.request("/bäd")
        with pytest.raises(ConnectionResetError):
            await client.body(bad)
        body = await client.body(client.request("/good"))

    assert body == b"GET /good"


async def test_a_request_may_go_on_after_its_answer(tmp_path: Path) -> None:
    """Data that comes for an answered request is dropped; the connection serves on."""
    tls = self_signed(tmp_path)
    async with serving(hello, tls=tls) as listening, H2Client(listening.port, tls) as client:
        early = client.request("/early", end=False)
        await client.body(early)
        client.connection.send_data(early, b"late", end_stream=True)
        body = await client.body(client.request("/next"))

    assert body == b"GET /next"


async def test_rapid_resets_end_the_connection(tmp_path: Path) -> None:
    """Requests that are taken back as fast as they come do not keep the server busy."""
    tls = self_signed(tmp_path)
    async with serving(hello, tls=tls) as listening, H2Client(listening.port, tls) as client:
        for _ in range(300):
            client.connection.reset_stream(client.request("/"))
        with pytest.raises(ConnectionError):
            await client.body(client.request("/after"))


async def test_a_stream_over_http2_ends_within_the_drain(tmp_path: Path) -> None:
    """The drain waits for it as for any other, and then ends the connection."""
    tls = self_signed(tmp_path)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        begun.set()
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"done"})

    async with serving(slow, tls=tls) as listening, H2Client(listening.port, tls) as client:
        answer = asyncio.create_task(client.body(client.request("/")))
        await begun.wait()
        draining = asyncio.create_task(listening.server.drain(30))
        go_on.set()
        assert await answer == b"done"
        async with asyncio.timeout(5):
            await draining


async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
    """Begin an answer and leave it there."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})


class H2Client:
    """A small HTTP/2 client that lets a test do what no good client does."""

    def __init__(self, port: int, tls: tuple[str, str]) -> None:
        self._port = port
        self._tls = tls
        config = h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False
        )
        self.connection = h2.connection.H2Connection(config)
        self.received: dict[int, bytes] = {}
        self.status: dict[int, str] = {}
        self._done: dict[int, bool] = {}

    async def __aenter__(self) -> H2Client:
        context = client_context(self._tls, ["h2"])
        opened = await asyncio.open_connection("127.0.0.1", self._port, ssl=context)
        self._reader, self._writer = opened
        self.connection.initiate_connection()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._writer.transport.abort()

    def request(self, path: str, *, end: bool = True) -> int:
        """Ask; returns the stream's number."""
        number: int = self.connection.get_next_available_stream_id()
        headers: Headers = [(":method", "GET"), (":path", path), (":scheme", "https")]
        headers.append((":authority", "localhost"))
        self.connection.send_headers(number, headers, end_stream=end)
        self.received[number] = b""
        return number

    async def body(self, number: int) -> bytes:
        """Wait for the end of an answer."""
        async with asyncio.timeout(5):
            while not self._done.get(number):
                self._writer.write(self.connection.data_to_send())
                data = await self._reader.read(65536)
                if not data:
                    raise ConnectionAbortedError
                self._take(self.connection.receive_data(data))
        self._writer.write(self.connection.data_to_send())
        return self.received[number]

    def _take(self, events: Iterable[h2.events.Event]) -> None:
        for event in events:
            if isinstance(event, h2.events.ResponseReceived):
                self.status[event.stream_id] = str(dict(event.headers)[":status"])  # type: ignore[index]
            elif isinstance(event, h2.events.DataReceived):
                self.received[event.stream_id] += event.data
            elif isinstance(event, h2.events.StreamEnded):
                self._done[event.stream_id] = True
            elif isinstance(event, h2.events.StreamReset):
                if event.stream_id in self.received and not self._done.get(event.stream_id):
                    raise ConnectionResetError
            elif isinstance(event, h2.events.ConnectionTerminated) and event.error_code:
                raise ConnectionAbortedError
