"""Against a scripted provider over real sockets: failures, streams, deadlines, leaving."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from plano_builtin_filters.upstream import Upstream, UpstreamConfig
from plano_filters import (
    Attempts,
    Candidates,
    Document,
    Exchange,
    FactoryContext,
    GatewayError,
    Outcome,
    Response,
    UpstreamFailed,
    UpstreamTimeout,
)
from plano_filters.chain import Chain, link
from plano_filters.testing import make_exchange
from plano_filters.transport import UpstreamTransport
from tests.support import behaviours
from tests.support.answers import chat_document, chat_events
from tests.support.provider import Behaviour, FakeProvider, Reply

QUICK = {"attempts": 1, "backoff_base": "1ms", "first_byte_timeout": "5s", "idle_timeout": "5s"}


@dataclass
class Stand:
    """A chain of `upstream` alone, and its provider."""

    provider: FakeProvider
    chain: Chain

    async def ask(self, **body: Any) -> tuple[Response, Exchange]:
        exchange = make_exchange(
            {"model": "m", **body}, facts=[Candidates(("openai/m",), "m", explicit=True)]
        )
        return await self.chain.run(exchange), exchange


@asynccontextmanager
async def standing(
    base_url: str | None = None, *, http_host: str | None = None, **config: Any
) -> AsyncGenerator[Stand]:
    """Serve a provider and a chain in front of it."""
    transport = UpstreamTransport()
    async with FakeProvider().serve() as provider:
        address = base_url or provider.url
        entry = {"model": "openai/m", "base_url": address, "http_host": http_host}
        document = Document.model_validate({"model_providers": [entry]})
        context = FactoryContext("upstream", document=document, transport=lambda: transport)
        upstream = Upstream(UpstreamConfig.model_validate({**QUICK, **config}), context)
        chain = Chain([link(upstream, id="upstream", name="upstream")])
        async with chain.lifespan():
            try:
                yield Stand(provider, chain)
            finally:
                await transport.aclose()


async def read(response: Response) -> tuple[bytes, GatewayError | None]:
    """Read a stream to its end; return its bytes and what broke it."""
    assert not isinstance(response.body, bytes)
    received = bytearray()
    try:
        async for chunk in response.body:
            received += chunk
    except GatewayError as error:
        return bytes(received), error
    return bytes(received), None


def errors(exchange: Exchange) -> list[str | None]:
    return [result.error for result in exchange.state[Attempts].results]


async def test_a_plain_answer_and_its_connection() -> None:
    """Bytes come as they were sent, and the next request takes the same connection."""
    async with standing() as stand:
        for _ in range(2):
            response, exchange = await stand.ask()
            await stand.chain.complete(exchange, Outcome(200))

            assert response.body == json.dumps(chat_document("m")).encode()
            assert response.headers["x-upstream-request-id"] == "provider-request"

        assert len(stand.provider.requests) == 2
        head = stand.provider.requests[0].head
        assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
        assert b"transfer-encoding" not in head.lower()


@pytest.mark.parametrize("stream", [False, True])
async def test_connections_are_used_again(stream: bool) -> None:
    """An answer that was read to its end leaves its connection for the next request."""
    async with standing() as stand:
        for _ in range(3):
            response, exchange = await stand.ask(stream=stream)
            if stream:
                await read(response)
            await stand.chain.complete(exchange, Outcome(200))

        assert len(stand.provider.requests) == 3
        assert len(stand.provider._connections) == 1


async def test_a_large_body_arrives_whole() -> None:
    """Two mebibytes go up with their length, not chunked."""
    async with standing() as stand:
        _, exchange = await stand.ask(messages=["x" * 2_097_152])
        await stand.chain.complete(exchange, Outcome(200))

        (request,) = stand.provider.requests
        assert request.body == exchange.request.body
        assert "transfer-encoding" not in request.headers


async def test_header_bytes_that_are_not_ascii_go_up() -> None:
    """A client's header in UTF-8 is no reason to fail."""
    async with standing() as stand:
        exchange = make_exchange(
            {"model": "m"}, facts=[Candidates(("openai/m",), "m", explicit=True)]
        )
        exchange.request.headers.raw.append((b"x-title", "Café 日本".encode()))
        response = await stand.chain.run(exchange)
        await stand.chain.complete(exchange, Outcome(200))

        assert response.status == 200
        assert "x-title: Café 日本".encode() in stand.provider.requests[0].head


