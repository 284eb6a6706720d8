"""The client towards providers: nothing added, nothing followed, nothing kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from plano_filters.transport import UpstreamTransport, trust


class Provider:
    """Answers every request with the same bytes; keeps the requests."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heads: list[str] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                writer.write(self.answer)
        except asyncio.IncompleteReadError:
            writer.close()


@asynccontextmanager
async def provider(answer: bytes) -> AsyncGenerator[tuple[Provider, str]]:
    made = Provider(answer)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    try:
        yield made, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/x"
    finally:
        server.close()


@asynccontextmanager
async def transport() -> AsyncGenerator[UpstreamTransport]:
    made = UpstreamTransport()
    try:
        yield made
    finally:
        await made.aclose()


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nset-cookie: a=b\r\n\r\nok"


async def test_a_request_goes_out_as_it_was_made() -> None:
    """No header is added but those that frame the message."""
    async with provider(OK) as (made, url), transport() as client:
        request = httpx.Request("GET", url, headers=[("x-one", "1")])
        request.headers = httpx.Headers({"host": "provider.example", "x-one": "1"})
        await (await client.handle_async_request(request)).aread()

    lines = made.heads[0].lower().strip().split("\r\n")
    assert sorted(lines[1:]) == ["host: provider.example", "x-one: 1"]


async def test_a_connection_is_used_again_and_no_cookie_comes_back() -> None:
    """Requests share connections, but no state of a provider's making."""
    async with provider(OK) as (made, url), transport() as client:
        for _ in range(3):
            response = await client.handle_async_request(httpx.Request("GET", url))
            assert await response.aread() == b"ok"

    assert made.connections == 1
    assert "cookie" not in made.heads[2].lower()


async def test_a_redirect_is_an_answer() -> None:
    """It is not followed: the key would go to another host with it."""
    answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    async with provider(answer) as (made, url), transport() as client:
        response = await client.handle_async_request(httpx.Request("GET", url))
        await response.aread()

    assert (response.status_code, len(made.heads)) == (302, 1)


async def test_a_compressed_body_is_not_unpacked() -> None:
    """The bytes pass as they are: a small bomb stays small."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nzipp"
    async with provider(answer) as (_, url), transport() as client:
        response = await client.handle_async_request(httpx.Request("GET", url))
        raw = b"".join([chunk async for chunk in response.aiter_raw()])

    assert raw == b"zipp"


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable meant for other programs does not take over the traffic."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with provider(OK) as (_, url), transport() as client:
        response = await client.handle_async_request(httpx.Request("GET", url))
        assert await response.aread() == b"ok"


async def test_an_unused_transport_closes() -> None:
    """A gateway that never asked a provider has nothing to close."""
    async with transport():
        pass


def test_a_bundle_that_is_none_is_refused(tmp_path: Path) -> None:
    """An unreadable or empty CA file does not silently mean "trust nobody"."""
    empty = tmp_path / "ca.pem"
    empty.write_text("")
    for path in (empty, tmp_path / "missing.pem"):
        with pytest.raises(OSError, match=r".+"):
            trust(str(path))


def test_without_a_bundle_somebody_is_trusted() -> None:
    """The system's certificates, or certifi's, are there."""
    context = trust(None)

    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"
