"""The gateway as one ASGI app: `create_app()` for any server, `Service` for ours.

uvicorn --factory plano_filters.app:create_app
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import inspect
import logging
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import httpx
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from plano_filters import messages
from plano_filters.asgi import Gateway
from plano_filters.chain import Chain
from plano_filters.compile import Services, compile_chain
from plano_filters.config import Document, Loaded, Report, discover, load, zero_config
from plano_filters.dialect import operation_for
from plano_filters.errors import InternalError, NotFound
from plano_filters.explain import Explanation, explain
from plano_filters.guards import Guard
from plano_filters.meter import Meter
from plano_filters.refusal import refusal, refuse, request_id
from plano_filters.registry import Registry
from plano_filters.shared import Shared
from plano_filters.telemetry import Observer, Telemetry
from plano_filters.transport import UpstreamTransport

log = logging.getLogger(__name__)

FIXED: Final = (
    "listeners", "limits", "tracing", "middleware", "overrides.upstream_tls_ca_path",
)  # fmt: skip
"""Parts of the document that a reload does not change."""
HASH_BYTES: Final = 6
"""Of the document's SHA-256: as many as a metric's float holds exactly."""


class Service:
    """A gateway made from a document: its app, its chain, and how to change it while it runs.

    Args:
        loaded: The document; its report takes the chain's problems too.
        observers: Called with every exchange at its end.
        registry: Where filters are looked up; the installed ones unless given.

    Raises:
        ConfigError: The document, or its chain, has errors.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        observers: Sequence[Observer] = (),
        registry: Registry | None = None,
    ) -> None:
        self.loaded = loaded
        self.generation = 1
        """Counts reloads."""
        self.reload_error: str | None = None
        """What kept the last reload from happening; None if it happened."""
        self.draining = False
        """Set it to let every answer end its connection."""
        self._registry = registry or Registry.from_entry_points()
        document = loaded.document
        self.meter = Meter()
        self._reloads = self.meter.counter(
            "plano_config_reloads", "Reloads of the configuration.", ("result",)
        )
        self._hash = self.meter.gauge(
            "plano_config_hash", "Hash of the configuration that is served.", mode="mostrecent"
        )
        self.telemetry = Telemetry(document.tracing, meter=self.meter, observers=observers)
        self._transport: UpstreamTransport | None = None
        self._shared = Shared()
        middleware = load_middleware(document, loaded.report)
        chain = self.compile(loaded)
        loaded.report.raise_errors()
        self.gateway = Gateway(chain, limits=document.limits, telemetry=self.telemetry)
        self.app = self._build(middleware)
        self._tell(loaded)

    def compile(self, loaded: Loaded) -> Chain:
        """Compile the chain of a document; problems go into its report."""
        services = Services(
            transport=self._shared_transport,
            tracer=self.telemetry.tracer,
            meter=self.meter,
            shared=self._shared,
        )
        return compile_chain(loaded.document, self._registry, loaded.report, services)

    async def reload(self, load: Callable[[], Loaded]) -> None:
        """Serve new exchanges by another document's chain. Running ones finish on theirs.

        Listeners, limits, tracing and middleware stay as they are until a restart.

        Args:
            load: Returns the document; called in a thread.

        Raises:
            ConfigError: The document has errors. The old chain stays.
        """
        try:
            loaded = await asyncio.to_thread(load)
            chain = self.compile(loaded)
            loaded.report.raise_errors()
            await self.gateway.swap(chain)
        except Exception as error:
            self.reload_error = str(error)
            self._reloads.labels("failed").inc()
            raise
        for name in FIXED:
            part = attrgetter(name)
            if part(loaded.document) != part(self.loaded.document):
                log.warning("%s changed; restart the gateway to use that", name)
        self.loaded, self.reload_error = loaded, None
        self.generation += 1
        self._reloads.labels("done").inc()
        self._tell(loaded)

    async def explain(self, request: messages.Request) -> Explanation:
        """Say what the chain of the moment would do with a request, without doing it."""
        with self.gateway.held() as chain:
            return await explain(chain, request)

    def _tell(self, loaded: Loaded) -> None:
        """Let the metrics know what is served."""
        entries = loaded.document.model_providers
        self.telemetry.declare({entry.model for entry in entries if not entry.wildcard})
        digest = hashlib.sha256(loaded.text.encode()).digest()
        self._hash.set(int.from_bytes(digest[:HASH_BYTES]))

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Start the transport, the chain and the telemetry; stop them in reverse."""
        self._transport = UpstreamTransport(self.loaded.document.overrides.upstream_tls_ca_path)
        try:
            async with self.telemetry.lifespan(), self.gateway.lifespan():
                yield
        finally:
            await self._transport.aclose()

    def _shared_transport(self) -> httpx.AsyncBaseTransport:
        if self._transport is None:
            raise RuntimeError("the transport is there only while the gateway runs")
        return self._transport

    def _build(self, middleware: Sequence[tuple[Any, dict[str, Any]]]) -> ASGIApp:
        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncGenerator[None]:
            async with self.lifespan():
                yield

        routes = [
            Mount("/v1", app=_Endpoints(self.gateway)),
            Mount("/routing/v1", app=_Endpoints(self.gateway)),
            Route("/healthz", _alive),
            Route("/", _alive),
            Mount("/", app=_not_found),
        ]
        app: ASGIApp = Starlette(
            routes=routes, lifespan=lifespan, exception_handlers={Exception: _failed}
        )
        for index, (kind, options) in reversed(list(enumerate(middleware))):
            try:
                app = kind(app, **options)
            except Exception as error:  # noqa: BLE001 - a constructor of anyone's
                message = f"the middleware cannot be built: {error}"
                self.loaded.report.error(("middleware", index), message)
        self.loaded.report.raise_errors()
        return Guard(
            app,
            self.loaded.document.limits,
            in_flight=lambda: self.gateway.in_flight,
            closing=lambda: self.draining,
        )


class _Endpoints:
    """The gateway, and what browsers and probes ask it besides."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            made = request_id(Headers(scope=scope))
            headers = {"x-request-id": made, "request-id": made}
            await Response(status_code=204, headers=headers)(scope, receive, send)
        else:
            await self._gateway(scope, receive, send)


