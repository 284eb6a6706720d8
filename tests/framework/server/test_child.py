"""How soon a worker that ended is started anew, and what it says of its sources."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from plano_filters.server.child import Child, restart_delay


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 0.1), (2, 0.2), (4, 0.8), (9, 25.6), (10, 30.0), (10_000, 30.0)]
)
def test_the_delay_doubles_up_to_a_limit(failures: int, seconds: float) -> None:
    """The first restart is almost at once; a worker that always fails costs little."""
    assert restart_delay(failures) == pytest.approx(seconds)


@asynccontextmanager
async def worker() -> AsyncGenerator[tuple[Child, asyncio.StreamReader, asyncio.StreamWriter]]:
    """Start a process that does nothing; the test speaks for it."""
    ours, theirs = socket.socketpair()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "input()"), stdin=asyncio.subprocess.PIPE
    )
    child = Child(process, *await asyncio.open_unix_connection(sock=ours))
    reader, writer = await asyncio.open_unix_connection(sock=theirs)
    try:
        yield child, reader, writer
    finally:
        writer.close()
        child.kill()
        await child.wait()


async def test_a_worker_that_starts_is_not_asked() -> None:
    """It has no sources yet."""
    async with worker() as (child, _, _):
        assert await child.sources() == {"pid": child.pid, "error": "it is not ready"}


async def test_what_a_worker_says_is_passed_on() -> None:
    """Its sources, or why it does not know them."""
    async with worker() as (child, reader, writer):
        child.ready.set()
        replies: list[dict[str, Any]] = [{"error": None, "sources": {"a": {}}}, {"error": "no"}]
        for reply in replies:
            asking = asyncio.create_task(child.sources())
            asked = json.loads(await reader.readline())
            assert asked.keys() == {"sources", "number"}
            writer.write(json.dumps({"number": asked["number"], **reply}).encode() + b"\n")
            told = {name: value for name, value in reply.items() if value is not None}
            assert await asking == {"pid": child.pid, **told}


async def test_a_worker_that_ends_says_nothing_more() -> None:
    """Whoever waits for its answer hears that, and whoever asks later."""
    async with worker() as (child, reader, writer):
        child.ready.set()
        asking = asyncio.create_task(child.sources())
        await reader.readline()
        writer.close()

        assert await asking == {"pid": child.pid, "error": "it ended"}
        assert await child.sources() == {"pid": child.pid, "error": "it ended"}
