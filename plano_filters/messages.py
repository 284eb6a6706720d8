"""One HTTP request and one HTTP response, as filters see them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders

from plano_filters import jsonbody
from plano_filters.dialect import Dialect, error_document
from plano_filters.errors import GatewayError

_EMPTY: Mapping[str, Any] = MappingProxyType({})
_PLAIN: Final = " !\"#$&'()*+,/:;<=>?@[]^`{|}"
"""Stays as it is in a header, besides letters, digits and `_.-~`."""


@dataclass(slots=True)
class Request:
    """A whole request. Filters read `payload` and change it with `edit`."""

    method: str
    path: str
    """Percent-decoded, without the query string."""
    headers: MutableHeaders
    body: bytes = b""
    """The bytes to send on: the client's own, but for what was edited."""
    query: str = ""
    """The query string as the client wrote it, without `?`."""
    client: str | None = None
    """The peer's address."""
    scheme: str = "http"
    """How it came: `http` or `https`."""
    http_version: str = "1.1"
    _payload: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def payload(self) -> Mapping[str, Any]:
        """The body as a JSON object, decoded once and read-only. Empty if there is no body.

        Raises:
            BadRequest: The body is not a JSON object.
        """
        if self._payload is None:
            if not self.body:
                return _EMPTY
            self._payload = jsonbody.decode(self.body)
        return MappingProxyType(self._payload)

    @property
    def model(self) -> str:
        """The `model` field; empty when absent, null or not a string."""
        value = self.payload.get("model")
        return value if isinstance(value, str) else ""

    @property
    def stream(self) -> bool:
        """Whether the client asked for a stream of events."""
        return self.payload.get("stream") is True

    def edit(self, **fields: object) -> None:
        """Replace or add top-level fields of the body. Every other byte stays as it is."""
        current = self.payload
        changes = {name: value for name, value in fields.items() if _differs(current, name, value)}
        if changes:
            self.body = jsonbody.edit(self.body or b"{}", changes)
            self._payload = {**current, **changes}

    def remove(self, *names: str) -> None:
        """Remove top-level fields of the body. Absent ones are ignored."""
        current = self.payload
        gone = frozenset(name for name in names if name in current)
        if gone:
            self.body = jsonbody.edit(self.body, {}, gone)
            self._payload = {name: value for name, value in current.items() if name not in gone}

    def copy(self) -> Request:
        """Return a request that can be edited without changing this one."""
        headers = MutableHeaders(raw=list(self.headers.raw))
        payload = self._payload  # edit and remove replace it, never change it
        return Request(
            self.method,
            self.path,
            headers,
            self.body,
            self.query,
            self.client,
            self.scheme,
            self.http_version,
            payload,
        )


@dataclass(slots=True)
class Response:
    """A response: its head, and its body as bytes or as an iterator of chunks.

    A filter that must see chunks wraps the iterator, `response.body = counted(response.body)`, and
    must not buffer.
    """

    status: int
    headers: MutableHeaders
    body: bytes | AsyncIterator[bytes] = b""
    error: GatewayError | None = None
    """What this response reports, if it is the gateway's own error."""

    @property
    def event_stream(self) -> bool:
        """Whether the body is server-sent events."""
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @classmethod
    def from_json(cls, value: object, *, status: int = 200) -> Response:
        """Answer with a JSON document."""
        headers = MutableHeaders({"content-type": "application/json"})
        return cls(status, headers, json.dumps(value, separators=(",", ":")).encode())

    @classmethod
    def from_error(cls, error: GatewayError, dialect: Dialect, request_id: str) -> Response:
        """Answer with an error in the caller's dialect."""
        response = cls.from_json(error_document(error, dialect, request_id), status=error.status)
        response.headers.update(error.headers)
        response.headers["x-plano-error-source"] = error.source
        response.error = error
        return response


def header_text(text: str) -> str:
    """Write a name as a header can carry it: what is not ASCII is percent-encoded."""
    return quote(text.strip(), safe=_PLAIN)


def _differs(payload: Mapping[str, Any], name: str, value: object) -> bool:
    if name not in payload:
        return True
    current = payload[name]
    return type(current) is not type(value) or current != value


__all__ = ["Headers", "MutableHeaders", "Request", "Response", "header_text"]
