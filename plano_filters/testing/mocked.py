"""The mock provider's answers, without its visible delay: in the process, and on a socket."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from plano_filters.exchange import Exchange
from plano_filters.filter import FactoryContext, FilterConfig, TerminalFilter
from plano_filters.messages import MutableHeaders, Response
from plano_filters.mock import MockProvider

_AT_ONCE = {"x-mock-delay-ms": "0"}
"""Unless a request asks for a pause itself."""


class Mocked:
    """What `plano_filters.mock` says to requests; their `x-mock-*` headers make it fail."""

    def __init__(self) -> None:
        self._mock = MockProvider()

    async def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> httpx.Response:
        """Answer a request.

        Args:
            method: HTTP method.
            path: With or without a query string.
            headers: Names in lower case.
            body: As it came.
        """
        url = f"http://mock.invalid{path}"
        request = httpx.Request(method, url, headers={**_AT_ONCE, **headers}, content=body)
        return await self._mock.handle_async_request(request)


def headers_of(response: httpx.Response) -> MutableHeaders:
    """Return the headers of a mock's answer, their names in lower case as a server sends them."""
    return MutableHeaders(raw=[(name.lower(), value) for name, value in response.headers.raw])


def stream_of(response: httpx.Response) -> httpx.AsyncByteStream:
    """Return the body of a mock's answer, piece by piece."""
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - the mock's own
    return response.stream


class MockAnswer(TerminalFilter[FilterConfig]):
    """A terminal filter that answers as a provider would: plain, or streamed if asked."""

    def __init__(self) -> None:
        super().__init__(FilterConfig(), FactoryContext("mock"))
        self._mocked = Mocked()

    async def on_request(self, exchange: Exchange) -> Response:
        request = exchange.request
        answer = await self._mocked.answer(
            request.method, request.path, dict(request.headers.items()), request.body
        )
        headers = headers_of(answer)
        if headers.get("content-type", "").startswith("text/event-stream"):
            return Response(answer.status_code, headers, aiter(stream_of(answer)))
        return Response(answer.status_code, headers, await answer.aread())
