"""Prompts and answers on spans. Off, unless the document and the environment both ask for it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, Final

from plano_filters.config.document import Tracing
from plano_filters.exchange import Exchange
from plano_filters.messages import Response
from plano_filters.sse import DONE, Splitter
from plano_filters.telemetry import names

VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
LARGEST: Final = 64 * 1024
"""Bytes of one attribute."""


class Capture:
    """Records messages on the root span."""

    def __init__(self, tracing: Tracing, env: Mapping[str, str]) -> None:
        asked = env.get(VARIABLE, "NO_CONTENT").upper()
        self.on = tracing.capture_content and asked in ("SPAN_ONLY", "SPAN_AND_EVENT")

    def wrap(self, exchange: Exchange, response: Response) -> None:
        """Record the request's messages now and the answer's as it passes."""
        if not self.on:
            return
        messages = exchange.request.payload.get("messages") or exchange.request.payload.get("input")
        if messages is not None:
            exchange.span.set_attribute(names.INPUT_MESSAGES, _messages(messages))
        if isinstance(response.body, bytes):
            _record(exchange, _answer_text(response.body))
        else:
            response.body = _watched(exchange, response.body)


async def _watched(exchange: Exchange, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Pass chunks on as they are; collect the text beside."""
    splitter, pieces, size = Splitter(), list[str](), 0
    try:
        async for chunk in body:
            yield chunk
            for event in splitter.feed(chunk) if size < LARGEST else ():
                piece = _delta_text(event.data)
                pieces.append(piece)
                size += len(piece)
    finally:
        _record(exchange, "".join(pieces))
        close = getattr(body, "aclose", None)
        if close is not None:
            await close()


def _record(exchange: Exchange, text: str) -> None:
    if text:
        message = {"role": "assistant", "parts": [{"type": "text", "content": text}]}
        exchange.span.set_attribute(names.OUTPUT_MESSAGES, json.dumps([message])[:LARGEST])


def _messages(given: Any) -> str:
    listed = [{"role": "user", "content": given}] if isinstance(given, str) else given
    shown = []
    for message in listed if isinstance(listed, list) else []:
        if isinstance(message, dict):
            content = message.get("content")
            parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
            texts = [p.get("text") for p in parts if isinstance(p, dict) and p.get("text")]
            listed_parts = [{"type": "text", "content": text} for text in texts]
            shown.append({"role": message.get("role", "user"), "parts": listed_parts})
    return json.dumps(shown)[:LARGEST]


def _answer_text(body: bytes) -> str:
    """Return what an answer says, in whichever dialect; nothing of what cannot be read."""
    document = _decode(body)
    for choice in _objects(document.get("choices")):
        return _text(_object(choice.get("message")).get("content"))
    said = [document, *_objects(document.get("output"))]
    return "".join(_text(one.get("content")) for one in said)


def _delta_text(data: bytes) -> str:
    if not data or data == DONE:
        return ""
    document = _decode(data)
    for choice in _objects(document.get("choices")):
        return _text(_object(choice.get("delta")).get("content"))
    if document.get("type") == "response.function_call_arguments.delta":
        return ""
    delta = document.get("delta")
    return _text(delta if isinstance(delta, str) else _object(delta).get("text"))


def _text(content: object) -> str:
    """Return the words of a text, or of a list of parts."""
    if isinstance(content, str):
        return content
    texts = [part.get("text") for part in _objects(content)]
    return "".join(text for text in texts if isinstance(text, str))


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _decode(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
