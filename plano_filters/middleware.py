"""A chain in front of any ASGI app: the app is then the terminal filter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plano_filters.asgi import ClientScope, Gateway
from plano_filters.chain import Chain, link
from plano_filters.compile import Services, load_chain
from plano_filters.config.document import Limits
from plano_filters.errors import UpstreamFailed
from plano_filters.exchange import Exchange
from plano_filters.filter import FactoryContext, FilterConfig, TerminalFilter
from plano_filters.messages import Response
from plano_filters.telemetry import Telemetry
from plano_filters.transport import UpstreamTransport


class FilterChainMiddleware:
    """Puts a chain in front of an ASGI app: FastAPI, Starlette, vLLM's server.

    Every HTTP request goes through the filters; what passes them reaches the app, with the headers
    and the body the filters left. Other scopes go straight to the app.

    Args:
        app: The app to protect.
        chain: A compiled chain without a terminal filter, or the path of a document with one.
        limits: What a request may be.
        telemetry: Spans, metrics and log of the exchanges; none unless given.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        chain: Chain | str | Path,
        limits: Limits | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._app = app
        self._transport: UpstreamTransport | None = None
        if not isinstance(chain, Chain):
            transport = self._transport = UpstreamTransport()
            chain = load_chain(str(chain), services=Services(transport=lambda: transport))
        terminal = link(_App(app), id="app", name="app")
        self._gateway = Gateway(
            Chain([*chain.links, terminal]),
            limits=limits,
            telemetry=telemetry,
            open_endpoints=True,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] == "http":
            await self._gateway(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start the app first, then the chain; stop them the other way round.

        The app's own messages are kept back until the chain has followed.
        """
        context = self._gateway.lifespan()
        running = False

        async def follow(message: Message) -> None:
            nonlocal running
            if message["type"] == "lifespan.startup.complete":
                await context.__aenter__()
                running = True
            await send(message)

        async def lead() -> Message:
            nonlocal running
            message = await receive()
            if message["type"] == "lifespan.shutdown" and running:
                running = False
                await context.__aexit__(None, None, None)
            return message

        await self._app(scope, lead, follow)
        if self._transport is not None:
            await self._transport.aclose()


class _App(TerminalFilter[FilterConfig]):
    """Answers with an ASGI app, its body as it comes."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(FilterConfig(), FactoryContext("app"))
        self._app = app

    async def on_request(self, exchange: Exchange) -> Response:
        call = _Call(self._app, exchange)
        exchange.resources.push_async_callback(call.stop)
        return await call.start()


class _Call:
    """One request to an ASGI app, run in a task of its own."""

    def __init__(self, app: ASGIApp, exchange: Exchange) -> None:
        self._app = app
        self._exchange = exchange
        # One message at a time: the app waits until the client has taken the last one.
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue(maxsize=1)
        self._asked = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> Response:
        """Run the app until it has sent its head."""
        self._task = asyncio.create_task(self._run(), name="wrapped-app")
        head = await self._messages.get()
        if head is None:
            await self._raise()
            raise UpstreamFailed("the app sent no response")
        headers = MutableHeaders(raw=list(head.get("headers", [])))
        del headers["content-length"]
        return Response(head["status"], headers, self._body())

    async def stop(self) -> None:
        """Cancel the app if it still runs, as its server would when a client leaves."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _body(self) -> AsyncIterator[bytes]:
        while (message := await self._messages.get()) is not None:
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body", False):
                return
        await self._raise()
        raise UpstreamFailed("the app broke off in the middle of its response")

    async def _raise(self) -> None:
        """Let what the app raised come out here."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            await self._app(self._scope(), self._receive, self._messages.put)
        finally:
            if not self._cancelled():
                await self._messages.put(None)

    @staticmethod
    def _cancelled() -> bool:
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    def _scope(self) -> Scope:
        request = self._exchange.request
        headers = MutableHeaders(raw=list(request.headers.raw))
        if request.body or "content-length" in headers:
            headers["content-length"] = str(len(request.body))
            del headers["transfer-encoding"]
        return {**self._exchange.state[ClientScope].scope, "headers": headers.raw}

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._exchange.request.body, "more_body": False}
        await asyncio.Event().wait()  # until `stop` cancels
        raise AssertionError  # pragma: no cover
