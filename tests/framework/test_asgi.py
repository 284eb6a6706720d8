"""The edge, over real sockets: limits, streams, broken bodies, clients that leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import pytest

from plano_filters.asgi import Gateway
from plano_filters.chain import Chain, link
from plano_filters.config.document import Limits
from plano_filters.errors import UpstreamFailed
from plano_filters.exchange import Exchange, Outcome
from plano_filters.filter import FactoryContext, Filter, FilterConfig, TerminalFilter
from plano_filters.messages import MutableHeaders, Response
from tests.support.serving import serve

Answerer = Callable[[Exchange], Response]


class Terminal(TerminalFilter[FilterConfig]):
    """Answers with a function of the test's; keeps the outcomes."""

    def __init__(self, answer: Answerer) -> None:
        super().__init__(FilterConfig(), FactoryContext("terminal"))
        self.answer = answer
        self.outcomes: asyncio.Queue[Outcome] = asyncio.Queue()

    async def on_request(self, exchange: Exchange) -> Response:
        return self.answer(exchange)

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        self.outcomes.put_nowait(outcome)


def chain_with(answer: Answerer) -> tuple[Chain, Terminal]:
    terminal = Terminal(answer)
    return Chain([link(terminal, id="terminal", name="terminal")]), terminal


def echo(exchange: Exchange) -> Response:
    return Response.from_json(dict(exchange.request.payload))


def streaming(body: AsyncIterator[bytes]) -> Response:
    return Response(200, MutableHeaders({"content-type": "text/event-stream"}), body)


def post(body: bytes, *, path: str = "/v1/chat/completions", headers: str = "") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{headers}\r\n"
    ).encode() + body


async def ask(address: tuple[str, int], raw: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send one raw request on a connection of its own and read until the server closes."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(raw.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    body = await reader.read()
    writer.close()
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return int(head[0].split()[1]), headers, body


async def test_an_exchange_goes_through_the_chain() -> None:
    """The body reaches the filters, the answer the client, with the request id on it."""
    chain, _ = chain_with(echo)
    async with serve(Gateway(chain)) as address:
        status, headers, body = await ask(
            address, post(b'{"model":"m"}', headers="X-Request-Id: abc\r\n")
        )

    assert (status, json.loads(body)) == (200, {"model": "m"})
    assert (headers["x-request-id"], headers["request-id"]) == ("abc", "abc")
    assert headers["content-length"] == str(len(body))


@pytest.mark.parametrize("given", ["x" * 129, "caf\xe9"])
async def test_an_unusable_request_id_is_replaced(given: str) -> None:
    """An id goes into logs and headers, so it is short and printable."""
    chain, _ = chain_with(echo)
    async with serve(Gateway(chain)) as address:
        raw = post(b"{}").replace(
            b"Host: t\r\n", f"Host: t\r\nX-Request-Id: {given}\r\n".encode("latin-1")
        )
        _, headers, _ = await ask(address, raw)

    assert len(headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (post(b"{"), 400, "invalid_json"),
        (post(b""), 400, "invalid_json"),
        (post(b"[]"), 400, "bad_request"),
        (post(b'{"a":' * 70 + b"1" + b"}" * 70), 400, "invalid_json"),
        (post(b'{"stream":"yes"}'), 400, "bad_request"),
        (post(b"x" * 5000), 413, "payload_too_large"),
        (post(b"{}").replace(b"application/json", b"text/plain"), 415, "unsupported_media_type"),
        (b"GET /v1/chat/completions HTTP/1.1\r\nHost: t\r\n\r\n", 405, "method_not_allowed"),
        (post(b"{}", path="/v1/nothing"), 404, "not_found"),
    ],
)
async def test_each_limit_has_its_own_error(raw: bytes, status: int, code: str) -> None:
    """A request that is not one is refused in the caller's dialect before any filter sees it."""
    chain, _ = chain_with(echo)
    async with serve(Gateway(chain, limits=Limits(body=4096))) as address:
        got, headers, body = await ask(address, raw)

    assert got == status
    assert json.loads(body)["error"]["code"] == code
    assert headers["x-plano-error-source"] == "gateway"
    assert headers["x-request-id"]


async def test_a_chunked_body_over_the_limit_is_refused() -> None:
    """The limit holds without a declared length."""
    chain, _ = chain_with(echo)
    async with serve(Gateway(chain, limits=Limits(body=4096))) as address:
        raw = (
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
            b"1000\r\n" + b"x" * 4096 + b"\r\n" + b"1\r\nx\r\n0\r\n\r\n"
        )
        status, _, _ = await ask(address, raw)

    assert status == 413


