"""A provider's error, read in whichever shape it has, to be said again in another dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from plano_filters import GatewayError, UpstreamFailed

LONGEST: Final = 2000
"""Characters of an error of no known shape that are passed on."""
_MEANT: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "timeout_error": 504,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "api_error": 500,
    "server_error": 500,
    "overloaded_error": 529,
}
"""The status that a type or a code stands for, where an error comes without one: in a stream."""
_TYPES: Final[Mapping[int, str]] = {403: "permission_error", 429: "rate_limit_exceeded"}
_CODES: Final[Mapping[int, str]] = {
    401: "invalid_api_key",
    404: "model_not_found",
    429: "rate_limit_exceeded",
}
"""What OpenAI's clients look for, where the provider gives no code of its own."""
_TOO_LONG: Final = ("prompt is too long", "exceed context limit", "Input is too long")
"""How Anthropic and AWS say what OpenAI gives a code of its own."""


def reported(document: Mapping[str, Any], status: int | None = None) -> GatewayError:
    """Return a provider's error as one that can be written in any dialect.

    Message, code and parameter are the provider's own; the type is that of the status.

    Args:
        document: The error, decoded: OpenAI's shape, Anthropic's, or another.
        status: That it came with; of an event in a stream there is none.
    """
    inner = document.get("error")
    found: Mapping[str, Any] = inner if isinstance(inner, dict) else document
    message = _text(found.get("message")) or _text(inner) or _text(document.get("detail"))
    if message is None:
        message = orjson.dumps(dict(document)).decode()[:LONGEST]
    own = _text(found.get("type")) or _text(found.get("status"))
    own = own if own != "error" else None
    code = _code(found)
    status = status or _status(own, code, found.get("code"))
    error = UpstreamFailed(message, param=_text(found.get("param")))
    error.status = status
    error.type = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    if code is None and any(part in message for part in _TOO_LONG):
        code = "context_length_exceeded"
    error.code = code or _CODES.get(status) or own or error.code
    return error


def request_id(document: Mapping[str, Any]) -> str | None:
    """Return the provider's id of the failed request, if its body has one."""
    found = _text(document.get("request_id"))
    return found if found is not None and found.isascii() and found.isprintable() else None


def _code(found: Mapping[str, Any]) -> str | None:
    details = found.get("details")
    inner = _text(details.get("error_code")) if isinstance(details, dict) else None
    return inner or _text(found.get("code"))


def _status(own: str | None, code: str | None, raw: object) -> int:
    if isinstance(raw, int) and 400 <= raw <= 599:
        return raw
    return _MEANT.get(code or "") or _MEANT.get(own or "") or UpstreamFailed.status


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
