"""The edge: ASGI messages in, one exchange through the chain, ASGI messages out.

The only place that calls `receive` and `send`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import Receive, Scope, Send

from plano_filters.body import ClientLeft, check, read_body
from plano_filters.chain import Chain
from plano_filters.config.document import Limits
from plano_filters.dialect import canonical, error_event, operation_for
from plano_filters.errors import GatewayError, InternalError
from plano_filters.exchange import Exchange, Outcome
from plano_filters.generation import Generation
from plano_filters.lifespan import lifespan_protocol
from plano_filters.messages import Request, Response
from plano_filters.refusal import request_id
from plano_filters.telemetry import Telemetry

log = logging.getLogger(__name__)

WRITE_SECONDS: Final = 60.0
"""For one chunk to be taken by the client's connection; a client that reads nothing is gone."""


@dataclass(frozen=True, slots=True)
class ClientScope:
    """Fact of exchanges in front of an app: the ASGI scope as the server made it."""

    scope: Scope


class Gateway:
    """An ASGI app: each HTTP request is one exchange through the chain.

    Args:
        chain: Ends with a terminal filter.
        limits: What a request may be.
        telemetry: Spans, metrics and log of the exchanges; none unless given.
        open_endpoints: Take every path and any body, not only the LLM endpoints.
    """

    def __init__(
        self,
        chain: Chain,
        *,
        limits: Limits | None = None,
        telemetry: Telemetry | None = None,
        open_endpoints: bool = False,
    ) -> None:
        self._chain = chain
        self._generation: Generation | None = None
        self._limits = limits or Limits()
        self._telemetry = telemetry
        self._open = open_endpoints
        self._retiring: set[asyncio.Task[None]] = set()
        self.in_flight = 0
        """Exchanges being served."""

    @property
    def chain(self) -> Chain:
        """The chain that serves new exchanges."""
        return self._chain

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Start the chain's filters; stop them after the last exchange."""
        generation = Generation(self._chain)
        await generation.start()
        self._generation = generation
        try:
            yield
        finally:
            current, self._generation = self._generation, None
            await asyncio.gather(current.retire(), *self._retiring)

    async def swap(self, chain: Chain) -> None:
        """Serve new exchanges with another chain; running ones finish on the old one.

        Raises what the start of a filter raises; then the old chain stays.
        """
        if self._generation is None:
            raise RuntimeError("the gateway is not running; enter its lifespan first")
        fresh = Generation(chain)
        await fresh.start()
        old, self._generation, self._chain = self._generation, fresh, chain
        task = old.retire()
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan_protocol(self.lifespan, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the gateway serves HTTP, not {scope['type']}")
        self.in_flight += 1
        try:
            with self.held() as chain:
                await self._serve(chain, scope, receive, send)
        finally:
            self.in_flight -= 1

    @contextmanager
    def held(self) -> Iterator[Chain]:
        """Return the chain of the moment, whose filters do not stop before the block has ended.

        Raises:
            RuntimeError: The gateway is not running.
        """
        generation = self._generation
        if generation is None:
            raise RuntimeError("the gateway is not running; serve it with lifespan on")
        generation.enter()
        try:
            yield generation.chain
        finally:
            generation.leave()

    async def _serve(self, chain: Chain, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _new_exchange(scope)
        if self._open:  # the paths are the app's, whatever they look like
            exchange.operation = replace(exchange.operation, deciding=False)
            exchange.state.put(ClientScope(scope))
        if exchange.operation.deciding:
            chain = chain.deciding
        if self._telemetry is not None:
            exchange.span = self._telemetry.begin(exchange.request, exchange.operation)
        sender = _Sender(exchange, send)
        left = False
        try:
            refusal = await self._receive(exchange, receive)
            left = await _until_left(self._answer(chain, exchange, sender, refusal), receive)
        except ClientLeft:
            left = True
        finally:
            outcome = Outcome(sender.status, left, sender.error, sender.bytes_sent)
            ending = asyncio.create_task(self._finish(chain, exchange, outcome))
            await asyncio.shield(ending)

    async def _receive(self, exchange: Exchange, receive: Receive) -> Response | None:
        """Read and check the request; a refusal is returned as a response."""
        request = exchange.request
        try:
            request.body = await read_body(request, receive, self._limits)
            if not self._open:
                check(request, exchange.operation)
        except GatewayError as error:
            return Response.from_error(error, exchange.dialect, exchange.id)
        return None

    async def _answer(
        self, chain: Chain, exchange: Exchange, sender: _Sender, refusal: Response | None
    ) -> None:
        response = refusal if refusal is not None else await chain.run(exchange)
        if self._telemetry is not None:
            self._telemetry.wrap(exchange, response)
        await sender.send(response)

    async def _finish(self, chain: Chain, exchange: Exchange, outcome: Outcome) -> None:
        await chain.complete(exchange, outcome)
        if self._telemetry is not None:
            self._telemetry.finish(exchange, outcome)


class _Sender:
    """Sends one response, and knows how far it came."""

    def __init__(self, exchange: Exchange, send: Send) -> None:
        self._exchange = exchange
        self._send = send
        self.status: int | None = None
        self.error: BaseException | None = None
        self.bytes_sent = 0

    async def send(self, response: Response) -> None:
        """Send the head, then the body as it comes.

        A body that breaks ends with an error event, if it is a stream of events, and without the
        end of the message: the server then aborts the connection, and no client takes a part for
        the whole.
        """
        headers, body = response.headers, response.body
        headers["x-request-id"] = headers["request-id"] = self._exchange.id
        self.error = response.error
        if isinstance(body, bytes):
            headers["content-length"] = str(len(body))
            await self._head(response)
            await self._body(body, more=False)
            return
        await self._head(response)
        try:
            async for chunk in body:
                await self._body(chunk, more=True)
        except _WriteStalled as stalled:
            self.error = stalled
        except Exception as error:  # noqa: BLE001 - whatever a filter's iterator raises
            await self._broken(response, error)
        else:
            await self._body(b"", more=False)
        finally:
            await _close(body)

    async def _head(self, response: Response) -> None:
        self.status = response.status
        self._exchange.head_sent = time.perf_counter()
        raw = response.headers.raw
        await self._write(
            {"type": "http.response.start", "status": response.status, "headers": raw}
        )

    async def _body(self, chunk: bytes, *, more: bool) -> None:
        await self._write({"type": "http.response.body", "body": chunk, "more_body": more})
        self.bytes_sent += len(chunk)

    async def _write(self, message: dict[str, object]) -> None:
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._send(message)
        except TimeoutError:
            raise _WriteStalled("the client does not read") from None

    async def _broken(self, response: Response, error: Exception) -> None:
        self.error = error
        if not isinstance(error, GatewayError):
            log.error("a response body failed", exc_info=error)
            error = InternalError()
        if response.event_stream:
            await self._body(
                error_event(error, self._exchange.dialect, self._exchange.id), more=True
            )


class _WriteStalled(Exception):
    """The client's connection has taken nothing for `WRITE_SECONDS`."""


async def _until_left(answer: Awaitable[None], receive: Receive) -> bool:
    """Await the answer, cancelling it at once if the client leaves; say whether it left."""
    serving = asyncio.current_task()
    assert serving is not None  # noqa: S101 - we are in a coroutine
    left, active = False, True

    async def watch() -> None:
        nonlocal left
        while (await receive())["type"] != "http.disconnect":
            pass
        if active:
            left = True
            serving.cancel()

    watcher = asyncio.create_task(watch(), name="watch-disconnect")
    try:
        await answer
    except asyncio.CancelledError:
        if not left or serving.uncancel() > 0:
            raise
    finally:
        active = False
        watcher.cancel()
    return left


def _new_exchange(scope: Scope) -> Exchange:
    headers = MutableHeaders(raw=list(scope["headers"]))
    client = scope.get("client")
    request = Request(
        method=scope["method"],
        path=canonical(scope["path"]),
        headers=headers,
        query=scope.get("query_string", b"").decode("latin-1"),
        client=client[0] if client else None,
        scheme=scope.get("scheme", "http"),
        http_version=scope.get("http_version", "1.1"),
    )
    return Exchange(request_id(headers), request, operation_for(scope["path"], headers))


async def _close(body: AsyncIterator[bytes]) -> None:
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()
