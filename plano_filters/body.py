"""Reading a request body from ASGI, to a cap and a deadline; refusing what is no JSON request."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import Receive

from plano_filters.config.document import Limits
from plano_filters.dialect import Operation
from plano_filters.errors import (
    BadRequest,
    InvalidJSON,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)
from plano_filters.messages import Request

MIB: Final = 1024 * 1024
BODY_SECONDS: Final = 10.0
"""For the body to arrive, plus one for every MiB: a slow upload is fine, a dripping one not."""
DISCARD_SECONDS: Final = 2.0
"""How long to read on after a 413, so that the client reads the answer instead of a reset."""


class ClientLeft(Exception):
    """The client closed its connection before its request was complete."""


async def read_body(request: Request, receive: Receive, limits: Limits) -> bytes:
    """Read the whole body.

    Raises:
        PayloadTooLarge: Larger than the limit, declared or real.
        RequestTimeout: Too slow.
        ClientLeft: The client left before the end.
    """
    declared = request.headers.get("content-length", "")
    size = int(declared) if declared.isdecimal() else 0
    if size > limits.body:
        await _discard(receive)
        raise _too_large(limits)
    chunks: list[bytes] = []
    total = 0
    try:
        async with asyncio.timeout(BODY_SECONDS + max(size, limits.body) / MIB):
            while True:
                chunk, more = await _next(receive)
                total += len(chunk)
                if total > limits.body:
                    break
                chunks.append(chunk)
                if not more:
                    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    except TimeoutError:
        raise RequestTimeout("the request body did not arrive in time") from None
    await _discard(receive)
    raise _too_large(limits)


def check(request: Request, operation: Operation) -> None:
    """Refuse what cannot be a request to this endpoint.

    Raises:
        NotFound: No such endpoint.
        MethodNotAllowed: The endpoint does not take this method.
        UnsupportedMediaType: The body is not declared as JSON.
        BadRequest: The body is not a JSON object.
    """
    if operation.endpoint == "other":
        raise NotFound(f"no such endpoint: {request.method} {request.path[:200]}")
    if request.method not in operation.methods:
        allowed = ", ".join(operation.methods)
        raise MethodNotAllowed(
            f"{operation.route} takes {allowed}, not {request.method}", headers={"allow": allowed}
        )
    if operation.endpoint == "models":
        return
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if media_type.lower() != "application/json" and not media_type.lower().endswith("+json"):
        raise UnsupportedMediaType(
            f"the body must be application/json, not {media_type[:100] or 'empty'}; "
            'send the header "content-type: application/json"'
        )
    if not request.body.strip():
        raise InvalidJSON("the request body is empty; send a JSON object")
    if not isinstance(request.payload.get("stream", False), bool | None):
        raise BadRequest('"stream" must be true or false', param="stream")


async def _next(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] != "http.request":
        raise ClientLeft
    return message.get("body", b""), message.get("more_body", False)


async def _discard(receive: Receive) -> None:
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            while (await _next(receive))[1]:
                pass
    except (TimeoutError, ClientLeft):
        pass


def _too_large(limits: Limits) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"the request body is larger than {limits.body} bytes (limits.body of the gateway)",
        headers={"connection": "close"},
    )
