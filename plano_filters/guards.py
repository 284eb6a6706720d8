"""What the HTTP server lets through and should not: the outermost layer, before any filter."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plano_filters.config.document import Limits
from plano_filters.errors import (
    BadRequest,
    GatewayError,
    HeadersTooLarge,
    InternalError,
    Unavailable,
)
from plano_filters.refusal import refuse

log = logging.getLogger(__name__)

MAX_URL: Final = 8 * 1024
"""Bytes of path and query together."""
_HOST: Final = re.compile(rb"[A-Za-z0-9._~\-]+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")
_CLOSE: Final = {"connection": "close"}


class URITooLong(BadRequest):
    status, code = 414, "uri_too_long"


class HTTPVersionNotSupported(BadRequest):
    status, code = 505, "http_version_not_supported"


class Guard:
    """Refuses malformed and oversized requests, and requests over the limit of those in flight.

    Args:
        app: The app to protect.
        limits: Of the document.
        in_flight: How many exchanges are being served.
        closing: Whether clients should take their next request elsewhere.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        *,
        in_flight: Callable[[], int] = lambda: 0,
        closing: Callable[[], bool] = lambda: False,
    ) -> None:
        self._app = app
        self._limits = limits
        self._in_flight = in_flight
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1003})
            return
        if scope["http_version"] == "2":
            send = _without_connection(send)
        elif self._closing():
            send = _with_close(send)
        try:
            self._check(scope)
        except GatewayError as error:
            await refuse(error, scope, send)
            return
        await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app; what middleware raises is told in the caller's dialect."""
        started = False

        async def told(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, told)
        except Exception:
            if started:
                raise
            log.exception("middleware failed")
            await refuse(InternalError(), scope, send)

    def _check(self, scope: Scope) -> None:
        if scope["scheme"] != "https" and scope["http_version"] not in ("1.0", "1.1"):
            # HTTP/2 in clear text can be smuggled through a front that speaks only HTTP/1.1.
            raise HTTPVersionNotSupported("only HTTP/1.1 is served here", headers=_CLOSE)
        if len(scope.get("raw_path", b"")) + len(scope["query_string"]) > MAX_URL:
            raise URITooLong(f"the URL is longer than {MAX_URL} bytes", headers=_CLOSE)
        check_headers(scope["headers"], self._limits, scope["http_version"])
        if self._in_flight() >= self._limits.connections:
            raise Unavailable(
                "too many requests are being served (limits.connections)",
                headers={"retry-after": "1"},
            )


def check_headers(headers: list[tuple[bytes, bytes]], limits: Limits, http_version: str) -> None:
    """Check the header fields of a request, names in lower case.

    Raises:
        HeadersTooLarge: Too many, or too many bytes.
        BadRequest: Two readers could disagree where the message ends or whom it is for.
    """
    size = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > limits.headers or size > limits.header_bytes:
        raise HeadersTooLarge(
            f"at most {limits.headers} headers of {limits.header_bytes} bytes "
            "together are taken (limits.headers, limits.header_bytes)",
            headers=_CLOSE,
        )
    names = [name for name, _ in headers]
    if b"content-length" in names and b"transfer-encoding" in names:
        # RFC 9112 6.1: request smuggling.
        raise BadRequest("both content-length and transfer-encoding are set", headers=_CLOSE)
    lengths = {value.strip() for name, value in headers if name == b"content-length"}
    if len(lengths) > 1 or any(not value.isdigit() for value in lengths):
        raise BadRequest("content-length must be one number", headers=_CLOSE)
    hosts = [value for name, value in headers if name == b"host"]
    if not hosts and http_version == "1.0":
        return
    if len(hosts) != 1 or _HOST.fullmatch(hosts[0]) is None:
        raise BadRequest("there must be one host header, a name or an address", headers=_CLOSE)


def _with_close(send: Send) -> Send:
    """Tell an HTTP/1.1 client that the connection ends with this answer."""

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [pair for pair in message["headers"] if pair[0].lower() != b"connection"]
            message = {**message, "headers": [*headers, (b"connection", b"close")]}
        await send(message)

    return wrapped


def _without_connection(send: Send) -> Send:
    """Leave out `connection`: a stream of HTTP/2 with it cannot be answered (RFC 9113 8.2.2)."""

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [pair for pair in message["headers"] if pair[0].lower() != b"connection"]
            message = {**message, "headers": headers}
        await send(message)

    return wrapped
