"""The admin listener: health, metrics, what runs. Never on the port that clients use."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from plano_filters import messages
from plano_filters.body import ClientLeft, read_body
from plano_filters.chain import Chain
from plano_filters.config import Loaded
from plano_filters.config.show import effective
from plano_filters.dialect import error_document
from plano_filters.errors import ConfigError, GatewayError, NotFound
from plano_filters.refusal import refuse
from plano_filters.server.explaining import asked


@dataclass(frozen=True, slots=True)
class Current:
    """What is served."""

    loaded: Loaded
    chain: Chain
    generation: int
    """Counts the configurations since the start."""
    reload_error: str | None
    """What kept the last reload from happening; None if it happened."""


class Status(Protocol):
    """What the admin listener tells about: one process, or the supervisor of several."""

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Say whether requests should come here, and the details."""
        ...

    def current(self) -> Current:
        """Return what is served."""
        ...

    def metrics(self) -> tuple[bytes, str]:
        """Return the metrics and their content type."""
        ...

    async def reload(self) -> None:
        """Load the configuration anew; raise what keeps it from being used."""
        ...

    async def sources(self) -> dict[str, Any]:
        """Return what the filters go by: `sources`, or `workers` with the sources of each."""
        ...

    async def explain(self, request: messages.Request) -> dict[str, Any]:
        """Say what would be done with a request; raise `GatewayError` if nobody can."""
        ...


def admin_app(status: Status) -> ASGIApp:
    """Return the app of the admin listener."""
    pages = _Pages(status)
    return Starlette(
        routes=[
            Route("/healthz", _healthz),
            Route("/readyz", pages.readyz),
            Route("/metrics", pages.metrics),
            Route("/-/config", pages.config),
            Route("/-/filters", pages.filters),
            Route("/-/sources", pages.sources),
            Route("/-/reload", pages.reload, methods=["POST"]),
            Route("/-/explain", pages.explain, methods=["POST"]),
            Mount("/", app=_not_found),
        ]
    )


class _Pages:
    """What the paths answer."""

    def __init__(self, status: Status) -> None:
        self._status = status

    async def readyz(self, request: Request) -> Response:
        ready, details = self._status.readiness()
        return JSONResponse(details, status_code=200 if ready else 503)

    async def metrics(self, request: Request) -> Response:
        body, content_type = self._status.metrics()
        return Response(body, headers={"content-type": content_type})

    async def config(self, request: Request) -> Response:
        now = self._status.current()
        return JSONResponse(
            {
                "generation": now.generation,
                "sha256": hashlib.sha256(now.loaded.text.encode()).hexdigest(),
                "reload_error": now.reload_error,
                "document": effective(now.loaded.document, now.chain.configs),
            }
        )

    async def filters(self, request: Request) -> Response:
        chain = self._status.current().chain
        shown = [
            {"id": one.id, "name": one.name, "on_error": one.on_error, "timeout": one.timeout}
            for one in chain.links
        ]
        return JSONResponse({"chain": str(chain), "filters": shown})

    async def sources(self, request: Request) -> Response:
        return JSONResponse(await self._status.sources())

    async def reload(self, request: Request) -> Response:
        try:
            await self._status.reload()
        except ConfigError as error:
            problems = [p.to_dict() for p in error.problems if hasattr(p, "to_dict")]
            return JSONResponse({"reloaded": False, "problems": problems}, status_code=422)
        except Exception as error:  # noqa: BLE001 - whatever a filter's start raises
            return JSONResponse({"reloaded": False, "error": str(error)}, status_code=500)
        generation = self._status.current().generation
        return JSONResponse({"reloaded": True, "generation": generation})

    async def explain(self, request: Request) -> Response:
        head = messages.Request("POST", request.url.path, request.headers.mutablecopy())
        limits = self._status.current().loaded.document.limits
        try:
            body = await read_body(head, request.receive, limits)
            return JSONResponse(await self._status.explain(asked(body)))
        except GatewayError as error:
            document = error_document(error, "chat", "")
            return JSONResponse(document, status_code=error.status)
        except ClientLeft:
            return Response(status_code=400)  # nobody reads it


async def _healthz(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    await refuse(NotFound(f"no such admin path: {scope['path'][:200]}"), scope, send)
