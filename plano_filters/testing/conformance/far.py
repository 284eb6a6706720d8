"""Whoever answers behind a filter under test: as a terminal filter, or as a transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import httpx

from plano_filters.errors import UpstreamFailed
from plano_filters.exchange import Exchange
from plano_filters.filter import FactoryContext, FilterConfig, TerminalFilter
from plano_filters.messages import MutableHeaders, Response
from plano_filters.testing.mocked import Mocked, headers_of, stream_of

Cut = Callable[[list[bytes]], list[bytes]]


async def _at_once() -> None:
    await asyncio.sleep(0)


async def _next(number: int) -> None:
    await asyncio.sleep(0)


@dataclass(slots=True)
class FarEnd:
    """Answers as the mock does, in chunks that a check decides on."""

    cut: Cut = list
    """Makes chunks of the events of a stream."""
    arrived: Callable[[], Awaitable[None]] = _at_once
    """Awaited when a request is there."""
    before: Callable[[int], Awaitable[None]] = _next
    """Awaited before each chunk of a stream; gets its number, from 0."""
    refuses: bool = False
    """Whether it fails before it answers."""
    breaks_after: int | None = None
    """Chunks until a stream breaks."""
    chunks: int = 0
    """Of the last stream."""
    _mocked: Mocked = field(default_factory=Mocked)

    async def answer(
        self, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, MutableHeaders, bytes | AsyncGenerator[bytes]]:
        """Answer a request: status, headers, body."""
        await self.arrived()
        if self.refuses:
            raise UpstreamFailed("the far end was told to fail")
        answer = await self._mocked.answer("POST", path, headers, body)
        given = headers_of(answer)
        if given.get("content-type", "").startswith("text/event-stream"):
            chunks = self.cut([event async for event in stream_of(answer)])
            self.chunks = len(chunks)
            return answer.status_code, given, self._stream(chunks)
        return answer.status_code, given, await answer.aread()

    async def _stream(self, chunks: list[bytes]) -> AsyncGenerator[bytes]:
        for number, chunk in enumerate(chunks):
            if number == self.breaks_after:
                raise UpstreamFailed("the far end was told to break off")
            await self.before(number)
            yield chunk


class FarFilter(TerminalFilter[FilterConfig]):
    """The far end behind a filter."""

    def __init__(self, far: FarEnd) -> None:
        super().__init__(FilterConfig(), FactoryContext("far-end"))
        self._far = far
        self.passed_on: dict[str, tuple[bytes, tuple[tuple[str, str], ...]]] = {}
        """Body and headers of each exchange, by its id."""

    async def on_request(self, exchange: Exchange) -> Response:
        request = exchange.request
        headers = tuple(request.headers.items())
        self.passed_on[exchange.id] = request.body, headers
        return Response(*await self._far.answer(request.path, dict(headers), request.body))


class FarTransport(httpx.AsyncBaseTransport):
    """The far end behind a terminal filter, which reaches it by HTTP."""

    def __init__(self, far: FarEnd) -> None:
        self._far = far

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        try:
            status, headers, answer = await self._far.answer(
                request.url.path, dict(request.headers.items()), body
            )
        except UpstreamFailed as error:
            raise httpx.ConnectError(str(error)) from error
        if isinstance(answer, bytes):
            return httpx.Response(status, headers=headers.raw, stream=_Body(_once(answer)))
        return httpx.Response(status, headers=headers.raw, stream=_Body(answer))


class _Body(httpx.AsyncByteStream):
    def __init__(self, chunks: AsyncGenerator[bytes]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._chunks:
                yield chunk
        except UpstreamFailed as error:
            raise httpx.ReadError(str(error)) from error

    async def aclose(self) -> None:
        await self._chunks.aclose()


async def _once(body: bytes) -> AsyncGenerator[bytes]:
    yield body
