"""A worker process, as its supervisor sees it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from plano_filters.errors import PayloadTooLarge, Unavailable
from plano_filters.messages import Request
from plano_filters.server.explaining import packed
from plano_filters.server.worker import LONGEST_LINE, Order

RELOAD_SECONDS: Final = 60.0
"""For a worker to load a configuration and start its filters."""
SOURCES_SECONDS: Final = 5.0
"""For a worker to say what its filters go by: it has that in memory."""
EXPLAIN_SECONDS: Final = 30.0
"""For a worker to take a request through its filters."""
EXPLAIN_BYTES: Final = LONGEST_LINE // 2
"""Of a body: it is written as base64, and headers go beside it."""
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
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        """What is expected of it, by the numbers of the messages."""
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
        reply = await self._ask({"reload": text}, RELOAD_SECONDS)
        if reply["error"] is not None:
            raise RuntimeError(f"worker {self.pid}: {reply['error']}")

    async def explain(self, request: Request) -> dict[str, Any]:
        """Let it say what it would do with a request.

        Raises:
            PayloadTooLarge: The request does not go into one message.
            Unavailable: It has ended, or did not answer.
        """
        if len(request.body) > EXPLAIN_BYTES:
            raise PayloadTooLarge(f"with several workers, {EXPLAIN_BYTES} bytes can be explained")
        try:
            reply = await self._ask({"explain": packed(request)}, EXPLAIN_SECONDS)
        except TimeoutError:
            raise Unavailable(f"worker {self.pid} did not answer") from None
        if reply["error"] is not None:
            raise Unavailable(f"worker {self.pid}: {reply['error']}")
        explained: dict[str, Any] = reply["explained"]
        return explained

    async def sources(self) -> dict[str, Any]:
        """Return its pid and what its filters go by, in `sources`; or why it does not say, in
        `error`. Raises nothing."""
        if not self.ready.is_set():
            return {"pid": self.pid, "error": "it is not ready"}
        try:
            reply = await self._ask({"sources": True}, SOURCES_SECONDS)
        except TimeoutError:
            reply = {"error": "it did not answer"}
        if reply["error"] is not None:
            return {"pid": self.pid, "error": reply["error"]}
        return {"pid": self.pid, "sources": reply["sources"]}

    async def _ask(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send a message and wait for its reply, whatever else is under way.

        Raises:
            TimeoutError: There was none.
        """
        if self._listening.done():
            return {"error": "it ended"}
        number = next(self._numbers)
        reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = reply
        self._writer.write(json.dumps({**message, "number": number}).encode() + b"\n")
        try:
            async with asyncio.timeout(seconds):
                return await reply
        finally:
            del self._waiting[number]

    def terminate(self) -> None:
        """Let it drain."""
        with suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            with suppress(ConnectionError):
                async for line in reader:
                    message = json.loads(line)
                    if message.get("ready"):
                        self.ready.set()
                    else:
                        self._settle(self._waiting.get(message["number"]), message)
        finally:
            for reply in self._waiting.values():
                self._settle(reply, {"error": "it ended"})

    @staticmethod
    def _settle(reply: asyncio.Future[dict[str, Any]] | None, message: dict[str, Any]) -> None:
        """Hand a reply to who waits for it, if anybody still does."""
        if reply is not None and not reply.done():
            reply.set_result(message)
