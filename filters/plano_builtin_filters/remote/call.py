"""One HTTP call to a service: send, read, and close, with errors that show no address."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import httpx

from plano_builtin_filters.remote.headers import Pair
from plano_builtin_filters.remote.service import ServiceFailed

LARGE_BODY: Final = 1024 * 1024
"""Bytes. aiohttp warns of larger bodies in one piece, for the time it takes to copy them."""
PIECE: Final = 256 * 1024
CLOSE_SECONDS: Final = 1.0
"""For closing a connection that nobody reads to its end; then it is dropped."""
LINGER_SECONDS: Final = 0.02
"""For the end of an answer to arrive behind what was wanted of it."""
_STALE: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionResetError)
"""What a kept connection does that the service has closed meanwhile."""


@asynccontextmanager
async def within(seconds: float) -> AsyncGenerator[None]:
    """Bound a block, and say what its failure means.

    Raises:
        ServiceFailed: It took too long, or the connection failed.
    """
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            yield
    except TimeoutError:
        if deadline.expired():
            raise ServiceFailed("deadline", f"no answer within {seconds:g} s") from None
        raise ServiceFailed("unreachable", "the connection timed out") from None
    except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
        # Its text may hold the address; its name is httpx's, and often not what happened.
        happened = type(error.__cause__ or error).__name__
        raise ServiceFailed("unreachable", f"it cannot be reached: {happened}") from None


@asynccontextmanager
async def post(
    transport: httpx.AsyncBaseTransport,
    url: httpx.URL,
    headers: Sequence[Pair],
    body: bytes,
    *,
    method: str = "POST",
) -> AsyncGenerator[httpx.Response]:
    """Send a request; yield the answer's head, and close its body afterwards.

    A kept connection that turns out to be closed is replaced, once.
    """

    def request() -> httpx.Request:
        large = len(body) > LARGE_BODY
        return httpx.Request(
            method,
            url,
            headers=[*headers, (b"content-length", b"%d" % len(body))],
            content=None if large else body,
            stream=_Pieces(body) if large else None,
        )

    try:
        response = await transport.handle_async_request(request())
    except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
        if not isinstance(error.__cause__ or error, _STALE):
            raise
        response = await transport.handle_async_request(request())
    try:
        yield response
    finally:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await chunks(response).aclose()


async def read(response: httpx.Response, limit: int) -> bytes:
    """Read a whole body.

    Raises:
        ServiceFailed: It is larger than it may be.
    """
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ServiceFailed("reply", "its answer is compressed, which nobody asked for")
    body = bytearray()
    async for chunk in chunks(response):
        body += chunk
        if len(body) > limit:
            raise ServiceFailed("reply", f"its answer is larger than {limit} bytes")
    return bytes(body)


def largest(asked: int, limit: int) -> int:
    """Return how many bytes an answer may have: it may always be twice what it is about."""
    return max(limit, 2 * asked)


async def linger(rest: AsyncIterator[bytes]) -> None:
    """Read the end of an answer if it comes at once, so that the connection can be used again."""
    with contextlib.suppress(TimeoutError, httpx.HTTPError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(LINGER_SECONDS):
            async for _ in rest:
                pass


def chunks(response: httpx.Response) -> httpx.AsyncByteStream:
    """Return the raw body."""
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError("the transport gave a synchronous body")
    return response.stream


class _Pieces(httpx.AsyncByteStream):
    """A large body, a piece at a time."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), PIECE):
            yield self._body[start : start + PIECE]
