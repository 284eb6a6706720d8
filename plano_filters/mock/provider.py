"""The mock as a transport: requests in, answers out, streams with a visible delay."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import httpx

from plano_filters.mock import core, messages, responses
from plano_filters.mock.script import Script

REMEMBERED: Final = 1024
"""Request ids whose attempts are counted."""

Document = Callable[[Mapping[str, Any], str], dict[str, Any]]
Events = Callable[[Mapping[str, Any], str], list[bytes]]

_ENDPOINTS: Final[dict[str, tuple[Document, Events | None]]] = {
    "/v1/chat/completions": (core.chat, core.chat_events),
    "/v1/responses": (responses.document, responses.events),
    "/v1/messages": (messages.document, messages.events),
    "/v1/messages/count_tokens": (messages.count, None),
    "/v1/embeddings": (core.embeddings, None),
}


class MockProvider(httpx.AsyncBaseTransport):
    """A provider in this process, with OpenAI's and Anthropic's APIs.

    It fails as a request's headers say:

    | header | effect |
    | --- | --- |
    | `x-mock-status: 429` | every try is answered so |
    | `x-mock-status: 429,200` | one status per try of the same `x-request-id`; the last repeats |
    | `x-mock-retry-after: 1` | an error says when to come back |
    | `x-mock-connect-error: 1` | no connection |
    | `x-mock-cut-after: 3` | a stream breaks off after so many events |
    | `x-mock-first-byte-ms: 500` | nothing comes for so long |
    | `x-mock-delay-ms: 0` | pause between two events, and before a plain answer; 30 unless given |
    | `x-mock-model: fast` | all but the pause is for this model alone, so that another stands in |
    """

    def __init__(self) -> None:
        self._attempts: OrderedDict[str, int] = OrderedDict()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/v1/models" and request.method == "GET":
            return httpx.Response(200, json=core.models())
        endpoint = _ENDPOINTS.get(path)
        if endpoint is None or request.method != "POST":
            return _error(path, 404, f"the mock does not serve {request.method} {path}")
        payload = _payload(await request.aread())
        if payload is None:
            return _error(path, 400, "the body is no JSON object")
        return await self._serve(request, endpoint, payload)

    async def _serve(
        self,
        request: httpx.Request,
        endpoint: tuple[Document, Events | None],
        payload: dict[str, Any],
    ) -> httpx.Response:
        model, path = str(payload.get("model", "mock")), request.url.path
        script = Script.read(request.headers, model, self._attempt(request, model))
        if script.connect_error:
            raise httpx.ConnectError("the mock was asked to refuse the connection")
        await asyncio.sleep(script.first_byte)
        if script.status >= 300:
            failed = _error(path, script.status)
            if script.retry_after:
                failed.headers["retry-after"] = script.retry_after
            return failed
        document, events = endpoint
        try:
            if payload.get("stream") is True and events is not None:
                return _streamed(events(payload, model), script)
            whole = document(payload, model)
        except messages.Refused as refused:
            return _error(path, 400, str(refused))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            return _error(path, 400, "the request does not follow the API")
        await asyncio.sleep(script.delay)
        return httpx.Response(200, json=whole)

    def _attempt(self, request: httpx.Request, model: str) -> int:
        """Count the tries of one request id; with `x-mock-model`, only those of that model.

        A request without an id is always a first try.
        """
        key = request.headers.get("x-request-id")
        if key is None or request.headers.get("x-mock-model", model) != model:
            return 1
        count = self._attempts.pop(key, 0) + 1
        self._attempts[key] = count
        while len(self._attempts) > REMEMBERED:
            self._attempts.popitem(last=False)
        return count


class _Stream(httpx.AsyncByteStream):
    def __init__(self, events: list[bytes], script: Script) -> None:
        self._events = events
        self._script = script

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for number, event in enumerate(self._events):
            if number == self._script.cut_after:
                raise httpx.ReadError("the mock was asked to break off")
            yield event
            await asyncio.sleep(self._script.delay)


def _streamed(events: list[bytes], script: Script) -> httpx.Response:
    headers = {"content-type": "text/event-stream"}
    return httpx.Response(200, headers=headers, stream=_Stream(events, script))


def _payload(body: bytes) -> dict[str, Any] | None:
    try:
        payload = json.loads(body)
    except ValueError:
        return None
    return payload if isinstance(payload, dict) else None


def _error(path: str, status: int, message: str = "") -> httpx.Response:
    write = messages.error if path.startswith("/v1/messages") else core.error
    return httpx.Response(status, json=write(status, message))
