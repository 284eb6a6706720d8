"""Answers to requests that never become an exchange, and the id that every answer carries."""

from __future__ import annotations

import uuid
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope, Send

from plano_filters.dialect import Dialect, operation_for
from plano_filters.errors import GatewayError
from plano_filters.messages import Response

MAX_ID_LENGTH: Final = 128


def request_id(headers: Headers) -> str:
    """Take the client's `x-request-id` if it is short and printable, else make one.

    It goes into logs and headers.
    """
    given = headers.get("x-request-id", "")
    if 0 < len(given) <= MAX_ID_LENGTH and given.isascii() and given.isprintable():
        return given
    return uuid.uuid4().hex


def refusal(error: GatewayError, dialect: Dialect, headers: Headers) -> tuple[Response, bytes]:
    """Return an error as a response that is ready to be sent, and its body.

    Args:
        error: Why the request is refused.
        dialect: The caller's.
        headers: Of the request.
    """
    made = request_id(headers)
    response = Response.from_error(error, dialect, made)
    body = response.body if isinstance(response.body, bytes) else b""
    response.headers["content-length"] = str(len(body))
    response.headers["x-request-id"] = response.headers["request-id"] = made
    return response, body


async def refuse(error: GatewayError, scope: Scope, send: Send) -> None:
    """Answer an ASGI request with an error in its caller's dialect."""
    given = Headers(scope=scope)
    response, body = refusal(error, operation_for(scope["path"], given).dialect, given)
    head = {"type": "http.response.start", "status": response.status}
    await send({**head, "headers": response.headers.raw})
    await send({"type": "http.response.body", "body": body})
