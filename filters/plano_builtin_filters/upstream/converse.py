"""AWS's Converse as if it were a Messages API: its answers, errors and frames."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import httpx

from plano_builtin_filters.upstream.attempt import MAX_ANSWER
from plano_filters.jsonbody import encode
from plano_filters.sse import event
from plano_filters.translation import messages_to_converse

FRAMES: Final = "application/vnd.amazon.eventstream"


class ConverseTransport(httpx.AsyncBaseTransport):
    """Sends requests to Converse, and makes their answers those of a Messages API.

    Args:
        inner: Towards the provider.
        model: The model that is asked; answers do not name it.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, model: str) -> None:
        self._inner = inner
        self._model = model

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if not isinstance(response.stream, httpx.AsyncByteStream):
            raise TypeError("the transport gave a synchronous body")
        headers = response.headers.copy()
        answer_id = f"msg_{headers.get('x-amzn-requestid', request.headers['x-request-id'])}"
        framed = headers.get("content-type", "").lower().startswith(FRAMES)
        stream: httpx.AsyncByteStream
        if framed and response.status_code < 300:
            headers["content-type"] = "text/event-stream"
            events = messages_to_converse.ConverseStream(answer_id=answer_id, model=self._model)
            stream = _Events(response.stream, events)
        else:
            stream = _Whole(response.stream, response.status_code, answer_id, self._model)
        return httpx.Response(response.status_code, headers=headers, stream=stream)


class _Events(httpx.AsyncByteStream):
    """A stream of frames as one of events."""

    def __init__(
        self, inner: httpx.AsyncByteStream, events: messages_to_converse.ConverseStream
    ) -> None:
        self._inner = inner
        self._events = events

    async def __aiter__(self) -> AsyncIterator[bytes]:
        frames = messages_to_converse.Frames()
        try:
            async for chunk in self._inner:
                for frame in frames.feed(chunk):
                    for document in self._events.take(frame):
                        yield event(encode(document), document["type"])
        except messages_to_converse.BrokenFrame as error:
            raise httpx.RemoteProtocolError(str(error)) from error
        if frames.torn:
            raise httpx.RemoteProtocolError("the stream ended in the middle of a frame")

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Whole(httpx.AsyncByteStream):
    """An answer, or an error, that is translated once it is there."""

    def __init__(
        self, inner: httpx.AsyncByteStream, status: int, answer_id: str, model: str
    ) -> None:
        self._inner = inner
        self._status = status
        self._id = answer_id
        self._model = model

    async def __aiter__(self) -> AsyncIterator[bytes]:
        body = bytearray()
        async for chunk in self._inner:
            body += chunk
            if len(body) > MAX_ANSWER:
                raise httpx.RemoteProtocolError("the answer is too large")
            yield b""  # whoever waits for the whole sees that it is coming
        yield self._translated(bytes(body))

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _translated(self, body: bytes) -> bytes:
        """Return what a Messages API would have said; what is no JSON object stays as it is."""
        document = messages_to_converse.read(body)
        if not document:
            return body
        if self._status >= 300:
            return encode(messages_to_converse.failure(document, self._status))
        answer = messages_to_converse.whole(document, answer_id=self._id, model=self._model)
        return encode(answer or messages_to_converse.failure(document, 502))
