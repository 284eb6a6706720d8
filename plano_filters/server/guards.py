"""What the HTTP server lets through and should not: the outermost layer, before any filter."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from plano_filters.config.document import Limits
from plano_filters.dialect import error_document, operation_for
from plano_filters.errors import BadRequest, GatewayError, HeadersTooLarge, Unavailable

MAX_URL: Final = 8 * 1024
_HOST: Final = re.compile(rb"[A-Za-z0-9._~\-]*(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")


class URITooLong(BadRequest):
    status, code = 414, "uri_too_long"


class HTTPVersionNotSupported(BadRequest):
    status, code = 505, "http_version_not_supported"


class Guard:
    """Refuses malformed and oversized requests, and requests over the limit of those in flight.

    Args:
        app: The gateway's app.
        limits: Of the document.
        in_flight: How many exchanges are being served.
        tls: Whether the listener is encrypted; HTTP/2 is spoken only there.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, in_flight: Callable[[], int], *, tls: bool
    ) -> None:
        self._app = app
        self._limits = limits
        self._in_flight = in_flight
        self._tls = tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return  # the process starts and stops the app itself
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1003})
            return
        try:
            self._check(scope)
        except GatewayError as error:
            await _refuse(error, scope, send)
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = scope["headers"]
        if not self._tls and scope["http_version"] not in ("1.0", "1.1"):
            raise HTTPVersionNotSupported("only HTTP/1.1 is served here", headers=_CLOSE)
        if len(scope.get("raw_path", b"")) + len(scope["query_string"]) > MAX_URL:
            raise URITooLong(f"the URL is longer than {MAX_URL} bytes", headers=_CLOSE)
        size = sum(len(name) + len(value) for name, value in headers)
        if len(headers) > self._limits.headers or size > self._limits.header_bytes:
            raise HeadersTooLarge(
                f"at most {self._limits.headers} headers of {self._limits.header_bytes} bytes "
                "together are taken (limits.headers, limits.header_bytes)",
                headers=_CLOSE,
            )
        names = [name for name, _ in headers]
        if b"content-length" in names and b"transfer-encoding" in names:
            # Two readers of one message would disagree where it ends: request smuggling.
            raise BadRequest("both content-length and transfer-encoding are set", headers=_CLOSE)
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) > 1 or any(_HOST.fullmatch(host) is None for host in hosts):
            raise BadRequest("the host header is malformed", headers=_CLOSE)
        if self._in_flight() >= self._limits.connections:
            raise Unavailable(
                "too many requests are being served (limits.connections)",
                headers={"retry-after": "1"},
            )


_CLOSE: Final = {"connection": "close"}


async def _refuse(error: GatewayError, scope: Scope, send: Send) -> None:
    dialect = operation_for(scope["path"], Headers(scope=scope)).dialect
    body = json.dumps(error_document(error, dialect, "")).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-plano-error-source": "gateway",
        **error.headers,
    }
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
