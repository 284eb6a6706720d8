"""The fault zoo: what providers do to gateways, over real sockets.

    async with faults.serve(faults.status(429, retry_after=2), faults.fine()) as base_url: ...

Each request takes the next fault; the last one stays. The answers around a fault are the mock's, so
a fault fits what was asked: `n` counts events of a stream, and a plain answer breaks in its middle.
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from plano_filters.mock import core
from plano_filters.testing.partial import prepare
from plano_filters.testing.provider import AsMock, FakeProvider, Reply

_SETTLE: Final = 0.05
"""Seconds before a connection is cut: a cut that arrives with the events hides them."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What a provider does wrong with a request; also a behaviour for `FakeProvider.script`."""

    name: str
    """As it is written: `cut_after(3)`."""
    play: Callable[[Reply], Awaitable[None]]

    def __str__(self) -> str:
        return self.name

    async def __call__(self, reply: Reply) -> None:
        await self.play(reply)


@dataclass(frozen=True, slots=True)
class Unreachable:
    """An address where no request arrives; it has no place in a sequence."""

    name: str
    listens: bool
    """Whether the host exists, though nobody takes connections."""

    def __str__(self) -> str:
        return self.name


@asynccontextmanager
async def serve(*faults: Fault | Unreachable) -> AsyncGenerator[str]:
    """Serve a provider with faults until the block ends; yields its base URL, `/v1` included.

    Args:
        faults: In order, one a request; the last one stays.

    Raises:
        ValueError: No fault was given, or an unreachable address beside others.
    """
    first = faults[0] if faults else None
    if isinstance(first, Unreachable) and len(faults) == 1:
        async with _nowhere(first) as base_url:
            yield base_url
        return
    playable = [fault for fault in faults if isinstance(fault, Fault)]
    if not playable or len(playable) < len(faults):
        raise ValueError("serve() takes faults, or a single unreachable address")
    provider = FakeProvider(playable[-1])
    provider.script(*playable[:-1])
    async with provider.serve():
        yield provider.base_url


@asynccontextmanager
async def _nowhere(fault: Unreachable) -> AsyncGenerator[str]:
    if not fault.listens:
        yield "http://nowhere.invalid/v1"  # RFC 2606: never resolves
        return
    with socket.socket() as bound:  # bound, so that nobody else listens there
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/v1"


def fine() -> Fault:
    """Answer as the mock does: the end of a sequence."""
    return Fault("fine()", AsMock())


def status(code: int, *, retry_after: float | None = None) -> Fault:
    """Answer with an error.

    Args:
        code: HTTP status.
        retry_after: Seconds, for the header of this name; whole ones, as the header wants.
    """
    wait = {} if retry_after is None else {"retry-after": str(math.ceil(retry_after))}
    shown = f"status({code})" if retry_after is None else f"status({code}, {retry_after=:g})"

    async def play(reply: Reply) -> None:
        await reply.whole(code, json.dumps(core.error(code)).encode(), wait)

    return Fault(shown, play)


def connect_refused() -> Unreachable:
    """Refuse connections: nobody listens at the address."""
    return Unreachable("connect_refused()", listens=True)


def dns_failure() -> Unreachable:
    """Have a host name that does not resolve."""
    return Unreachable("dns_failure()", listens=False)


def stall_before_first() -> Fault:
    """Take the request and never say a word."""

    async def play(reply: Reply) -> None:
        await asyncio.Event().wait()

    return Fault("stall_before_first()", play)


def stall_after(n: int) -> Fault:
    """Fall silent for ever after `n` events; after 0, with the head sent."""

    async def play(reply: Reply) -> None:
        await (await prepare(reply)).begin(n)
        await asyncio.Event().wait()

    return Fault(f"stall_after({n})", play)


def cut_after(n: int) -> Fault:
    """Break the connection off after `n` events, in the middle of the next."""

    async def play(reply: Reply) -> None:
        answer = await prepare(reply)
        await answer.begin(n)
        await asyncio.sleep(_SETTLE)
        await reply.send(b"fff\r\n" + answer.after(n)[:10])
        reply.cut(reset=True)

    return Fault(f"cut_after({n})", play)


def bad_json_at(n: int) -> Fault:
    """Send something that is no JSON as the event of this number, counted from 0; then go on."""

    async def play(reply: Reply) -> None:
        answer = await prepare(reply)
        if answer.streamed:
            answer.pieces[n : n + 1] = [b'data: {"id": "chatcmpl-\n\n']
        else:
            del answer.pieces[1:]
        await answer.finish()

    return Fault(f"bad_json_at({n})", play)


def error_event_after(n: int, code: int = 500) -> Fault:
    """Report an error as an event after `n` events, and end the stream. Plain: as a status."""

    async def play(reply: Reply) -> None:
        document = json.dumps(core.error(code)).encode()
        answer = await prepare(reply)
        if not answer.streamed:
            await reply.whole(code, document)
            return
        answer.pieces[n:] = [b"data: " + document + b"\n\n"]
        await answer.finish()

    return Fault(f"error_event_after({n})", play)


def no_done() -> Fault:
    """End a stream properly, but without its last event, such as `[DONE]`."""

    async def play(reply: Reply) -> None:
        answer = await prepare(reply)
        if answer.streamed:
            del answer.pieces[-1:]
        await answer.finish()

    return Fault("no_done()", play)


def slow(seconds: float = 0.05) -> Fault:
    """Pause before every event.

    Args:
        seconds: Of each pause.
    """

    async def play(reply: Reply) -> None:
        answer = await prepare(reply)
        await answer.finish(pause=seconds)

    return Fault(f"slow({seconds:g})", play)


def huge_body(mib: int = 65) -> Fault:
    """Answer a good document that is larger than anybody wants; never streamed.

    Args:
        mib: Its size. The gateway's own limit for an answer is 64 MiB.
    """

    async def play(reply: Reply) -> None:
        size = mib * 1024**2
        head, tail = b'{"object": "chat.completion", "padding": "', b'", "choices": []}'
        await reply.head(200, {"content-type": "application/json", "content-length": str(size)})
        await reply.send(head)
        left = size - len(head) - len(tail)
        while left:
            await reply.send(b"x" * min(left, 65536))
            left -= min(left, 65536)
        await reply.send(tail)

    return Fault(f"huge_body({mib})", play)


def wrong_content_length() -> Fault:
    """Promise more bytes than come, and close the connection. Never streamed."""

    async def play(reply: Reply) -> None:
        body = json.dumps({"object": "chat.completion", "choices": []}).encode()
        length = str(len(body) + 100)
        await reply.head(200, {"content-type": "application/json", "content-length": length})
        await reply.send(body)
        reply.cut(reset=False)

    return Fault("wrong_content_length()", play)


ZOO: Final[tuple[Fault | Unreachable, ...]] = (
    status(429, retry_after=2),
    status(500),
    connect_refused(),
    dns_failure(),
    stall_before_first(),
    stall_after(2),
    cut_after(2),
    bad_json_at(2),
    error_event_after(2),
    no_done(),
    slow(),
    huge_body(),
    wrong_content_length(),
)
"""One of each, for `parametrize("fault", faults.ZOO, ids=str)`."""
