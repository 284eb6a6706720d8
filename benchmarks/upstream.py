"""A provider that costs next to nothing: one canned answer, one canned stream of 50 events.

python -m benchmarks.upstream PORT
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

import uvloop

EVENTS = 50
_USAGE = {"prompt_tokens": 20, "completion_tokens": 100, "total_tokens": 120}


def _answer() -> bytes:
    message = {"role": "assistant", "content": "The quick brown fox. " * 20}
    body = json.dumps(
        {
            "id": "chatcmpl-0123456789",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "bench",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": _USAGE,
        }
    ).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


def _stream() -> list[bytes]:
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    chunks = [head]
    for number in range(EVENTS):
        last = number == EVENTS - 1
        choice = {
            "index": 0,
            "delta": {} if last else {"content": f"word{number} "},
            "finish_reason": "stop" if last else None,
        }
        event = json.dumps(
            {
                "id": "chatcmpl-0123456789",
                "object": "chat.completion.chunk",
                "created": 1_700_000_000,
                "model": "bench",
                "choices": [choice],
            }
        )
        chunks.append(_chunk(f"data: {event}\n\n".encode()))
    return [*chunks, _chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n"]


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


ANSWER = _answer()
STREAM = _stream()


class Provider(asyncio.Protocol):
    """Answers requests of one connection; events of a stream are written one by one."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.lower().split(b"\r\n")
        length = next((int(li[15:]) for li in lines if li.startswith(b"content-length:")), 0)
        if len(rest) < length:
            return
        body, self._buffer = rest[:length], rest[length:]
        assert self._transport is not None
        if b'"stream": true' in body:
            for chunk in STREAM:
                self._transport.write(chunk)
        else:
            self._transport.write(ANSWER)


async def main(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
