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
from plano_builtin_filters.upstream.headers import Pair
from plano_builtin_filters.upstream.usage import decode, error_codes, is_error
from plano_filters import UpstreamFailed
from plano_filters.sse import Splitter

MAX_ANSWER: Final = 64 * 1024 * 1024
MAX_ERROR: Final = 1024 * 1024
ERROR_SECONDS: Final = 5.0
"""For the body of an error answer; its status is known by then, and is worth more."""
CLOSE_SECONDS: Final = 1.0
"""For closing a connection that nobody reads to its end; then it is dropped."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a try may take. Seconds."""

    first_byte: float
    """Until the first byte of the body; of a stream, until its first event."""
    idle: float
    """Between two chunks."""
    total: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer: a whole body, or the beginning of a stream and the rest of it."""

    status: int
    headers: list[Pair]
    body: bytes
    """Of a stream: everything up to the first event."""
    rest: AsyncIterator[bytes] | None = None
    splitter: Splitter | None = None
    """Of a stream of events: holds what has arrived of the next one. None if it is compressed."""


class AttemptFailed(UpstreamFailed):
    """A try that gave no answer, or one that is an error.

    Args:
        failure: How it failed.
        does: What the provider did, as the predicate of a sentence. No secrets, no prompts.
        answer: The provider's error answer, if it gave one.
    """

    def __init__(self, failure: Failure, does: str, answer: Answer | None = None) -> None:
        super().__init__(f"the provider {does}")
        self.failure = failure
        self.does = does
        self.answer = answer


async def send(
    transport: httpx.AsyncBaseTransport,
    request: httpx.Request,
    limits: Limits,
    *,
    now: float,
    resources: contextlib.AsyncExitStack,
) -> Answer:
    """Send a request and wait until it is known whether it has an answer.

    Args:
        transport: Towards the provider.
        request: With its connect deadline in the extensions.
        limits: How long it may take.
        now: Seconds since the epoch, for `Retry-After` as a date.
        resources: Takes the connection, to be closed when the exchange ends.

    Raises:
        AttemptFailed: There is no answer, or it is an error.
    """
    deadline = asyncio.timeout(min(limits.first_byte, limits.total))
    patience = _Patience(deadline, limits)
    try:
        async with deadline:
            response = await transport.handle_async_request(request)
            resources.push_async_callback(_close, response)
            return await _read_answer(response, patience, now)
    except TimeoutError as error:
        does = patience.describe() if deadline.expired() else "timed out"
        raise AttemptFailed(Failure("timeout"), does) from error
    except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
        raise AttemptFailed(Failure(classify(error)), describe(error)) from error


class _Patience:
    """The deadline of a try; each chunk of an answer puts it off."""

    def __init__(self, deadline: asyncio.Timeout, limits: Limits) -> None:
        self._deadline = deadline
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + limits.total
        self._begun = False

    def sign_of_life(self) -> None:
        self._begun = True
        self._deadline.reschedule(min(self._loop.time() + self._limits.idle, self._end))

    def describe(self) -> str:
        if self._loop.time() >= self._end:
            return f"gave no whole answer within {self._limits.total:.3g} s"
        if self._begun:
            return f"fell silent for {self._limits.idle:g} s in the middle of its answer"
        return f"gave no first byte within {self._limits.first_byte:.3g} s"


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
    ("connect", (aiohttp.ClientConnectorError, ConnectionRefusedError)),
    ("reset", (aiohttp.ClientError, ConnectionError)),
    ("connect", (httpx.ConnectError,)),
    ("timeout", (httpx.TimeoutException, TimeoutError)),
)
_DOES: Final[dict[Kind, str]] = {
    "dns": "has a host name that does not resolve",
    "tls": "failed the TLS handshake",
    "connect": "refused the connection",
    "timeout": "timed out",
}


def describe(error: BaseException) -> str:
    """Say what a provider did, as a predicate, without its address and without secrets."""
    return _DOES.get(classify(error), "broke the connection")


async def _read_answer(response: httpx.Response, patience: _Patience, now: float) -> Answer:
    status = response.status_code
    if status >= 300:
        raise await _refusal(response, now)
    media_type = response.headers.get("content-type", "").lower()
    if media_type.startswith("text/event-stream"):
        return await _begin_stream(response)
    if media_type.startswith("text/html"):
        raise AttemptFailed(Failure("stream", status), "answered with an HTML page")
    body = await _read(response, patience)
    return Answer(status, response.headers.raw, body)


async def _begin_stream(response: httpx.Response) -> Answer:
    """Read a stream to its first event: until then another try is possible."""
    status, headers = response.status_code, response.headers.raw
    rest = aiter(_stream(response))
    body = b""
    if response.headers.get("content-encoding", "identity") != "identity":
        async for chunk in rest:
            return Answer(status, headers, chunk, rest)
    splitter = Splitter()
    async for chunk in rest:
        events = splitter.feed(chunk)
        body += b"".join(event.raw for event in events)
        first = next((event for event in events if event.data), None)
        if first is not None:
            if is_error(first.data, first.name):
                error = Answer(502, [(b"content-type", b"application/json")], first.data)
                does = "began its stream with an error"
                raise AttemptFailed(Failure("stream", status), does, error)
            return Answer(status, headers, body, rest, splitter)
        if len(body) + len(splitter.rest) > MAX_ERROR:
            return Answer(status, headers, body, rest, splitter)
    raise AttemptFailed(Failure("stream", status), "ended its stream before the first event")


async def _refusal(response: httpx.Response, now: float) -> AttemptFailed:
    status = response.status_code
    if status < 400:
        return AttemptFailed(Failure("status", status), f"answered {status}, a redirect")
    body = await _error_body(response)
    wait = retry_after(response.headers, now)
    quota = status == 429 and not QUOTA_CODES.isdisjoint(error_codes(decode(body)))
    failure = Failure("status", status, wait, quota)
    does = f"answered {status}" + (", the quota is used up" if quota else "")
    return AttemptFailed(failure, does, Answer(status, response.headers.raw, body))


async def _error_body(response: httpx.Response) -> bytes:
    """Read the body of an error answer; empty if it is too large, too slow or broken."""
    body = b""
    try:
        async with asyncio.timeout(ERROR_SECONDS):
            async for chunk in _stream(response):
                body += chunk
                if len(body) > MAX_ERROR:
                    return b""
    except (TimeoutError, httpx.HTTPError, aiohttp.ClientError, OSError):
        return b""
    return body


async def _read(response: httpx.Response, patience: _Patience) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in _stream(response):
        patience.sign_of_life()
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_ANSWER:
            raise AttemptFailed(
                Failure("reset", response.status_code),
                f"sent more than {MAX_ANSWER // 1024**2} MiB",
            )
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _stream(response: httpx.Response) -> httpx.AsyncByteStream:
    """Return the raw body: as it came, neither decoded nor counted."""
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError("the transport gave a synchronous body")
    return response.stream


async def _close(response: httpx.Response) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CLOSE_SECONDS):
            await _stream(response).aclose()
