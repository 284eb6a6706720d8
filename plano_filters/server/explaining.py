"""`POST /-/explain`: what it is asked, and how a supervisor hands that on to a worker."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from plano_filters import jsonbody
from plano_filters.errors import BadRequest
from plano_filters.explain import DEFAULT_PATH, request_of
from plano_filters.messages import Request

_PARTS: Final = frozenset({"path", "headers", "body"})


def asked(raw: bytes) -> Request:
    """Read what is to be explained: `{"path", "headers", "body"}`, or the body of a chat request.

    Raises:
        BadRequest: The parts are not what they should be.
    """
    try:
        given = jsonbody.decode(raw)
    except BadRequest:
        return request_of(raw, headers={})  # the explanation says what is wrong with it
    if "body" not in given or not given.keys() <= _PARTS:
        return request_of(raw, headers={})
    path, headers = given.get("path", DEFAULT_PATH), given.get("headers", {})
    if not isinstance(path, str):
        raise BadRequest('"path" must be a string', param="path")
    if not isinstance(headers, dict) or not all(isinstance(v, str) for v in headers.values()):
        raise BadRequest('"headers" must be an object of strings', param="headers")
    try:
        return request_of(jsonbody.encode(given["body"]), path=path, headers=headers)
    except ValueError as error:
        raise BadRequest(str(error), param="headers") from None


def packed(request: Request) -> dict[str, Any]:
    """Write a request as JSON values."""
    body = base64.b64encode(request.body).decode()
    return {"path": request.path, "headers": dict(request.headers), "body": body}


def unpacked(values: Mapping[str, Any]) -> Request:
    """Read what `packed` wrote."""
    body = base64.b64decode(values["body"])
    return request_of(body, path=values["path"], headers=values["headers"])
