"""A load generator: closed loop, raw HTTP/1.1, every answer checked.

    python -m benchmarks.load PORT CONNECTIONS SECONDS json|stream

Prints one JSON object. Latencies are in microseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

from benchmarks.upstream import EVENTS

WARM_UP = 0.3
"""Part of the time that is not counted: connections open, caches fill."""


def request(*, stream: bool) -> bytes:
    """Return a chat request of about 700 bytes."""
    body = json.dumps(
        {
            "model": "openai/bench",
            "stream": stream,
            "temperature": 0.2,
            "messages": [
                {"role": "system", "content": "You are a helpful assistant. " * 8},
                {"role": "user", "content": "Tell me about foxes, quick ones. " * 8},
            ],
        }
    ).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        "authorization: Bearer sk-client\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(slots=True)
class Tally:
    """What was measured."""

    counting: bool = False
    latencies: list[float] = field(default_factory=list)
    first_bytes: list[float] = field(default_factory=list)
    errors: int = 0


class Connection(asyncio.Protocol):
    """Sends the request again and again; the next one when the answer is complete."""

    def __init__(self, data: bytes, tally: Tally, *, stream: bool) -> None:
        self._request = data
        self._tally = tally
        self._stream = stream
        self._buffer = bytearray()
        self._started = 0.0
        self._first = 0.0
        self._transport: asyncio.Transport | None = None
        self.stopped = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        if not self._buffer:
            self._first = time.perf_counter()
        self._buffer += data
        if not self._complete():
            return
        ended = time.perf_counter()
        good = self._buffer.startswith(b"HTTP/1.1 200")
        if self._stream:
            good = good and self._buffer.count(b"data: ") == EVENTS + 1
        if self._tally.counting:
            self._tally.errors += not good
            self._tally.latencies.append(ended - self._started)
            self._tally.first_bytes.append(self._first - self._started)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.stopped:
            self._tally.errors += 1

    def _send(self) -> None:
        self._buffer.clear()
        if self._transport is not None and not self.stopped:
            self._started = time.perf_counter()
            self._transport.write(self._request)

    def _complete(self) -> bool:
        if self._stream:
            return self._buffer.endswith(b"0\r\n\r\n")
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        return len(self._buffer) >= end + 4 + length


async def run(port: int, connections: int, seconds: float, *, stream: bool) -> dict[str, Any]:
    """Load a server for some seconds; return the figures."""
    tally = Tally()
    data = request(stream=stream)
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(
            lambda: Connection(data, tally, stream=stream), "127.0.0.1", port
        )
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds * WARM_UP)
    tally.counting = True
    started = time.perf_counter()
    await asyncio.sleep(seconds * (1 - WARM_UP))
    elapsed = time.perf_counter() - started
    for transport, connection in opened:
        connection.stopped = True
        transport.abort()
    return {
        "per_second": len(tally.latencies) / elapsed,
        "p50_us": quantile(tally.latencies, 0.50),
        "p99_us": quantile(tally.latencies, 0.99),
        "first_byte_p50_us": quantile(tally.first_bytes, 0.50),
        "count": len(tally.latencies),
        "errors": tally.errors,
    }


def quantile(values: list[float], q: float) -> float:
    """Return a quantile of seconds, in microseconds; 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))] * 1e6 if ordered else 0.0


if __name__ == "__main__":
    port, connections, seconds, kind = sys.argv[1:]
    figures = run(int(port), int(connections), float(seconds), stream=kind == "stream")
    print(json.dumps(uvloop.run(figures)))