async def test_the_host_header_can_be_set() -> None:
    """`http_host` is on the wire once, in place of the address."""
    async with standing(http_host="llm.example") as stand:
        _, exchange = await stand.ask()
        await stand.chain.complete(exchange, Outcome(200))

        (request,) = stand.provider.requests
        assert request.head.lower().count(b"\r\nhost:") == 1
        assert request.headers["host"] == "llm.example"


async def test_a_refused_connection() -> None:
    """Nobody listens: tried twice, then 502."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with standing(f"http://127.0.0.1:{port}", attempts=5) as stand:
        response, exchange = await stand.ask()

    assert (response.status, errors(exchange)) == (502, ["connect", "connect"])


async def test_a_name_that_does_not_resolve() -> None:
    """DNS failures are told apart from refused connections."""
    async with standing("http://nowhere.invalid") as stand:
        response, exchange = await stand.ask()

    assert (response.status, errors(exchange)) == (502, ["dns"])


async def test_a_provider_that_does_not_speak_tls() -> None:
    """A failed handshake is told apart too."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, standing(f"https://127.0.0.1:{port}") as stand:
        response, exchange = await stand.ask()

    assert (response.status, errors(exchange)) == (502, ["tls"])


async def drip(reply: Reply) -> None:
    """Send a head, a byte every few milliseconds, for ever."""
    await reply.send(b"HTTP/1.1 200 OK\r\nx-drip: ")
    while True:
        await reply.send(b"x")
        await asyncio.sleep(0.01)


async def garbage(reply: Reply) -> None:
    """Answer with what is no HTTP."""
    await reply.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


async def smuggle(reply: Reply) -> None:
    """Answer with two lengths that contradict."""
    lengths = {"content-length": "5", "transfer-encoding": "chunked"}
    await reply.head(200, {"content-type": "application/json", **lengths})
    await reply.send(b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")


@pytest.mark.parametrize(
    ("behaviour", "status", "error"),
    [
        pytest.param(behaviours.stall(), 504, "timeout", id="no head"),
        pytest.param(behaviours.stall(head=True), 504, "timeout", id="head, no event"),
        pytest.param(drip, 504, "timeout", id="dripping head"),
        pytest.param(behaviours.hang_up(), 502, "reset", id="hung up"),
        pytest.param(behaviours.cut(after=0, reset=True), 502, "reset", id="cut, no event"),
        pytest.param(behaviours.short(), 502, "reset", id="short body"),
        pytest.param(behaviours.html(), 502, "stream", id="html"),
        pytest.param(garbage, 502, "reset", id="no http"),
        pytest.param(smuggle, 502, "reset", id="two lengths"),
    ],
)
async def test_failures_before_anything_was_sent(
    behaviour: Behaviour, status: int, error: str
) -> None:
    """Each is noticed, tried again, and told to the client with a status."""
    async with standing(attempts=2, first_byte_timeout="50ms") as stand:
        stand.provider.default = behaviour
        response, exchange = await stand.ask(stream=True)
        await stand.chain.complete(exchange, Outcome(status))

    assert (response.status, errors(exchange)) == (status, [error, error])
    assert response.headers["x-should-retry"] == "false"


async def slow_body(reply: Reply) -> None:
    """Begin a JSON answer and never end it."""
    await reply.head(200, {"content-type": "application/json", "content-length": "100"})
    await reply.send(b"{")
    await asyncio.Event().wait()


async def test_an_answer_that_stands_still_is_given_up() -> None:
    """The idle deadline holds for plain answers too."""
    async with standing(idle_timeout="50ms") as stand:
        stand.provider.default = slow_body
        response, exchange = await stand.ask()
        await stand.chain.complete(exchange, Outcome(504))

    assert (response.status, errors(exchange)) == (504, ["timeout"])


async def slow_error(reply: Reply) -> None:
    """Begin an error answer and break it off."""
    await reply.head(422, {"content-type": "application/json", "content-length": "100"})
    await reply.send(b'{"error"')
    reply.cut(reset=False)


async def test_a_broken_error_answer_keeps_its_status() -> None:
    """A 4xx whose body is lost is still final."""
    async with standing(attempts=2) as stand:
        stand.provider.default = slow_error
        response, exchange = await stand.ask()
        await stand.chain.complete(exchange, Outcome(422))

    assert (response.status, errors(exchange)) == (422, ["status"])


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(behaviours.cut(after=2, reset=True), id="reset"),
        pytest.param(behaviours.cut(after=2, reset=False), id="closed"),
        pytest.param(behaviours.no_done(), id="no last event"),
    ],
)
async def test_a_stream_that_breaks_off(behaviour: Behaviour) -> None:
    """After whole events the body raises, so that nobody takes a part for the whole."""
    async with standing(attempts=3) as stand:
        stand.provider.default = behaviour
        response, exchange = await stand.ask(stream=True)
        received, error = await read(response)
        await stand.chain.complete(exchange, Outcome(200))

    assert isinstance(error, UpstreamFailed)
    assert received in [b"".join(chat_events(m)[:n]) for m, n in
                        [("cut", 2), ("undone", 3)]]  # fmt: skip
    assert errors(exchange) == [None]  # the client has seen bytes: no second try


