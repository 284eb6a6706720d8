"""A service that is a tool of an MCP server, over streamable HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx

from plano_builtin_filters.remote import call, mcp_messages
from plano_builtin_filters.remote.headers import Pair
from plano_builtin_filters.remote.service import Passed, Question, Refused, ServiceFailed
from plano_filters.filter import TransportFactory

ENDPOINT: Final = "/mcp"
COPIES: Final = 4
"""Servers send a result as text and as structure, and what is quoted in JSON grows."""
LONGEST_ID: Final = 1024
"""Characters of a session's id."""
GOODBYE_SECONDS: Final = 1.0
"""For telling a server that its session is over."""


@dataclass(frozen=True, slots=True)
class _Session:
    """What a server remembers us by. One without an id remembers nothing."""

    id: str | None
    version: str

    @property
    def headers(self) -> list[Pair]:
        named = [(b"mcp-session-id", self.id.encode("latin-1"))] if self.id else []
        return [*named, (b"mcp-protocol-version", self.version.encode("ascii"))]


class _SessionGone(Exception):
    """The server does not know the session any more."""


class McpService:
    """Calls a tool with `{body, path}`; its result is the new body, its error refuses.

    One session serves all exchanges. When the server has forgotten it, the next call begins
    another one.

    Args:
        url: Of the server; `/mcp` follows it unless it ends so.
        tool: Name of the tool.
        transport: Returns the HTTP transport; called when the lifespan begins.
        timeout: Seconds for a whole call, the beginning of a session included.
        limit: Bytes of a body, as far as it is not longer itself.
        headers: Sent when nothing is asked: at the end of the session.
    """

    def __init__(
        self,
        url: str,
        tool: str,
        transport: TransportFactory,
        *,
        timeout: float,
        limit: int,
        headers: Sequence[Pair] = (),
    ) -> None:
        base = httpx.URL(url)
        path = base.path.rstrip("/")
        self._url = base.copy_with(path=path if path.endswith(ENDPOINT) else path + ENDPOINT)
        self._tool = tool
        self._factory = transport
        self._timeout = timeout
        self._limit = limit
        self._headers = tuple(headers)
        self._transport: httpx.AsyncBaseTransport | None = None
        self._session: _Session | None = None
        self._beginning = asyncio.Lock()
        self._numbers = itertools.count(1)

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        self._transport = self._factory()
        try:
            yield
        finally:
            session, self._session = self._session, None
            if session is not None and session.id is not None:
                with contextlib.suppress(ServiceFailed):
                    await self._goodbye(session)

    async def ask(self, question: Question) -> Passed | Refused:
        async with call.within(self._timeout):
            session = await self._current(question)
            try:
                answer = await self._call(session, question)
            except _SessionGone:
                if self._session is session:
                    self._session = None
                session = await self._current(question)
                try:
                    answer = await self._call(session, question)
                except _SessionGone:
                    raise ServiceFailed("status", "it forgets its sessions at once") from None
        return mcp_messages.verdict(answer)

    async def _current(self, question: Question) -> _Session:
        """Return the session, a new one if there is none."""
        async with self._beginning:
            if self._session is None:
                self._session = await self._begin(question)
            return self._session

    async def _begin(self, question: Question) -> _Session:
        number = next(self._numbers)
        opening = mcp_messages.initialize(number)
        async with self._post(question.headers, opening) as response:
            _check(response)
            answer = await self._answer(response, number, 0)
            given = response.headers.get("mcp-session-id")
        if given is not None and not (given.isascii() and 0 < len(given) <= LONGEST_ID):
            raise ServiceFailed("reply", "the id of its session cannot be sent back")
        session = _Session(given, mcp_messages.version(answer))
        notice = mcp_messages.initialized()
        async with self._post([*question.headers, *session.headers], notice) as response:
            _check(response)
        return session

    async def _call(self, session: _Session, question: Question) -> dict[str, Any]:
        number = next(self._numbers)
        text = question.media_type != "application/json"
        body = mcp_messages.call(number, self._tool, question.body, question.path, text=text)
        async with self._post([*question.headers, *session.headers], body) as response:
            if response.status_code == 404 and session.id is not None:
                raise _SessionGone
            _check(response)
            return await self._answer(response, number, len(question.body))

    async def _answer(self, response: httpx.Response, number: int, asked: int) -> dict[str, Any]:
        """Return the answer to a request, read until it is there.

        Args:
            response: The answer's head.
            number: Of the request.
            asked: Bytes of the body it is about.
        """
        media_type = response.headers.get("content-type", "")
        limit = COPIES * call.largest(asked, self._limit)
        reader = mcp_messages.Reader(number, media_type, limit)
        body = aiter(call.chunks(response))
        async for chunk in body:
            found = reader.feed(chunk)
            if found is not None:
                await call.linger(body)  # the stream may stay open for other messages
                return found
        return reader.end()

    def _post(
        self, headers: Sequence[Pair], body: bytes, *, method: str = "POST"
    ) -> contextlib.AbstractAsyncContextManager[httpx.Response]:
        if self._transport is None:
            raise RuntimeError("the lifespan of this service was not entered")
        whole = [
            *headers,
            (b"accept", b"application/json, text/event-stream"),
            (b"content-type", b"application/json"),
        ]
        return call.post(self._transport, self._url, whole, body, method=method)

    async def _goodbye(self, session: _Session) -> None:
        """Tell the server that the session is over. What it says to that does not matter."""
        headers = [*self._headers, *session.headers]
        async with (
            call.within(GOODBYE_SECONDS),
            self._post(headers, b"", method="DELETE"),
        ):
            pass


def _check(response: httpx.Response) -> None:
    """Refuse what is no success. A 4xx here is about us, not about the client's request.

    Raises:
        ServiceFailed: The status is none of a success.
    """
    if not 200 <= response.status_code < 300:
        raise ServiceFailed("status", f"it answered {response.status_code}")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ServiceFailed("reply", "its answer is compressed, which nobody asked for")
