"""A stream of Converse as the events of a Messages API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from plano_filters.translation.base import Document
from plano_filters.translation.messages_to_converse.answer import (
    called,
    failure,
    head,
    inner,
    read,
    stop_reason,
    usage,
)
from plano_filters.translation.messages_to_converse.framing import BrokenFrame, Frame

_EXCEPTIONS: Final[Mapping[str, int]] = {
    "validationException": 400,
    "accessDeniedException": 403,
    "resourceNotFoundException": 404,
    "modelTimeoutException": 504,
    "throttlingException": 429,
    "serviceUnavailableException": 529,
}
"""The status that an exception stands for: in a stream it comes without one. Else 500."""


class ConverseStream:
    """Translates the frames of one stream.

    The end is held until the usage is known, which Converse tells last: a stream without it was
    cut.

    Args:
        answer_id: Names the answer; Converse does not.
        model: As it was asked.
    """

    def __init__(self, *, answer_id: str, model: str) -> None:
        self._head = head(answer_id, model)
        self._open: dict[object, int] = {}
        """Our indices of the blocks that have begun and not ended, by the provider's."""
        self._blocks = 0
        self._stop: str | None = None

    def take(self, frame: Frame) -> list[Document]:
        """Take a frame; return the events that stand for it.

        Raises:
            BrokenFrame: It is no JSON: part of the answer would be missing in silence.
        """
        headers = frame.headers
        document = read(frame.payload)
        if headers.get(":message-type", "event") != "event":
            kind = headers.get(":exception-type") or headers.get(":error-code") or ""
            said = document or {"message": headers.get(":error-message")}
            return [failure(said, _EXCEPTIONS.get(kind[:1].lower() + kind[1:], 500))]
        if not document:
            raise BrokenFrame("a frame's payload is no JSON object")
        handler = self._HANDLERS.get(headers.get(":event-type", ""))
        return handler(self, document) if handler is not None else []

    def _start(self, _: Mapping[str, Any]) -> list[Document]:
        # The API wants a count here; the real one comes with the end.
        message = {**self._head, "usage": {"input_tokens": 0, "output_tokens": 0}}
        return [{"type": "message_start", "message": message}]

    def _begin(self, document: Mapping[str, Any]) -> list[Document]:
        use = inner(inner(document, "start"), "toolUse")
        if not use:
            return []  # a text begins with its first piece
        return self._opened(document, called(use))

    def _delta(self, document: Mapping[str, Any]) -> list[Document]:
        delta = inner(document, "delta")
        thought = inner(delta, "reasoningContent")
        if isinstance(delta.get("text"), str):
            block: Document = {"type": "text", "text": ""}
            made: Document | None = {"type": "text_delta", "text": delta["text"]}
        elif "toolUse" in delta:
            block = called({})
            given = inner(delta, "toolUse").get("input") or ""
            made = {"type": "input_json_delta", "partial_json": given}
        elif "redactedContent" in thought:
            block = {"type": "redacted_thinking", "data": thought["redactedContent"]}
            made = None
        elif thought:
            block = {"type": "thinking", "thinking": "", "signature": ""}
            made = (
                {"type": "signature_delta", "signature": thought["signature"]}
                if thought.get("signature")
                else {"type": "thinking_delta", "thinking": thought.get("text") or ""}
            )
        else:
            return []
        theirs = document.get("contentBlockIndex")
        events = [] if theirs in self._open else self._opened(document, block)
        if made is not None:
            index = self._open[theirs]
            events.append({"type": "content_block_delta", "index": index, "delta": made})
        return events

    def _opened(self, document: Mapping[str, Any], block: Document) -> list[Document]:
        index = self._open[document.get("contentBlockIndex")] = self._blocks
        self._blocks += 1
        return [{"type": "content_block_start", "index": index, "content_block": block}]

    def _close(self, document: Mapping[str, Any]) -> list[Document]:
        index = self._open.pop(document.get("contentBlockIndex"), None)
        return [] if index is None else [{"type": "content_block_stop", "index": index}]

    def _stopped(self, document: Mapping[str, Any]) -> list[Document]:
        self._stop = stop_reason(document)
        left = [{"type": "content_block_stop", "index": index} for index in self._open.values()]
        self._open.clear()
        return left

    def _end(self, document: Mapping[str, Any]) -> list[Document]:
        if self._stop is None:
            return []
        delta = {"stop_reason": self._stop, "stop_sequence": None}
        last = {"type": "message_delta", "delta": delta, "usage": usage(document)}
        return [last, {"type": "message_stop"}]

    _HANDLERS: ClassVar[
        dict[str, Callable[[ConverseStream, Mapping[str, Any]], list[Document]]]
    ] = {
        "messageStart": _start,
        "contentBlockStart": _begin,
        "contentBlockDelta": _delta,
        "contentBlockStop": _close,
        "messageStop": _stopped,
        "metadata": _end,
    }
    """By the type of the event. Others say nothing yet."""