async def bad_framing(reply: Reply) -> None:
    """Send two events, and in another packet a chunk whose size is no number."""
    await reply.stream_head()
    await reply.events(chat_events("bad")[:2])
    await asyncio.sleep(0.05)  # in one packet the whole would be refused, and tried again
    await reply.send(b"xyz\r\nno chunk\r\n")


async def test_bad_framing_in_the_middle_of_a_stream() -> None:
    """It is never taken for an end. aiohttp says nothing of it, so the idle deadline has to."""
    async with standing(idle_timeout="100ms") as stand:
        stand.provider.default = bad_framing
        response, exchange = await stand.ask(stream=True)
        received, error = await read(response)
        await stand.chain.complete(exchange, Outcome(200))

    assert received == b"".join(chat_events("bad")[:2])
    assert isinstance(error, UpstreamTimeout)


@pytest.mark.parametrize(
    ("config", "says"),
    [({"idle_timeout": "50ms"}, "silent"), ({"total_timeout": "100ms"}, "longer than")],
)
async def test_a_stream_that_falls_silent(config: dict[str, str], says: str) -> None:
    """Idle and total deadlines end a stream, and the provider is left."""
    async with standing(**config) as stand:
        stand.provider.default = behaviours.stall(after=2)
        response, exchange = await stand.ask(stream=True)
        received, error = await read(response)
        await stand.chain.complete(exchange, Outcome(200))
        await stand.provider.requests[0].disconnected.wait()

    assert received == b"".join(chat_events("stalling")[:2])
    assert isinstance(error, UpstreamTimeout)
    assert says in error.detail


async def test_a_stream_that_never_stops_meets_the_total_deadline() -> None:
    """Signs of life do not put the total deadline off."""
    async with standing(total_timeout="150ms") as stand:
        stand.provider.default = behaviours.endless()
        response, exchange = await stand.ask(stream=True)
        _, error = await read(response)
        await stand.chain.complete(exchange, Outcome(200))

    assert isinstance(error, UpstreamTimeout)


async def test_signs_of_life_come_between_events_only() -> None:
    """A comment is sent while the provider is silent, never into the middle of an event."""
    first, *rest = chat_events("m")
    silent, torn, go = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def play(reply: Reply) -> None:
        await reply.stream_head()
        await reply.chunk(first)
        await silent.wait()
        await reply.chunk(rest[0][:9])
        torn.set()
        await go.wait()
        await reply.chunk(rest[0][9:] + b"".join(rest[1:]))
        await reply.send(b"0\r\n\r\n")

    async with standing(keep_alive="10ms") as stand:
        stand.provider.default = play
        response, exchange = await stand.ask(stream=True)
        assert not isinstance(response.body, bytes)
        chunks = []
        async for chunk in response.body:
            chunks.append(chunk)
            if len(chunks) == 3:
                silent.set()
                await torn.wait()
                asyncio.get_running_loop().call_later(0.1, go.set)
        await stand.chain.complete(exchange, Outcome(200))

    assert chunks[:3] == [first, b": keep-alive\n\n", b": keep-alive\n\n"]
    events = [chunk for chunk in chunks if chunk != b": keep-alive\n\n"]
    assert b"".join(events) == first + b"".join(rest)


