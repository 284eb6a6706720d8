"""Both protocols over real sockets, against a server that does what a script says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio

from plano_builtin_filters.remote.http_service import HttpService
from plano_builtin_filters.remote.mcp_service import McpService
from plano_builtin_filters.remote.service import (
    Passed,
    Question,
    Refused,
    Service,
    ServiceFailed,
)
from plano_filters.transport import UpstreamTransport
from tests.support.gateway import free_port
from tests.support.provider import Behaviour, FakeProvider, Reply

PATH = "/v1/chat/completions"
QUESTION = Question(PATH, b'{"a": 1}', "application/json", ((b"x-tenant", b"acme"),))


@pytest_asyncio.fixture
async def server() -> AsyncGenerator[FakeProvider]:
    """A scripted server."""
    async with FakeProvider().serve() as running:
        yield running


@asynccontextmanager
async def started(
    url: str, kind: str = "http", *, timeout: float = 10, limit: int = 10_000
) -> AsyncGenerator[Service]:
    """Start a service of a kind."""
    transport = UpstreamTransport()
    service: Service
    if kind == "http":
        service = HttpService(url, lambda: transport, timeout=timeout, limit=limit)
    else:
        service = McpService(url, "guard", lambda: transport, timeout=timeout, limit=limit)
    try:
        async with service.lifespan():
            yield service
    finally:
        await transport.aclose()


def whole(status: int, body: bytes, **headers: str) -> Behaviour:
    """Answer with a complete body."""

    async def behave(reply: Reply) -> None:
        await reply.whole(status, body, headers)

    return behave


async def test_a_request_is_posted_behind_the_url(server: FakeProvider) -> None:
    """Path, body and headers as Plano sends them; the connection is used again."""
    server.script(whole(200, b'{"b": 2}'), whole(201, b""))
    async with started(server.url + "/anonymize/") as service:
        first, second = await service.ask(QUESTION), await service.ask(QUESTION)

    got = server.requests[0]
    assert (first, second) == (Passed(b'{"b": 2}'), Passed(b""))
    assert (got.method, got.target, got.body) == ("POST", "/anonymize" + PATH, QUESTION.body)
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-tenant"] == "acme"


async def test_a_large_body_goes_out_whole(server: FakeProvider) -> None:
    """In pieces, so that the loop can do something else in between."""
    server.script(whole(200, b"{}"))
    body = b'{"a": "%b"}' % (b"x" * 3_000_000)
    async with started(server.url) as service:
        await service.ask(Question(PATH, body, "application/json", ()))

    assert server.requests[0].body == body


@pytest.mark.parametrize("status", [400, 403, 429, 499])
async def test_a_4xx_refuses(server: FakeProvider, status: int) -> None:
    """With its status and what it says."""
    server.script(whole(status, b"not this"))
    async with started(server.url) as service:
        assert await service.ask(QUESTION) == Refused(status, b"not this")


@pytest.mark.parametrize(
    ("behaviour", "reason", "told"),
    [
        (whole(500, b"secret"), "status", "it answered 500"),
        (whole(302, b"", location="http://secret"), "status", "it answered 302, a redirect"),
        (whole(200, b"x" * 10_001), "reply", "its answer is larger than 10000 bytes"),
        (whole(200, b"x", **{"content-encoding": "gzip"}), "reply", "its answer is compressed"),
    ],
)
async def test_anything_else_is_a_failure(
    server: FakeProvider, behaviour: Behaviour, reason: str, told: str
) -> None:
    """What it says then stays out of the log."""
    server.script(behaviour)
    async with started(server.url) as service:
        with pytest.raises(ServiceFailed, match=told) as failed:
            await service.ask(QUESTION)

    assert failed.value.reason == reason
    assert "secret" not in str(failed.value)


async def hang(reply: Reply) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def half(reply: Reply) -> None:
    """Break off in the middle of the body."""
    await reply.head(200, {"content-length": "10"})
    await reply.send(b"half")
    reply.cut(reset=False)


async def hang_up(reply: Reply) -> None:
    """Close the connection without a word."""
    reply.cut(reset=False)


@pytest.mark.parametrize("kind", ["http", "mcp"])
async def test_a_service_that_does_not_answer_has_a_deadline(
    server: FakeProvider, kind: str
) -> None:
    """Then its request is given up, and its connection with it."""
    server.script(hang)
    async with started(server.url, kind, timeout=0.2) as service:
        with pytest.raises(ServiceFailed, match=r"no answer within 0\.2 s") as failed:
            await service.ask(QUESTION)
        async with asyncio.timeout(5):
            await server.requests[0].disconnected.wait()

    assert failed.value.reason == "deadline"


@pytest.mark.parametrize("kind", ["http", "mcp"])
async def test_a_caller_who_leaves_ends_the_call(server: FakeProvider, kind: str) -> None:
    """A cancelled exchange costs the service nothing more."""
    server.script(hang)
    async with started(server.url, kind) as service:
        asking = asyncio.create_task(service.ask(QUESTION))
        received = await server.request()
        asking.cancel()
        async with asyncio.timeout(5):
            await received.disconnected.wait()
        with pytest.raises(asyncio.CancelledError):
            await asking


@pytest.mark.parametrize("kind", ["http", "mcp"])
async def test_nobody_there_is_a_failure_without_an_address(kind: str) -> None:
    """The text names what happened and not where."""
    port = free_port()
    async with started(f"http://127.0.0.1:{port}", kind) as service:
        with pytest.raises(ServiceFailed, match="it cannot be reached") as failed:
            await service.ask(QUESTION)

    assert str(port) not in str(failed.value)
    assert failed.value.reason == "unreachable"


async def test_an_answer_that_breaks_off_is_a_failure(server: FakeProvider) -> None:
    """And is not asked for again: the service has seen the request."""
    server.script(half)
    async with started(server.url) as service:
        with pytest.raises(ServiceFailed, match="it cannot be reached"):
            await service.ask(QUESTION)

    assert len(server.requests) == 1


async def test_a_kept_connection_that_was_closed_is_replaced(server: FakeProvider) -> None:
    """Once: a service that always hangs up has failed."""
    server.script(whole(200, b"{}"), hang_up, whole(200, b"{}"), hang_up, hang_up)
    async with started(server.url) as service:
        await service.ask(QUESTION)

        assert await service.ask(QUESTION) == Passed(b"{}")
        with pytest.raises(ServiceFailed, match="it cannot be reached"):
            await service.ask(QUESTION)


def mcp(*, session: str | None = "s1", gone: Callable[[], bool] = lambda: False) -> Behaviour:
    """Be an MCP server: begin sessions, forget them, echo bodies."""

    async def behave(reply: Reply) -> None:
        if reply.request.method == "DELETE":
            await reply.whole(204, b"")
            return
        asked = reply.request.json
        headers = {"mcp-session-id": session} if session else {}
        result: dict[str, Any]
        if asked["method"] == "initialize":
            result = {"protocolVersion": "2024-11-05", "capabilities": {}, "serverInfo": {}}
        elif asked["method"] == "notifications/initialized":
            await reply.whole(202, b"")
            return
        elif gone():
            await reply.whole(404, b"")
            return
        else:
            result = {"structuredContent": {"result": asked["params"]["arguments"]["body"]}}
        answer = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
        await reply.whole(200, json.dumps(answer).encode(), headers)

    return behave


def methods(server: FakeProvider) -> list[str]:
    """Return what a server was asked."""
    return [
        one.json["method"].rpartition("/")[2] if one.body else one.method for one in server.requests
    ]


async def test_one_session_serves_many_calls_and_is_ended(server: FakeProvider) -> None:
    """Also those that come at once before it is there; headers say whose they are."""
    server.default = mcp()
    async with started(server.url, "mcp") as service:
        answers = await asyncio.gather(*(service.ask(QUESTION) for _ in range(5)))

    assert answers == [Passed(b'{"a":1}')] * 5
    assert methods(server) == ["initialize", "initialized", *["call"] * 5, "DELETE"]
    first, *rest = server.requests
    assert "mcp-session-id" not in first.headers
    assert {one.headers["mcp-session-id"] for one in rest} == {"s1"}
    assert {one.headers["mcp-protocol-version"] for one in rest} == {"2024-11-05"}
    assert {one.target for one in server.requests} == {"/mcp"}
    numbers = [one.json["id"] for one in server.requests if one.body and "id" in one.json]
    assert len(set(numbers)) == len(numbers)


async def test_a_server_without_sessions_is_asked_without(server: FakeProvider) -> None:
    """Plano needs an id; the protocol does not."""
    server.default = mcp(session=None)
    async with started(server.url + "/mcp", "mcp") as service:
        await service.ask(QUESTION)

    assert methods(server) == ["initialize", "initialized", "call"]
    assert all("mcp-session-id" not in one.headers for one in server.requests)


async def test_a_forgotten_session_is_begun_anew(server: FakeProvider) -> None:
    """The call is made again in the new one, once."""
    forgets = iter([False, True, False, True, True])
    server.default = mcp(gone=lambda: next(forgets))
    async with started(server.url, "mcp") as service:
        await service.ask(QUESTION)

        assert await service.ask(QUESTION) == Passed(b'{"a":1}')
        with pytest.raises(ServiceFailed, match="forgets its sessions"):
            await service.ask(QUESTION)

    begin = ["initialize", "initialized"]
    expected = [*begin, "call", "call", *begin, "call", "call", *begin, "call"]
    assert methods(server)[: len(expected)] == expected


async def test_a_caller_who_leaves_a_beginning_leaves_it_to_the_next(server: FakeProvider) -> None:
    """Who waits for the session begins it then."""
    server.default = mcp()
    server.script(hang)
    async with started(server.url, "mcp") as service:
        leaving = asyncio.create_task(service.ask(QUESTION))
        await server.request()
        waiting = asyncio.create_task(service.ask(QUESTION))
        leaving.cancel()

        assert await waiting == Passed(b'{"a":1}')


@pytest.mark.parametrize("status", [401, 404, 500])
async def test_a_status_of_an_mcp_server_is_a_failure(server: FakeProvider, status: int) -> None:
    """It is about the gateway and the server, not about what the client sent."""
    server.default = whole(status, b"{}")
    async with started(server.url, "mcp") as service:
        with pytest.raises(ServiceFailed, match=f"it answered {status}"):
            await service.ask(QUESTION)


async def test_a_session_that_cannot_be_named_is_a_failure(server: FakeProvider) -> None:
    """Nothing that a server sends goes into a header unseen."""
    server.default = mcp(session="x" * 2000)
    async with started(server.url, "mcp") as service:
        with pytest.raises(ServiceFailed, match="cannot be sent back"):
            await service.ask(QUESTION)


async def test_connections_are_kept(server: FakeProvider) -> None:
    """Also where an answer comes in a stream that ends behind it."""
    peers = set()
    plain = mcp()

    async def streamed(reply: Reply) -> None:
        peers.add(reply.writer.get_extra_info("peername"))
        asked = reply.request.json
        if asked["method"] != "tools/call":
            await plain(reply)
            return
        result = {"content": [{"type": "text", "text": "{}"}]}
        answer = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result})
        await reply.stream_head()
        await reply.events([f"event: message\ndata: {answer}\n\n".encode()])
        await reply.send(b"0\r\n\r\n")

    server.default = streamed
    async with started(server.url, "mcp") as service:
        for _ in range(3):
            await service.ask(QUESTION)
        server.default = plain

    assert len(peers) == 1


async def test_an_answer_in_a_stream_is_read_to_its_end() -> None:
    """Else its connection could not be used again; the end comes a turn of the loop later."""
    ended: list[str] = []

    class Stream(httpx.AsyncByteStream):
        def __init__(self, data: bytes, method: str) -> None:
            self._data, self._method = data, method

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield self._data
            await asyncio.sleep(0)
            ended.append(self._method)

    class Server(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            asked = json.loads(request.content or b"{}")
            result = {"protocolVersion": "2025-06-18", "content": [{"type": "text", "text": "{}"}]}
            answer = json.dumps({"jsonrpc": "2.0", "id": asked.get("id"), "result": result})
            stream = Stream(f"data: {answer}\n\n".encode(), asked.get("method", ""))
            return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=stream)

    service = McpService("http://a", "guard", Server, timeout=10, limit=1000)
    async with service.lifespan():
        await service.ask(QUESTION)

    assert ended == ["initialize", "tools/call"]


async def test_an_answer_may_be_longer_than_the_limit_if_the_question_is(
    server: FakeProvider,
) -> None:
    """A long answer of a model that is let pass comes back as long as it is."""
    body = b'{"a": "%b"}' % (b"x" * 20_000)
    server.script(whole(200, body), mcp(), mcp(), mcp(), mcp())
    question = Question(PATH, body, "application/json", ())
    async with started(server.url, limit=100) as service:
        assert await service.ask(question) == Passed(body)
    async with started(server.url, "mcp", limit=1000) as service:
        assert await service.ask(question) == Passed(body.replace(b": ", b":"))


async def test_an_answer_in_a_stream_that_stays_open_is_enough(server: FakeProvider) -> None:
    """Servers may keep the stream for other messages; nobody waits for its end."""

    async def streamed(reply: Reply) -> None:
        asked = reply.request.json
        result = {"content": [{"type": "text", "text": "{}"}]}
        answer = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result})
        await reply.stream_head()
        await reply.events([b": hello\n\n", f"event: message\ndata: {answer}\n\n".encode()])
        await asyncio.Event().wait()

    plain = mcp()
    server.script(plain, plain, streamed)
    server.default = plain
    async with started(server.url, "mcp") as service:
        assert await service.ask(QUESTION) == Passed(b"{}")
