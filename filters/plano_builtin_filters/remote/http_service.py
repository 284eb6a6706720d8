"""A service that speaks plain HTTP: the body goes there, and another one comes back."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx

from plano_builtin_filters.remote import call
from plano_builtin_filters.remote.service import Passed, Question, Refused, ServiceFailed
from plano_filters.filter import TransportFactory


class HttpService:
    """POSTs what it is asked about to its URL, followed by the path of the client's request.

    A 2xx answer is the new body, a 4xx one refuses, and everything else is a failure.

    Args:
        url: Of the service; the request's path follows it.
        transport: Returns the HTTP transport; called when the lifespan begins.
        timeout: Seconds for a whole call.
        limit: Bytes of an answer, as far as the question is not longer itself.
    """

    def __init__(
        self, url: str, transport: TransportFactory, *, timeout: float, limit: int
    ) -> None:
        self._url = httpx.URL(url)
        self._factory = transport
        self._timeout = timeout
        self._limit = limit
        self._transport: httpx.AsyncBaseTransport | None = None

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        self._transport = self._factory()
        yield

    async def ask(self, question: Question) -> Passed | Refused:
        if self._transport is None:
            raise RuntimeError("the lifespan of this service was not entered")
        url = self._url.copy_with(path=self._url.path.rstrip("/") + question.path)
        headers = [
            *question.headers,
            (b"accept", b"*/*"),
            (b"content-type", question.media_type.encode()),
        ]
        async with (
            call.within(self._timeout),
            call.post(self._transport, url, headers, question.body) as response,
        ):
            status = response.status_code
            body = await call.read(response, call.largest(len(question.body), self._limit))
        if 200 <= status < 300:
            return Passed(body)
        if 400 <= status < 500:
            return Refused(status, body)
        kind = ", a redirect" if 300 <= status < 400 else ""
        raise ServiceFailed("status", f"it answered {status}{kind}")
