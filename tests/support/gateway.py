"""The real command in a process of its own: `plano-filters run`, as users start it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

COMMAND = str(Path(sys.executable).with_name("plano-filters"))
"""The console script of this environment."""
START_SECONDS = 30.0
STOP_SECONDS = 15.0


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a small environment for a command: no keys, no `OTEL_*` variables of the caller's."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | dict(extra or {})


@dataclass(slots=True)
class RunningGateway:
    """A gateway process and how to reach it."""

    url: str
    """Of the first listener, without a path."""
    admin_url: str
    process: asyncio.subprocess.Process
    path: Path
    """The configuration file."""
    stdout: list[str] = field(default_factory=list)
    """The access log so far, a line each."""
    stderr: list[str] = field(default_factory=list)
    _grown: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def line_with(
        self, text: str, *, where: list[str] | None = None, seconds: float = 10.0
    ) -> str:
        """Wait for a line that contains a text, in the access log unless told where."""
        lines = self.stdout if where is None else where

        def found() -> str | None:
            return next((line for line in lines if text in line), None)

        async with asyncio.timeout(seconds), self._grown:
            await self._grown.wait_for(lambda: found() is not None)
        return found() or ""

    async def collect(self, stream: asyncio.StreamReader, into: list[str]) -> None:
        """Read lines until the process closes its end."""
        async for line in stream:
            async with self._grown:
                into.append(line.decode(errors="replace").rstrip("\n"))
                self._grown.notify_all()


@asynccontextmanager
async def run_gateway(
    text: str,
    env: Mapping[str, str] | None = None,
    *,
    file: bool = True,
    own_ports: bool = False,
    arguments: tuple[str, ...] = (),
) -> AsyncGenerator[RunningGateway]:
    """Start the gateway on free ports; at the end, stop it and check that it ends well.

    Args:
        text: The document. Its one listener is moved to a free port.
        env: Variables for it.
        file: Whether to write the document at all.
        own_ports: Leave the listeners where the document puts them.
        arguments: Further arguments of `run`.
    """
    port, admin_port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plano_config.yaml")
        if file:
            path.write_text(text, encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            COMMAND,
            "run",
            *([str(path)] if file else []),
            *([] if own_ports else ["--port", str(port)]),
            "--admin",
            f"127.0.0.1:{admin_port}",
            *arguments,
            env=environment(env),
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        urls = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin_port}"
        gateway = RunningGateway(*urls, process, path)
        assert process.stdout is not None
        assert process.stderr is not None
        readers = asyncio.gather(
            gateway.collect(process.stdout, gateway.stdout),
            gateway.collect(process.stderr, gateway.stderr),
        )
        try:
            await _ready(gateway)
            if own_ports:
                gateway.url = await _announced(gateway)
            yield gateway
        finally:
            status = await _stop(process)
            await readers
        errors = "\n".join(gateway.stderr)
        assert "Traceback" not in errors, errors
        assert status == 0, errors


async def _announced(gateway: RunningGateway) -> str:
    """Return the first address of the line that says what is served."""
    line = await gateway.line_with("serving http", where=gateway.stderr)
    _, _, rest = line.partition("serving ")
    return rest.split(" ")[0].rstrip(",").replace("0.0.0.0", "127.0.0.1")


async def _ready(gateway: RunningGateway) -> None:
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(trust_env=False) as client:
        while True:
            if gateway.process.returncode is not None:
                raise AssertionError("the gateway ended:\n" + "\n".join(gateway.stderr))
            try:
                if (await client.get(f"{gateway.admin_url}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


async def _stop(process: asyncio.subprocess.Process) -> int:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            return await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise AssertionError("the gateway did not end on SIGTERM") from None
