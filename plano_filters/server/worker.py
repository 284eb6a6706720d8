"""One worker of several: a process that serves on its supervisor's sockets.

The supervisor starts `python -m plano_filters.server.worker FD`. On the socket `FD` come lines of
JSON: first an `Order`, later numbered messages, `{"number": N, "reload": TEXT}`, `"explain"` with a
request, or `"sources"`. The worker says `{"ready": true}` once, and answers each message with its
number and an `error`, a text or null; an explanation is in `explained`, what its filters go by in
`sources`. The end of the socket is the end of the supervisor.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from plano_filters.config import Loaded, load_text
from plano_filters.config.env import read_dotenv
from plano_filters.config.unsupported import Compat
from plano_filters.errors import ConfigError
from plano_filters.server.explaining import unpacked
from plano_filters.server.options import Options, StartError
from plano_filters.server.process import Process, loop_factory
from plano_filters.telemetry.access_log import configure_logging

log = logging.getLogger(__name__)

LONGEST_LINE: Final = 8 * 1024 * 1024
"""Bytes of one message; a document may have one MiB, and JSON escapes."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is to do."""

    name: str
    """Of the document."""
    text: str
    """The document itself: the file may have changed since it was checked."""
    compat: Compat
    sockets: list[int]
    """File descriptors of the document's listeners, in its order."""
    drain_delay: float
    log_level: str
    log_format: str

    def to_line(self) -> bytes:
        """Write the order as one line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    def load(self, text: str | None = None) -> Loaded:
        """Load the document, or another text in its place, as the supervisor did."""
        beside = read_dotenv(Path(self.name).parent / ".env")
        env = {**beside, **os.environ}
        return load_text(text or self.text, name=self.name, env=env, compat=self.compat)


def main() -> None:
    """Serve until SIGTERM, or until the supervisor is gone; then drain."""
    control = socket.socket(fileno=int(sys.argv[1]))
    with control.makefile("rb") as lines:
        order = Order(**json.loads(lines.readline()))
    configure_logging(order.log_level, as_json=order.log_format == "json")
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve(order, control))
    except (ConfigError, StartError) as error:
        sys.exit(str(error))


async def _serve(order: Order, control: socket.socket) -> None:
    loaded = order.load()
    sockets = [
        (listener, socket.socket(fileno=number))
        for listener, number in zip(loaded.document.listeners, order.sockets, strict=True)
    ]
    reader, writer = await asyncio.open_unix_connection(sock=control, limit=LONGEST_LINE)
    options = Options(
        drain_delay=order.drain_delay,
        announce=False,  # the supervisor does
        on_ready=lambda urls, admin: _tell(writer, {"ready": True}),
    )
    process = Process(loaded, sockets, None, options)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, process.stop)
    for number in (signal.SIGINT, signal.SIGHUP):  # meant for the supervisor
        loop.add_signal_handler(number, lambda: None)
    listening = asyncio.create_task(_obey(process, order, reader, writer))
    try:
        await process.run()
    finally:
        listening.cancel()


async def _obey(
    process: Process, order: Order, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Do what the supervisor says, one after the other, until it is gone."""
    with suppress(ConnectionError):
        async for line in reader:
            message = json.loads(line)
            reply = {"number": message["number"], "error": None}
            if "reload" in message:
                reply["error"] = await _reload(process, order, message["reload"])
            elif "sources" in message:
                reply |= await _sources(process)
            else:
                reply |= await _explain(process, message["explain"])
            _tell(writer, reply)
    process.stop()


async def _explain(process: Process, values: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"explained": await process.explain(unpacked(values))}
    except Exception as error:
        log.exception("explaining a request failed")
        return {"error": str(error) or type(error).__name__}


async def _sources(process: Process) -> dict[str, Any]:
    try:
        told = await process.sources()
        json.dumps(told, allow_nan=False)  # a filter of anyone's may report what is no JSON
    except Exception as error:
        log.exception("a filter could not say what it goes by")
        return {"error": str(error) or type(error).__name__}
    return told


async def _reload(process: Process, order: Order, text: str) -> str | None:
    try:
        await process.reload_from(lambda: order.load(text))
    except Exception as error:  # noqa: BLE001 - whatever a filter's start raises
        return str(error) or type(error).__name__
    return None


def _tell(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
