"""The messages of MCP that a filter needs, without I/O.

Source: Model Context Protocol, revisions 2024-11-05 to 2025-11-25: lifecycle, tools, and the
transport "streamable HTTP".
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from plano_builtin_filters.remote.service import Passed, Refused, ServiceFailed
from plano_filters import BadRequest, jsonbody
from plano_filters.sse import Splitter

VERSION: Final = "2025-06-18"
"""The revision to ask for; a server answers with this one, or with one that it speaks."""


def initialize(number: int) -> bytes:
    """Write the request that begins a session."""
    about = {
        "protocolVersion": VERSION,
        "capabilities": {},
        "clientInfo": {"name": "plano-filters", "version": "1"},
    }
    return _message({"id": number, "method": "initialize", "params": about})


def initialized() -> bytes:
    """Write the notification that a session has begun."""
    return _message({"method": "notifications/initialized"})


def call(number: int, tool: str, body: bytes, path: str, *, text: bool) -> bytes:
    """Write the request that calls a filter's tool.

    Args:
        number: Of the request; unique in its session.
        tool: Name of the tool.
        body: What it is asked about.
        path: Of the client's request.
        text: Whether the body goes as a string: a part of a stream is no JSON.

    Raises:
        ServiceFailed: The body is to go as JSON and is none.
    """
    try:
        shown = body.decode("utf-8", "replace") if text else jsonbody.decode(body)
    except BadRequest:
        raise ServiceFailed("reply", "what it is to be shown is no JSON object") from None
    params = {"name": tool, "arguments": {"body": shown, "path": path}}
    return _message({"id": number, "method": "tools/call", "params": params})


def _message(fields: dict[str, Any]) -> bytes:
    return jsonbody.encode({"jsonrpc": "2.0", **fields})


class Reader:
    """Finds the answer to one request in what a server sends.

    Args:
        number: Of the request.
        media_type: `content-type` of the answer: JSON, or a stream of events in which other
            messages may come first.
        limit: Bytes to look at.
    """

    def __init__(self, number: int, media_type: str, limit: int) -> None:
        self._number = number
        self._stream = media_type.partition(";")[0].strip().lower() == "text/event-stream"
        self._splitter = Splitter()
        self._body = bytearray()
        self._size = 0
        self._limit = limit

    def feed(self, chunk: bytes) -> dict[str, Any] | None:
        """Take the next bytes; return the answer as soon as it is there.

        Raises:
            ServiceFailed: So much was sent that it is no answer.
        """
        self._size += len(chunk)
        if self._size > self._limit:
            raise ServiceFailed("reply", f"its answer is larger than {self._limit} bytes")
        if not self._stream:
            self._body += chunk
            return None
        for event in self._splitter.feed(chunk):
            found = self._match(event.data)
            if found is not None:
                return found
        return None

    def end(self) -> dict[str, Any]:
        """Return the answer, now that nothing more comes.

        Raises:
            ServiceFailed: There is none.
        """
        if self._stream:
            events = self._splitter.feed(b"\n\n")
            found = next(filter(None, (self._match(event.data) for event in events)), None)
        else:
            found = self._match(bytes(self._body))
        if found is None:
            raise ServiceFailed("reply", "it sent no answer to the call")
        return found

    def _match(self, data: bytes) -> dict[str, Any] | None:
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            return None
        known = isinstance(document, dict) and document.get("id") == self._number
        return document if known and ("result" in document or "error" in document) else None


def version(answer: dict[str, Any]) -> str:
    """Return the revision that a server chose.

    Raises:
        ServiceFailed: It refused, or said nothing that means anything.
    """
    chosen = _result(answer).get("protocolVersion")
    if not isinstance(chosen, str) or not chosen.isascii() or not chosen.isprintable():
        raise ServiceFailed("reply", "it named no version of the protocol")
    return chosen


def verdict(answer: dict[str, Any]) -> Passed | Refused:
    """Return what the tool answered: another body, or why not.

    Raises:
        ServiceFailed: The call failed, or the tool gave neither.
    """
    result = _result(answer)
    text = _text(result.get("content"))
    if result.get("isError"):
        return Refused(400, (text or "the filter refused it").encode())
    structured = result.get("structuredContent")
    if isinstance(structured, dict) and structured.keys() == {"result"}:
        return Passed(_body(structured["result"]))
    if text is None:
        raise ServiceFailed("reply", "its tool gave no content")
    return Passed(text.encode())


def _body(value: object) -> bytes:
    return value.encode() if isinstance(value, str) else jsonbody.encode(value)


def _text(content: object) -> str | None:
    first = content[0] if isinstance(content, list) and content else None
    text = first.get("text") if isinstance(first, dict) else None
    return text if isinstance(text, str) else None


def _result(answer: dict[str, Any]) -> dict[str, Any]:
    result = answer.get("result")
    if not isinstance(result, dict):
        error = answer.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        known = f" {code}" if isinstance(code, int) else ""
        raise ServiceFailed("reply", f"it answered with a JSON-RPC error{known}")
    return result
