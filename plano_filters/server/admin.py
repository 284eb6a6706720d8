"""The admin listener: health, metrics, what runs. Never on the port that clients use."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from plano_filters.app import Service
from plano_filters.config.show import effective
from plano_filters.errors import ConfigError
from plano_filters.telemetry import render_metrics


class Readiness(Protocol):
    """Says whether requests should come here, and why not."""

    def __call__(self) -> tuple[bool, dict[str, Any]]: ...


def admin_app(
    service: Service, readiness: Readiness, reload: Callable[[], Awaitable[None]]
) -> ASGIApp:
    """Return the app of the admin listener.

    Args:
        service: What it tells about.
        readiness: For `/readyz`.
        reload: Loads the configuration anew; raises what keeps it from being used.
    """

    async def healthz(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> Response:
        ready, details = readiness()
        return JSONResponse(details, status_code=200 if ready else 503)

    async def metrics(request: Request) -> Response:
        body, content_type = render_metrics(service.meter)
        return Response(body, headers={"content-type": content_type})

    async def config(request: Request) -> Response:
        loaded = service.loaded
        return JSONResponse({
            "generation": service.generation,
            "sha256": hashlib.sha256(loaded.text.encode()).hexdigest(),
            "reload_error": service.reload_error,
            "document": effective(loaded.document),
        })

    async def filters(request: Request) -> Response:
        links = service.gateway.chain.links
        shown = [
            {"id": one.id, "name": one.name, "on_error": one.on_error, "timeout": one.timeout}
            for one in links
        ]
        return JSONResponse({"chain": str(service.gateway.chain), "filters": shown})

    async def reload_now(request: Request) -> Response:
        try:
            await reload()
        except ConfigError as error:
            problems = [p.to_dict() for p in error.problems if hasattr(p, "to_dict")]
            return JSONResponse({"reloaded": False, "problems": problems}, status_code=422)
        except Exception as error:  # noqa: BLE001 - whatever a filter's start raises
            return JSONResponse({"reloaded": False, "error": str(error)}, status_code=500)
        return JSONResponse({"reloaded": True, "generation": service.generation})

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/-/config", config),
            Route("/-/filters", filters),
            Route("/-/reload", reload_now, methods=["POST"]),
        ]
    )
