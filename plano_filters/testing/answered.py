"""Requests through the gateway's edge without a socket, and what came of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from opentelemetry.sdk.trace import ReadableSpan
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message

from plano_filters.exchange import Decision, Exchange, Outcome, Timing
from plano_filters.sse import Event, Splitter

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answered:
    """One exchange, from the client's side and from the gateway's."""

    status: int | None
    """None if the client left before the head."""
    headers: Headers
    chunks: tuple[bytes, ...]
    """The body as it came."""
    finished: bool
    """Whether the body came to its end; False after a failure on the way, or a client's leaving."""
    exchange: Exchange
    outcome: Outcome
    spans: tuple[ReadableSpan, ...]
    """Of this exchange, the root span last."""

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        """The whole body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body, parsed."""
        return json.loads(self.body)

    @property
    def events(self) -> list[Event]:
        """The complete events of a stream."""
        return Splitter().feed(self.body)

    @property
    def decisions(self) -> list[Decision]:
        """What filters decided, in order."""
        return self.exchange.decisions

    @property
    def timings(self) -> list[Timing]:
        """Every hook that ran, in order."""
        return self.exchange.timings

    def fact(self, kind: type[T]) -> T | None:
        """Return the fact of this class that filters left, or None."""
        return self.exchange.state.get(kind)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a client sends it."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Client:
    """The client's end of one ASGI exchange.

    Args:
        asked: What it sends.
        leave_after: It leaves after so many chunks; 0 is before the head, None is never.
    """

    asked: Asked
    leave_after: int | None = None
    status: int | None = None
    headers: Headers = field(default_factory=Headers)
    chunks: list[bytes] = field(default_factory=list)
    finished: bool = False
    _left: asyncio.Event = field(default_factory=asyncio.Event)
    _told: bool = False

    async def ask(self, app: ASGIApp) -> None:
        """Take the request through an app, to its end."""
        asked = self.asked
        if self.leave_after == 0:
            self._left.set()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": asked.method,
            "scheme": "http",
            "path": asked.path,
            "raw_path": asked.path.encode(),
            "query_string": asked.query.encode(),
            "root_path": "",
            "headers": Headers(dict(asked.headers)).raw,
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 12000),
        }
        await app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if not self._told:
            self._told = True
            return {"type": "http.request", "body": self.asked.body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._left.is_set():
            await asyncio.Event().wait()  # until the gateway has seen that nobody reads
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = Headers(raw=message["headers"])
            return
        if message["body"]:
            self.chunks.append(message["body"])
        self.finished = not message.get("more_body", False)
        if len(self.chunks) == self.leave_after:
            self._left.set()
