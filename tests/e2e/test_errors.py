"""Errors: the provider's reach the SDK as its exceptions; the gateway's own have its shape."""

from __future__ import annotations

import asyncio

import openai
import pytest

from tests.e2e.conftest import Stand
from tests.support import behaviours
from tests.support.provider import Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"content-type": "application/json"}
CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("status", "exception"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
async def test_a_providers_error(
    stand: Stand, status: int, exception: type[openai.APIStatusError]
) -> None:
    """Each status is the SDK's exception for it, with the provider's message and code."""
    stand.main.default = stand.backup.default = behaviours.status(status)

    with pytest.raises(exception) as raised:
        await stand.sdk.chat.completions.create(model="main", messages=[])

    error = raised.value
    assert error.status_code == status
    assert f"the provider says {status}" in error.message
    assert error.code == "scripted"
    assert error.request_id == error.response.headers["x-request-id"]
    assert error.response.headers["x-plano-error-source"] == "upstream"
    assert error.response.headers["x-should-retry"] == "false"


async def test_the_sdk_does_not_retry_what_the_gateway_has_retried(stand: Stand) -> None:
    """An SDK with its own retries makes one request: the answer says that trying again is done."""
    stand.main.default = stand.backup.default = behaviours.status(500)
    eager = stand.sdk.with_options(max_retries=3)

    with pytest.raises(openai.InternalServerError):
        await eager.chat.completions.create(model="main", messages=[])

    assert (len(stand.main.requests), len(stand.backup.requests)) == (2, 2)


async def test_a_web_page_is_no_answer(stand: Stand) -> None:
    """HTML with status 200, as a captive proxy sends it, is a failed try."""
    stand.main.default = stand.backup.default = behaviours.html()

    with pytest.raises(openai.InternalServerError) as raised:
        await stand.sdk.chat.completions.create(model="main", messages=[])

    assert raised.value.status_code == 502
    assert "Sign in" not in raised.value.response.text


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "code"),
    [
        ("POST", CHAT, b"{", JSON, 400, "invalid_json"),
        ("POST", CHAT, b"", JSON, 400, "invalid_json"),
        ("POST", CHAT, b"[1]", JSON, 400, "bad_request"),
        ("POST", CHAT, b'"text"', JSON, 400, "bad_request"),
        ("POST", CHAT, b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}", JSON, 400, "invalid_json"),
        ("POST", CHAT, b'{"a": "\xff"}', JSON, 400, "invalid_json"),
        ("POST", CHAT, b"{}", {"content-type": "text/plain"}, 415, "unsupported_media_type"),
        ("POST", CHAT, b"x" * 70_000, JSON, 413, "payload_too_large"),
        ("GET", CHAT, b"", {}, 405, "method_not_allowed"),
        ("DELETE", "/v1/models", b"", {}, 405, "method_not_allowed"),
        ("POST", "/v1/nothing", b"{}", JSON, 404, "not_found"),
        ("GET", "/nothing", b"", {}, 404, "not_found"),
        ("POST", CHAT, b"{}", {**JSON, "x-big": "x" * 40_000}, 431, "headers_too_large"),
        ("POST", CHAT, b'{"model": 7}', JSON, 400, "bad_request"),
        ("POST", CHAT, b'{"model": "backup", "model": "main"}', JSON, 400, "bad_request"),
        ("POST", CHAT, b'{"model": "main", "stream": "yes"}', JSON, 400, "bad_request"),
    ],
)
async def test_a_refused_request(
    stand: Stand,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    """What cannot be served is refused in OpenAI's shape, with an id, and reaches no provider."""
    answer = await stand.http.request(method, path, content=body, headers=headers)

    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"]
    assert set(error) == {"message", "type", "param", "code"}
    assert answer.headers["x-plano-error-source"] == "gateway"
    assert answer.headers["x-request-id"] == answer.headers["request-id"]
    assert stand.main.requests == []


async def test_an_anthropic_client_is_refused_in_its_own_shape(stand: Stand) -> None:
    """On `/v1/messages` errors have Anthropic's shape."""
    answer = await stand.http.post("/v1/messages", content=b"{", headers=JSON)

    assert answer.status_code == 400
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_a_client_chooses_its_request_id(stand: Stand) -> None:
    """The client's `x-request-id` comes back and goes to the provider."""
    answer = await stand.http.post(CHAT, json={"model": "main"}, headers={"x-request-id": "mine-1"})

    assert answer.headers["x-request-id"] == "mine-1"
    assert stand.main.requests[0].headers["x-request-id"] == "mine-1"


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 2\r\ntransfer-encoding: chunked",
        b"host: a b",
        b"host: one\r\nhost: two",
        b"content-length: two",
    ],
)
async def test_a_malformed_head_is_refused_and_the_connection_closed(
    stand: Stand, head: bytes
) -> None:
    """A message that two readers could read differently is answered 400, and nothing after it."""
    host, _, port = stand.gateway.url.removeprefix("http://").partition(":")
    host_line = b"" if b"host" in head else b"host: gateway\r\n"
    smuggled = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\n" + host_line
        + b"content-type: application/json\r\n" + head + b"\r\n\r\n0\r\n\r\n" + smuggled
    )  # fmt: skip
    async with asyncio.timeout(10):
        try:
            answer = await reader.read()
        except ConnectionResetError:
            answer = b"HTTP/1.1 400 "  # closed with our bytes unread
    writer.close()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"content-length: ") <= 1
    assert stand.main.requests == []


async def test_an_answer_shorter_than_promised_is_not_passed_on(stand: Stand) -> None:
    """A body that ends before its `content-length` is a failed try; the next candidate answers."""
    stand.main.script(behaviours.short(), behaviours.short())
    answer = await stand.http.post(CHAT, json={"model": "main"})

    assert answer.status_code == 200
    assert answer.headers["x-plano-model"] == "groq/backup"


async def test_a_connection_with_leftover_bytes_is_not_used_again(stand: Stand) -> None:
    """Bytes after an answer must not become the answer to somebody else's request."""

    async def too_much(reply: Reply) -> None:
        foreign = b'HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{"foreign":true}'
        await reply.whole(200, b'{"mine": 1}')
        await reply.send(foreign)

    stand.main.script(too_much)
    await stand.http.post(CHAT, json={"model": "main"})
    following = [await stand.http.post(CHAT, json={"model": "main"}) for _ in range(3)]

    assert all("foreign" not in answer.text for answer in following)
