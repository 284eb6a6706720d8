"""A real redis-server on a free loopback port, started, stopped and started again by tests."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.support.gateway import free_port

START_SECONDS = 20.0


def needs_redis() -> None:
    """Skip a test where there is no redis-server; never in CI."""
    if shutil.which("redis-server") is None:
        assert not os.environ.get("CI"), "redis-server is missing: apt-get install redis-server"
        pytest.skip("redis-server is missing: apt-get install redis-server")


@dataclass(slots=True)
class RedisServer:
    """A server that keeps nothing on disk."""

    folder: str
    arguments: tuple[str, ...] = ()
    """Of the command, beyond the ordinary."""
    password: str = ""
    port: int = field(default_factory=free_port)
    _process: asyncio.subprocess.Process | None = None
    _log: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Its address, with the password."""
        user = f":{self.password}@" if self.password else ""
        return f"redis://{user}127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it, and wait until it takes connections."""
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        arguments += ["--requirepass", self.password] if self.password else []
        self._process = await asyncio.create_subprocess_exec(
            "redis-server",
            *arguments,
            *self.arguments,
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = ""
        assert self._process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            async for line in self._process.stdout:
                said += line.decode(errors="replace")
                if "Ready to accept connections" in said:
                    self._log = asyncio.create_task(_drain(self._process.stdout))
                    return
        raise AssertionError(said)

    async def stop(self) -> None:
        """Kill it: connections break, and what it had is gone."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None
        if self._log is not None:
            await self._log
            self._log = None

    async def call(self, *command: str) -> Any:
        """Give it a command, past everything that is tested."""
        async with Redis(port=self.port, password=self.password or None) as client:
            return await client.execute_command(*command)  # type: ignore[no-untyped-call]


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


@asynccontextmanager
async def redis_server(*arguments: str, password: str = "") -> AsyncGenerator[RedisServer]:
    """Start a server, and stop it at the end of the block, if it still runs.

    Args:
        arguments: Further ones of `redis-server`.
        password: What clients must show.
    """
    needs_redis()
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(folder, arguments, password)
        await server.start()
        try:
            yield server
        finally:
            await server.stop()
