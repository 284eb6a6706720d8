"""The guard: what never reaches an exchange, and how it is told so."""

from __future__ import annotations

import pytest

from plano_filters.config.document import Limits
from plano_filters.errors import BadRequest, HeadersTooLarge
from plano_filters.guards import check_headers
from tests.framework.server.raw import get, hello, serving

Pairs = list[tuple[bytes, bytes]]
HOST = (b"host", b"here:12000")


@pytest.mark.parametrize(
    "host",
    [b"here", b"here:12000", b"127.0.0.1:80", b"[::1]:80", b"[::1]", b"my-host.example.", b"a_b"],
)
def test_a_host_that_is_one_passes(host: bytes) -> None:
    """Names and addresses, with a port or without, are taken."""
    check_headers([(b"host", host)], Limits(), "1.1")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"host", b"")],
        [HOST, (b"host", b"there")],
        [(b"host", b"here/evil")],
        [(b"host", b"here:port")],
        [(b"host", b"a@b")],
        [HOST, (b"content-length", b"4"), (b"transfer-encoding", b"chunked")],
        [HOST, (b"content-length", b"4"), (b"content-length", b"5")],
        [HOST, (b"content-length", b"-1")],
        [HOST, (b"content-length", b"4, 5")],
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(headers: Pairs) -> None:
    """No request passes whose end or whose addressee is open to interpretation."""
    with pytest.raises(BadRequest):
        check_headers(headers, Limits(), "1.1")


def test_http_1_0_needs_no_host() -> None:
    """The old version knew no host header; health checkers still speak it."""
    check_headers([], Limits(), "1.0")


@pytest.mark.parametrize(
    "headers", [[HOST] * 11, [HOST, (b"x", b"y" * 1024)]], ids=["too many", "too large"]
)
def test_headers_are_limited(headers: Pairs) -> None:
    """Both their number and their size have a limit of the document's."""
    with pytest.raises(HeadersTooLarge, match=r"limits\.headers"):
        check_headers(headers, Limits(headers=10, header_bytes=1024), "1.1")


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (get("/" + "x" * 8192), 414, "uri_too_long"),
        (get(headers="Host: here\r\n" + "x: y\r\n" * 100), 431, "headers_too_large"),
        (get(headers="Host: a b\r\n"), 400, "bad_request"),
        (get(headers=""), 400, "bad_request"),
        (get(headers="Host: a\r\nHost: b\r\n"), 400, "bad_request"),
        (get(headers="Host: a\r\nbad header\r\n"), 400, "bad_request"),
        (get(headers="Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n"), 400, "bad_request"),
        (b"\x16\x03\x01 this is no HTTP\r\n\r\n", 400, "bad_request"),
        (get(headers="Host: a\r\n" + "x: y\r\n" * 20_000), 431, "headers_too_large"),
    ],
    ids=[
        "long URL", "many headers", "no host name", "no host", "two hosts", "no header",
        "two lengths", "TLS on a clear port", "huge head",
    ],
)  # fmt: skip
async def test_a_refusal_is_an_error_document(request_bytes: bytes, status: int, code: str) -> None:
    """Each refusal has the status that says why, a JSON body, and ends the connection."""
    async with serving(hello) as listening:
        answer = await listening.ask(request_bytes)

    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-plano-error-source"] == "gateway"
    assert answer.headers["request-id"] == answer.headers["x-request-id"]


async def test_a_refusal_is_in_the_callers_dialect() -> None:
    """An Anthropic client gets an Anthropic error, with its own request id."""
    request = get(
        "/v1/messages?" + "x" * 8192, "Host: here\r\nX-Request-Id: mine\r\nUser-Agent: sdk\r\n"
    )
    async with serving(hello) as listening:
        answer = await listening.ask(request)

    assert answer.json["type"] == "error"
    assert answer.headers["request-id"] == answer.json["request_id"] == "mine"


async def test_two_framings_are_refused_and_nothing_behind_them_is_read() -> None:
    """Content-Length beside Transfer-Encoding ends the connection: no smuggled second request."""
    smuggled = (
        b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\n" + get("/smuggled")
    )
    async with serving(hello) as listening:
        received = await listening.send(smuggled)

    assert received.count(b"HTTP/1.1 ") == 1
    assert received.startswith(b"HTTP/1.1 400")
    assert b"smuggled" not in received


async def test_over_the_limit_of_exchanges_is_told_to_come_back() -> None:
    """At the limit the answer is 503 with retry-after, and the connection may go on."""
    limits = Limits(connections=2)
    async with serving(hello, limits=limits, in_flight=lambda: 2) as listening:
        answer = await listening.ask(get("/v1/models"))

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.json["error"]["code"] == "unavailable"


async def test_while_draining_connections_end_with_their_answer() -> None:
    """A client that asks during the drain gets its answer, and is told not to come back."""
    async with serving(hello, closing=lambda: True) as listening:
        answer = await listening.ask(get(close=False))

    assert (answer.status, answer.headers["connection"]) == (200, "close")


async def test_websockets_are_refused() -> None:
    """A handshake gets 403; nothing of it reaches the app."""
    handshake = get(
        headers="Host: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
        close=False,
    )
    async with serving(hello) as listening:
        received = await listening.send(handshake)

    assert received.startswith(b"HTTP/1.1 403")