async def test_events_are_relayed_as_they_come() -> None:
    """The next event is sent only when the one before it has been relayed: nothing is buffered."""
    events = chat_events("m")
    relayed = asyncio.Semaphore(0)

    async def play(reply: Reply) -> None:
        await reply.stream_head()
        for event in events:
            await reply.chunk(event)
            await relayed.acquire()
        await reply.send(b"0\r\n\r\n")

    async with standing() as stand:
        stand.provider.default = play
        response, exchange = await stand.ask(stream=True)
        assert not isinstance(response.body, bytes)
        received = []
        async for chunk in response.body:
            received.append(chunk)
            relayed.release()
        await stand.chain.complete(exchange, Outcome(200))

    assert received == events


async def test_a_stream_torn_anywhere_arrives_whole() -> None:
    """Wherever the network cuts a stream into reads, its bytes are the provider's."""
    text = (
        b': comment\r\n\r\nevent: a\ndata: {"t": "\xe6\x97\xa5\xe6\x9c\xac"}\r\n\r\n'
        b"data: 1\rdata: 2\r\rid: 7\nretry: 5\n\ndata: [DONE]\n\n"
    )

    async def play(reply: Reply) -> None:
        at = reply.request.json["at"]
        await reply.stream_head()
        await reply.chunk(text[:at])
        await asyncio.sleep(0)
        await reply.chunk(text[at:])
        await reply.send(b"0\r\n\r\n")

    async with standing() as stand:
        stand.provider.default = play
        for at in range(1, len(text)):
            response, exchange = await stand.ask(stream=True, at=at)
            received, error = await read(response)
            await stand.chain.complete(exchange, Outcome(200))

            assert (received, error) == (text, None)


async def test_leaving_before_the_head_closes_the_connection() -> None:
    """A cancelled exchange is over for the provider too."""
    async with standing() as stand:
        stand.provider.default = behaviours.stall()
        asking = asyncio.create_task(stand.ask())
        request = await stand.provider.request()
        asking.cancel()
        await asyncio.wait([asking])
        await request.disconnected.wait()

    assert asking.cancelled()


async def test_leaving_a_stream_closes_the_connection() -> None:
    """The provider is not read to its end, and the connection is not used again."""
    async with standing() as stand:
        stand.provider.default = behaviours.endless()
        response, exchange = await stand.ask(stream=True)
        body = response.body
        assert isinstance(body, AsyncGenerator)
        async with aclosing(body):
            await anext(body)
        await stand.chain.complete(exchange, Outcome(200, disconnected=True))
        await stand.provider.requests[0].disconnected.wait()


async def test_leaving_before_the_first_read_closes_the_connection() -> None:
    """A client may leave between the head and the body."""
    async with standing() as stand:
        stand.provider.default = behaviours.endless()
        response, exchange = await stand.ask(stream=True)
        assert isinstance(response.body, AsyncIterator)
        await stand.chain.complete(exchange, Outcome(200, disconnected=True))
        await stand.provider.requests[0].disconnected.wait()


async def test_a_stale_connection_counts_as_a_try() -> None:
    """A pooled connection that the provider has closed meanwhile is a reset like any other."""

    async def once(reply: Reply) -> None:
        await reply.whole(200, b"{}")
        reply.cut(reset=True)

    async with standing(attempts=3) as stand:
        stand.provider.script(once, behaviours.hang_up())
        first, exchange = await stand.ask()
        await stand.chain.complete(exchange, Outcome(200))
        second, exchange = await stand.ask()
        await stand.chain.complete(exchange, Outcome(200))

    assert (first.status, second.status) == (200, 200)
    assert errors(exchange)[-1] is None
    assert "reset" in errors(exchange)
