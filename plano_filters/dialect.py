"""The wire dialects clients speak: which path means which, and how each says "error".

Source: the OpenAI and Anthropic API references; the SDKs' exception tables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from plano_filters.errors import GatewayError

Dialect = Literal["chat", "responses", "messages", "embeddings"]
"""What a client speaks."""
Endpoint = Literal["chat", "responses", "messages", "count_tokens", "embeddings", "models", "other"]
"""What a path is for; `other` is none that the gateway knows."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What a path asks for."""

    endpoint: Endpoint
    dialect: Dialect
    """How to answer, errors included."""
    route: str
    """Low-cardinality path template, for spans and metrics."""
    methods: tuple[str, ...]
    deciding: bool = False
    """Whether it asks only which model to take: the chain decides, and no provider is asked."""


_OPERATIONS = {
    "/v1/chat/completions": Operation("chat", "chat", "/v1/chat/completions", ("POST",)),
    "/v1/responses": Operation("responses", "responses", "/v1/responses", ("POST",)),
    "/v1/embeddings": Operation("embeddings", "embeddings", "/v1/embeddings", ("POST",)),
    "/v1/messages": Operation("messages", "messages", "/v1/messages", ("POST",)),
    "/v1/messages/count_tokens": Operation(
        "count_tokens", "messages", "/v1/messages/count_tokens", ("POST",)
    ),
    "/v1/models": Operation("models", "chat", "/v1/models", ("GET", "HEAD")),
}
DECIDING_PREFIX = "/routing"
"""In front of the path of an API it asks only for the decision."""
_DOUBLED = ("/v1/v1/", f"{DECIDING_PREFIX}/v1/v1/")
_OPERATIONS |= {
    f"{DECIDING_PREFIX}{path}": replace(one, route=f"{DECIDING_PREFIX}{path}", deciding=True)
    for path, one in _OPERATIONS.items()
    if one.endpoint in ("chat", "responses", "messages")
}
MODELS_PREFIX = "/v1/models/"
_MODEL = Operation("models", "chat", "/v1/models/{id}", ("GET", "HEAD"))


def canonical(path: str) -> str:
    """Return a path with one `/v1` where a client wrote two.

    Anthropic's SDKs append `/v1/messages` to a base URL, also to one that ends in `/v1` already.
    """
    return path.replace("/v1/v1/", "/v1/", 1) if path.startswith(_DOUBLED) else path


def operation_for(path: str, headers: Mapping[str, str]) -> Operation:
    """Say what a request asks for; an unknown path is the endpoint `other`.

    A client that sends `anthropic-version` is answered as an Anthropic client wherever the path
    leaves it open (`/v1/models`, unknown paths).
    """
    path = canonical(path)
    found = _OPERATIONS.get(path)
    if found is None and path.startswith(MODELS_PREFIX):
        found = _MODEL
    if found is not None and found.endpoint != "models":
        return found
    api = path.removeprefix(DECIDING_PREFIX)
    anthropic = api.startswith("/v1/messages") or "anthropic-version" in headers
    dialect: Dialect = "messages" if anthropic else "chat"
    if found is None:
        return Operation("other", dialect, "other", ())
    return Operation(found.endpoint, dialect, found.route, found.methods)


_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_document(error: GatewayError, dialect: Dialect, request_id: str) -> dict[str, object]:
    """Write an error as the JSON object that the dialect's SDKs parse."""
    if dialect == "messages":
        fallback = "invalid_request_error" if error.status < 500 else "api_error"
        kind = _ANTHROPIC_TYPES.get(error.status, fallback)
        details = {"error_code": error.code, **error.details}
        body = {"type": kind, "message": error.detail, "details": details}
        return {"type": "error", "error": body, "request_id": request_id}
    told = {
        "message": error.detail,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    return {"error": {**told, "details": error.details} if error.details else told}


def error_event(error: GatewayError, dialect: Dialect, request_id: str) -> bytes:
    """Write an error as the last event of a stream that has already begun.

    To be sent between two events. No `[DONE]`, no `finish_reason`: a client must never take a
    broken stream for a finished one.
    """
    document = error_document(error, dialect, request_id)
    if dialect == "responses":
        # The API's own event has the fields at the top; the SDKs raise only on an `error` object.
        document |= {"type": "error", "code": error.code, "message": error.detail}
        document |= {"param": error.param}
    name = "" if dialect in ("chat", "embeddings") else "event: error\n"
    return f"{name}data: {json.dumps(document, separators=(',', ':'))}\n\n".encode()


def keep_alive(dialect: Dialect) -> bytes:
    """Return bytes that keep a silent stream open and that no client takes for an event."""
    if dialect == "messages":
        return b'event: ping\ndata: {"type": "ping"}\n\n'
    return b": keep-alive\n\n"
