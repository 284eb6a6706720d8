"""One try: send, wait for the head, tell an answer from a failure."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import aiohttp
import httpx

from plano_builtin_filters.upstream.core import QUOTA_CODES, Failure, Kind, retry_after
from plano_builtin_filters.upstream.usage import decode, is_error
from plano_filters.sse import Splitter

MAX_ANSWER: Final = 64 * 1024 * 1024
MAX_ERROR: Final = 1024 * 1024
CLOSE_SECONDS: Final = 1.0
"""For closing a connection that nobody reads to its end; then it is dropped."""


class AttemptFailed(Exception):
    """A try that gave no answer, or one that is an error.

    Args:
        failure: How it failed.
        detail: A clause for people, without secrets.
        answer: The provider's error answer, if it gave one.
    """

    def __init__(self, failure: Failure, detail: str, answer: Answer | None = None) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer: a whole body, or the first events of a stream and the rest of it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    splitter: Splitter | None = None
    """Of a stream: holds what has arrived of the next event."""
    rest: AsyncIterator[bytes] | None = None


async def send(
    transport: httpx.AsyncBaseTransport,
    request: httpx.Request,
    *,
    first_byte: float,
    now: float,
    resources: contextlib.AsyncExitStack,
) -> Answer:
    """Send a request and wait until it is known whether it has an answer.

    Args:
        transport: Towards the provider.
        request: With its connect deadline in the extensions.
        first_byte: Seconds until the head; of a stream, until its first event.
        now: Seconds since the epoch, for `Retry-After` as a date.
        resources: Takes the connection, to be closed when the exchange ends.

    Raises:
        AttemptFailed: There is no answer, or it is an error.
    """
    try:
        async with asyncio.timeout(first_byte) as deadline:
            response = await transport.handle_async_request(request)
            resources.push_async_callback(_close, response)
            if response.status_code >= 300:
                raise await _refusal(response, now)
            media_type = response.headers.get("content-type", "")
            if media_type.startswith("text/event-stream"):
                return await _begin_stream(response)
            if media_type.startswith("text/html"):
                failure = Failure("status", 502)
                raise AttemptFailed(failure, "answered with an HTML page")
    except TimeoutError as error:
        if deadline.expired():
            text = f"no first byte within {first_byte:g} s"
            raise AttemptFailed(Failure("timeout"), text) from None
        raise AttemptFailed(Failure("timeout"), "timed out") from error
    except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
        raise AttemptFailed(Failure(classify(error)), describe(error)) from error
    return Answer(response.status_code, _headers(response), await _read(response, MAX_ANSWER))


def classify(error: BaseException) -> Kind:
    """Say what kind of failure a transport's exception is.

    The cause decides: the transport between aiohttp and httpx calls several things a time-out.
    """
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    for kind, types in _KINDS:
        if any(isinstance(one, types) for one in chain):
            return kind
    return "reset"


_KINDS: Final[tuple[tuple[Kind, tuple[type[BaseException], ...]], ...]] = (
    ("dns", (aiohttp.ClientConnectorDNSError, socket.gaierror)),
    ("tls", (aiohttp.ClientSSLError, ssl.SSLError)),
    ("timeout", (aiohttp.ServerTimeoutError,)),
    ("reset", (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, ConnectionResetError)),
    ("connect", (aiohttp.ClientConnectorError, httpx.ConnectError, ConnectionRefusedError)),
    ("timeout", (httpx.TimeoutException, TimeoutError)),
)


def describe(error: BaseException) -> str:
    """Say in a clause what happened, without addresses of the provider's or secrets."""
    return {
        "dns": "its host name does not resolve",
        "tls": "the TLS handshake failed",
        "connect": "no connection",
        "timeout": "timed out",
        "reset": "the connection broke",
    }.get(classify(error), type(error).__name__)


async def _begin_stream(response: httpx.Response) -> Answer:
    """Read a stream to its first event: until then another try is possible."""
    splitter = Splitter()
    rest = aiter(response.stream)  # type: ignore[arg-type]
    body = b""
    async for chunk in rest:
        events = splitter.feed(chunk)
        body += b"".join(event.raw for event in events)
        first = next((event for event in events if event.data), None)
        if first is not None:
            message = is_error(first.data, first.name)
            if message is not None:
                raise AttemptFailed(Failure("stream"), f"the stream began with an error: {message}")
            return Answer(response.status_code, _headers(response), body, splitter, rest)
        if len(body) + len(splitter.rest) > MAX_ERROR:
            return Answer(response.status_code, _headers(response), body, splitter, rest)
    raise AttemptFailed(Failure("stream"), "the stream ended before its first event")


async def _refusal(response: httpx.Response, now: float) -> AttemptFailed:
    status = response.status_code
    if status < 400:
        return AttemptFailed(Failure("status", status), "answered with a redirect")
    body = await _read(response, MAX_ERROR)
    error = decode(body).get("error")
    code = error.get("code") or error.get("type") if isinstance(error, dict) else None
    wait = retry_after(response.headers, now)
    failure = Failure("status", status, wait, quota=code in QUOTA_CODES)
    return AttemptFailed(failure, f"answered {status}", Answer(status, _headers(response), body))


async def _read(response: httpx.Response, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in response.stream:  # type: ignore[union-attr]
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                raise AttemptFailed(Failure("reset"), f"the answer is larger than {limit} bytes")
    except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
        raise AttemptFailed(Failure("reset"), "the answer broke off") from error
    return b"".join(chunks)


def _headers(response: httpx.Response) -> list[tuple[str, str]]:
    return [(k.decode("latin-1"), v.decode("latin-1")) for k, v in response.headers.raw]


async def _close(response: httpx.Response) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CLOSE_SECONDS):
            await response.stream.aclose()  # type: ignore[union-attr]
