"""The real command in a process of its own, with its life in the test's hands."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.gateway import COMMAND, environment

TEXT = """
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 0}]
model_providers:
  - {model: mock/fast, default: true}
"""
SECONDS = 30.0


@dataclass
class Running:
    """A gateway process that serves."""

    process: asyncio.subprocess.Process
    path: Path
    url: str = ""
    admin: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)
    """What it logged, in order."""
    _grown: asyncio.Condition = field(default_factory=asyncio.Condition)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process that was started."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end; returns the exit status."""
        async with asyncio.timeout(SECONDS):
            return await self.process.wait()

    async def logged(self, text: str, count: int = 1) -> dict[str, Any]:
        """Wait until a text was logged so many times; returns the last of them."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.log if text in line["event"]]

        async with asyncio.timeout(SECONDS), self._grown:
            await self._grown.wait_for(lambda: len(found()) >= count)
        return found()[count - 1]

    async def read_log(self) -> None:
        """Collect the log until the process closes it."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            text = line.decode()
            async with self._grown:
                self.log.append(json.loads(text) if text.startswith("{") else {"event": text})
                self._grown.notify_all()

    async def get(self, place: str) -> tuple[int, Any]:
        """Ask the admin listener for JSON."""
        async with aiohttp.ClientSession() as client, client.get(self.admin + place) as answer:
            return answer.status, await answer.json()

    async def metrics(self) -> dict[str, float]:
        """Return the metrics, labels in the names."""
        async with aiohttp.ClientSession() as client, client.get(f"{self.admin}/metrics") as got:
            lines = (await got.text()).splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


@asynccontextmanager
async def running(folder: Path, *arguments: str, text: str = TEXT) -> AsyncGenerator[Running]:
    """Start the gateway and wait until it serves; at the end, end it however it takes."""
    path = folder / "plano.yaml"
    path.write_text(text)
    process = await asyncio.create_subprocess_exec(
        *(COMMAND, "run", str(path), "--admin", "127.0.0.1:0", *arguments),
        env=environment(),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    gateway = Running(process, path)
    reading = asyncio.create_task(gateway.read_log())
    try:
        ready = await gateway.logged("serving http")
        gateway.url, gateway.admin = ready["urls"][0], ready["admin"]
        yield gateway
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


async def start_stream(
    client: aiohttp.ClientSession, gateway: Running, delay_ms: int
) -> aiohttp.ClientResponse:
    """Ask for a stream whose events come so slowly; returns when its head is there."""
    body = {"model": "mock/fast", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    return await client.post(
        f"{gateway.url}/v1/chat/completions", json=body, headers={"x-mock-delay-ms": str(delay_ms)}
    )


async def chat(client: aiohttp.ClientSession, gateway: Running, model: str = "mock/fast") -> int:
    """Ask once; returns the status."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    async with client.post(f"{gateway.url}/v1/chat/completions", json=body) as answer:
        await answer.read()
        return answer.status