async def test_an_error_speaks_the_dialect_of_the_path() -> None:
    """An Anthropic client gets an Anthropic error."""
    chain, _ = chain_with(echo)
    async with serve(Gateway(chain)) as address:
        _, _, body = await ask(address, post(b"{", path="/v1/messages"))

    assert json.loads(body)["error"]["type"] == "invalid_request_error"
    assert json.loads(body)["type"] == "error"


async def test_chunks_are_sent_as_they_come() -> None:
    """The client reads the first event while the second does not exist yet."""
    second = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        await second.wait()
        yield b"data: 2\n\n"

    chain, terminal = chain_with(lambda _: streaming(body()))
    async with serve(Gateway(chain)) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(post(b"{}"))
        await reader.readuntil(b"data: 1\n\n")
        second.set()
        await reader.readuntil(b"0\r\n\r\n")
        writer.close()
        outcome = await terminal.outcomes.get()

    assert (outcome.status, outcome.disconnected, outcome.bytes_sent) == (200, False, 18)


@pytest.mark.parametrize(
    ("error", "code"),
    [(UpstreamFailed("cut"), "upstream_failed"), (ValueError("secret"), "internal_error")],
)
async def test_a_broken_stream_ends_with_an_error_event_and_an_abort(
    error: Exception, code: str
) -> None:
    """No clean end: the last event says what happened, and the message is never finished."""

    async def body() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        raise error

    chain, terminal = chain_with(lambda _: streaming(body()))
    async with serve(Gateway(chain)) as address:
        _, _, raw = await ask(address, post(b"{}"))
        outcome = await terminal.outcomes.get()

    assert f'"code":"{code}"'.encode() in raw
    assert b"secret" not in raw
    assert b"0\r\n\r\n" not in raw
    assert outcome.error is error


async def test_a_client_that_leaves_cancels_the_exchange_at_once() -> None:
    """The body's iterator is closed, and filters learn that the client is gone."""
    closed = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"data: 1\n\n"
            await asyncio.Event().wait()
        finally:
            closed.set()

    chain, terminal = chain_with(lambda _: streaming(body()))
    async with serve(Gateway(chain)) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(post(b"{}"))
        await reader.readuntil(b"data: 1\n\n")
        writer.close()
        outcome = await terminal.outcomes.get()

    assert closed.is_set()
    assert outcome.disconnected
    assert outcome.status == 200


async def test_a_client_that_leaves_before_the_answer_cancels_it_too() -> None:
    """Also a call that is not streamed stops at once; nobody pays for what nobody reads."""
    waiting = asyncio.Event()

    class Slow(Filter[FilterConfig]):
        async def on_request(self, exchange: Exchange) -> None:
            waiting.set()
            await asyncio.Event().wait()

        async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
            done.put_nowait(outcome)

    done: asyncio.Queue[Outcome] = asyncio.Queue()
    slow = link(Slow(FilterConfig(), FactoryContext("slow")), id="slow", name="slow")
    chain, _ = chain_with(echo)
    gateway = Gateway(Chain([slow, *chain.links]))
    async with serve(gateway) as address:
        _, writer = await asyncio.open_connection(*address)
        writer.write(post(b"{}"))
        await waiting.wait()
        assert gateway.in_flight == 1
        writer.close()
        outcome = await done.get()

    assert (outcome.status, outcome.disconnected) == (None, True)


async def test_a_swap_leaves_running_exchanges_on_the_old_chain() -> None:
    """New exchanges are served by the new chain while an old stream goes on."""
    go_on = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"data: old\n\n"
        await go_on.wait()
        yield b"data: still old\n\n"

    old, _ = chain_with(lambda _: streaming(body()))
    new, _ = chain_with(lambda _: Response.from_json("new"))
    gateway = Gateway(old)
    async with serve(gateway) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(post(b"{}"))
        await reader.readuntil(b"data: old\n\n")

        await gateway.swap(new)

        assert (await ask(address, post(b"{}")))[2] == b'"new"'
        go_on.set()
        await reader.readuntil(b"still old\n\n")
        writer.close()


async def test_a_swap_to_a_chain_that_does_not_start_changes_nothing() -> None:
    """The old chain keeps serving."""

    class Broken(Terminal):
        def lifespan(self):  # type: ignore[no-untyped-def]
            raise OSError("no model file")

    chain, _ = chain_with(echo)
    gateway = Gateway(chain)
    broken = link(Broken(echo), id="b", name="b")
    async with serve(gateway) as address:
        with pytest.raises(OSError, match="no model file"):
            await gateway.swap(Chain([broken]))

        assert (await ask(address, post(b'{"a":1}')))[0] == 200
