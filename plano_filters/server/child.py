"""A worker process, as its supervisor sees it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from plano_filters.server.worker import LONGEST_LINE, Order

RELOAD_SECONDS: Final = 60.0
"""For a worker to load a configuration and start its filters."""
STABLE_SECONDS: Final = 60.0
"""A worker that has served so long and then ends is restarted at once."""
LONGEST_DELAY: Final = 30.0


def restart_delay(failures: int) -> float:
    """Return the seconds to wait before a restart: 0.1, doubling, at most 30.

    Args:
        failures: Ends in a row, this one included, each soon after the start.
    """
    return min(LONGEST_DELAY, 0.1 * 2.0 ** min(failures - 1, 16))


class Child:
    """One worker process.

    Args:
        process: Running.
        reader: Its messages.
        writer: Messages to it.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._writer = writer
        self._replies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._listening = asyncio.create_task(self._listen(reader))
        self.ready = asyncio.Event()
        """Set once it serves."""

    @classmethod
    async def start(cls, order: Order, env: Mapping[str, str]) -> Child:
        """Start a worker in a session of its own: a Ctrl-C is for the supervisor alone."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "plano_filters.server.worker", str(theirs.fileno())),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), *order.sockets),
                start_new_session=True,
                env={**os.environ, **env},
            )
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=LONGEST_LINE)
        writer.write(order.to_line())
        return cls(process, reader, writer)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> int:
        """Return its exit status when it has ended."""
        status = await self._process.wait()
        self._listening.cancel()
        self._writer.close()
        return status

    async def reload(self, text: str) -> None:
        """Let it serve by another document.

        Raises:
            RuntimeError: It cannot.
            TimeoutError: It did not answer.
        """
        self._writer.write(json.dumps({"reload": text}).encode() + b"\n")
        async with asyncio.timeout(RELOAD_SECONDS):
            reply = await self._replies.get()
        if reply["error"] is not None:
            raise RuntimeError(f"worker {self.pid}: {reply['error']}")

    def terminate(self) -> None:
        """Let it drain."""
        with suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            async for line in reader:
                message = json.loads(line)
                if message.get("ready"):
                    self.ready.set()
                else:
                    self._replies.put_nowait(message)
        self._replies.put_nowait({"error": "it ended"})
