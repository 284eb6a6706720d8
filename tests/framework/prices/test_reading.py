"""Reading documents over real sockets and from real files: changed, unchanged, too large, gone."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from plano_filters.prices.reading import OnDisk, Page
from plano_filters.transport import UpstreamTransport
from tests.support import behaviours
from tests.support.provider import Behaviour, FakeProvider, Reply

MEBI = 1024 * 1024
LARGEST = 4 * MEBI


@asynccontextmanager
async def page(*script: Behaviour) -> AsyncGenerator[tuple[Page, FakeProvider]]:
    """Serve answers at an address that is read."""
    transport = UpstreamTransport()
    async with FakeProvider().serve() as server:
        server.script(*script)
        try:
            yield Page(f"{server.url}/api.json", lambda: transport, LARGEST), server
        finally:
            await transport.aclose()


async def test_what_did_not_change_is_not_sent_again() -> None:
    """The validators of the last answer that was of use go with the next request."""
    tags = {"etag": '"abc"', "last-modified": "Sat, 28 Nov 2026 10:00:00 GMT"}
    script = (
        behaviours.answer(200, b"{}", tags),
        behaviours.answer(304, b""),
        behaviours.answer(304, b""),
    )
    async with page(*script) as (reading, server):
        assert await reading.read() == b"{}"
        reading.accept()
        assert await reading.read() is None
        assert await reading.read() is None

        first, second, third = server.requests
        assert "if-none-match" not in first.headers
        for received in (second, third):
            assert received.headers["if-none-match"] == '"abc"'
            assert received.headers["if-modified-since"] == "Sat, 28 Nov 2026 10:00:00 GMT"


async def test_what_was_of_no_use_is_asked_for_again() -> None:
    """Else an answer that is garbage, with an ETag, would never be replaced."""
    answer = behaviours.answer(200, b"garbage", {"etag": '"abc"'})
    async with page(answer, answer) as (reading, server):
        await reading.read()
        assert await reading.read() == b"garbage"

        assert all("if-none-match" not in one.headers for one in server.requests)


@pytest.mark.parametrize("code", [204, 301, 304, 404, 429, 500])
async def test_any_other_status_is_a_failure(code: int) -> None:
    """Redirects are not followed: they could lead anywhere. A 304 must have been asked for."""
    async with page(behaviours.answer(code, b"", {"location": "http://127.0.0.1:1/"})) as (
        reading,
        _,
    ):
        with pytest.raises(ValueError, match=f"answered {code}"):
            await reading.read()


async def test_a_200_mb_body_is_refused_while_it_comes_in() -> None:
    """After the limit nothing more is read; the server sees the connection go."""
    sent = 0

    async def endless(reply: Reply) -> None:
        nonlocal sent
        await reply.head(200, {"transfer-encoding": "chunked"})
        for _ in range(200):
            await reply.chunk(b"x" * MEBI)
            sent += 1

    async with page(endless) as (reading, server):
        with pytest.raises(ValueError, match="larger than 4194304 bytes"):
            await reading.read()
        await server.requests[0].disconnected.wait()

    assert sent < 50


async def test_an_announced_200_mb_body_is_not_begun() -> None:
    """Its length says enough."""
    async with page(behaviours.stall(1)) as (reading, server):
        server.reset()
        server.default = announce
        with pytest.raises(ValueError, match="larger than"):
            await reading.read()
        await server.requests[0].disconnected.wait()


async def announce(reply: Reply) -> None:
    """Promise 200 MB and send one byte."""
    await reply.head(200, {"content-length": str(200 * MEBI)})
    await reply.send(b"x")
    await behaviours.stall()(reply)


async def test_a_file_is_read_when_it_changes(tmp_path: Path) -> None:
    """By its time and its size."""
    path = tmp_path / "prices.yaml"
    path.write_bytes(b"a")
    for written in (str(path), f"file:{path}", f"file://{path}"):
        assert await OnDisk(written, LARGEST).read() == b"a"
    reading = OnDisk(str(path), LARGEST)
    assert await reading.read() == b"a"
    assert await reading.read() == b"a"  # not yet accepted
    reading.accept()
    assert await reading.read() is None

    path.write_bytes(b"bb")
    os.utime(path, ns=(1, 1))
    assert await reading.read() == b"bb"


async def test_a_file_may_be_too_large_or_missing(tmp_path: Path) -> None:
    """Both are told."""
    path = tmp_path / "prices.yaml"
    with pytest.raises(FileNotFoundError):
        await OnDisk(str(path), 10).read()
    path.write_bytes(b"x" * 11)

    with pytest.raises(ValueError, match="larger than 10 bytes"):
        await OnDisk(str(path), 10).read()