def create_app(config: str | Path | None = None) -> ASGIApp:
    """Return the app of a configuration file, for any ASGI server.

    Args:
        config: The file, or its directory. Else `PLANO_FILTERS_CONFIG`, else `config.yaml` or
            `plano_config.yaml` here, else every provider by wildcard.

    Raises:
        ConfigError: With every problem of the file.
    """
    path = discover(config or os.environ.get("PLANO_FILTERS_CONFIG"))
    return Service(load(path) if path else zero_config(os.environ)).app


def check(loaded: Loaded, registry: Registry | None = None) -> Chain:
    """Compile a document and start nothing; returns the chain that would serve.

    Raises:
        ConfigError: With every problem of the document, its chain and its middleware.
    """
    found = registry or Registry.from_entry_points()
    chain = compile_chain(loaded.document, found, loaded.report)
    load_middleware(loaded.document, loaded.report)
    loaded.report.raise_errors()
    return chain


def load_middleware(document: Document, report: Report) -> list[tuple[Any, dict[str, Any]]]:
    """Import the document's ASGI middleware; what cannot be used is reported."""
    loaded: list[tuple[Any, dict[str, Any]]] = []
    for index, entry in enumerate(document.middleware):
        module, colon, name = entry.use.partition(":")
        if not colon:
            module, _, name = entry.use.rpartition(".")
        where = ("middleware", index)
        try:
            kind = getattr(importlib.import_module(module), name)
            inspect.signature(kind).bind(None, **entry.options)
        except TypeError as error:
            report.error(where, f'middleware "{entry.use}" does not take these options: {error}')
        except Exception as error:  # noqa: BLE001 - importing runs anyone's code
            report.error(where, f'middleware "{entry.use}" cannot be imported: {error}')
        else:
            loaded.append((kind, entry.options))
    return loaded


async def _alive(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _failed(request: Request, error: Exception) -> Response:
    """Answer for what should never fail; the exception goes on to the server's log."""
    dialect = operation_for(request.url.path, request.headers).dialect
    made, body = refusal(InternalError(), dialect, request.headers)
    return Response(body, made.status, dict(made.headers))


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    path = scope["path"][:200]
    await refuse(NotFound(f"no such path: {path}; the API is under /v1/"), scope, send)
