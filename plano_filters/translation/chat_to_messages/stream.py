"""A stream of a Messages API as the chunks of a chat completion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from plano_filters.translation.base import Document
from plano_filters.translation.chat_to_messages.words import (
    completion_id,
    finish_reason,
    refusal,
    string,
    usage,
)
from plano_filters.translation.custom import CustomInput, arguments, custom_input


class ChatStream:
    """Translates one stream of events.

    Args:
        custom: The names of the custom tools of the request.
        created: When the answer began, in seconds since 1970.
        include_usage: Whether the client wants the usage at the end.
    """

    def __init__(self, custom: frozenset[str], created: int, *, include_usage: bool) -> None:
        self._custom = custom
        self._include_usage = include_usage
        self._head: Document = {
            "id": completion_id({}),
            "object": "chat.completion.chunk",
            "created": created,
            "model": "",
        }
        self._begun = False
        self._called = 0
        self._open: dict[object, _Call] = {}
        """Calls that still get input, by the index of their block."""
        self._reason: str | None = None
        self._usage: Document = {}

    def take(self, event: Mapping[str, Any]) -> list[Document]:
        """Take the next event of the provider; return the chunks the client gets for it."""
        kind = event.get("type")
        if self._reason:  # nothing may follow it but the usage
            self._spend(event.get("usage") if kind == "message_delta" else None)
            return []
        handle = self._HANDLERS.get(kind) if isinstance(kind, str) else None
        return handle(self, event) if handle else []

    def finish(self) -> list[Document]:
        """Return what is still missing of a proper end, and the usage if the client wants it."""
        chunks = [] if self._reason else self._finish(None)
        if self._include_usage and self._usage:
            chunks.append({**self._head, "choices": [], "usage": usage(self._usage)})
        return chunks

    def _delta(self, event: Mapping[str, Any]) -> list[Document]:
        delta = event.get("delta")
        if not isinstance(delta, dict):
            return []
        kind = delta.get("type")
        if kind == "text_delta":
            return self._text("content", delta.get("text"))
        if kind == "input_json_delta":
            call = self._open.get(_index(event))
            piece = delta.get("partial_json")
            if call is None or not piece or not isinstance(piece, str):
                return []
            call.fed = True
            return self._input(call, call.reader.feed(piece) if call.reader else piece)
        if kind == "thinking_delta":
            return self._text("reasoning_content", delta.get("thinking"))
        return []

    def _text(self, name: str, text: object) -> list[Document]:
        return self._chunks({name: text}) if text and isinstance(text, str) else []

    def _block(self, event: Mapping[str, Any]) -> list[Document]:
        block = event.get("content_block")
        if not isinstance(block, dict):
            return []
        kind = block.get("type")
        if kind == "text":  # empty as a rule; what is not must not be lost
            return self._text("content", block.get("text"))
        if kind == "thinking":
            return self._text("reasoning_content", block.get("thinking"))
        if kind != "tool_use":
            return []
        name = string(block, "name")
        call = _Call(self._called, name in self._custom, block.get("input"))
        self._called += 1
        index = _index(event)
        before = self._open.pop(index, None)
        self._open[index] = call
        opening: Document = {"index": call.position, "id": string(block, "id")}
        if call.reader:
            opening |= {"type": "custom", "custom": {"name": name, "input": ""}}
        else:
            opening |= {"type": "function", "function": {"name": name, "arguments": ""}}
        return (self._close(before) if before else []) + self._chunks({"tool_calls": [opening]})

    def _input(self, call: _Call, piece: str) -> list[Document]:
        if not piece:
            return []
        body = {"custom": {"input": piece}} if call.reader else {"function": {"arguments": piece}}
        return self._chunks({"tool_calls": [{"index": call.position, **body}]})

    def _stop(self, event: Mapping[str, Any]) -> list[Document]:
        call = self._open.pop(_index(event), None)
        return self._close(call) if call else []

    def _close(self, call: _Call) -> list[Document]:
        """End a call. One without input gets an empty object: clients parse the whole as JSON."""
        if call.fed:
            return self._input(call, call.reader.end() if call.reader else "")
        write = custom_input if call.reader else arguments
        return self._input(call, write(call.given or {}))

    def _start(self, event: Mapping[str, Any]) -> list[Document]:
        message = event.get("message")
        if isinstance(message, dict) and not self._begun:
            self._head["id"] = completion_id(message)
            self._head["model"] = string(message, "model")
            self._spend(message.get("usage"))
        return [] if self._begun else self._first()

    def _end(self, event: Mapping[str, Any]) -> list[Document]:
        self._spend(event.get("usage"))
        delta = event.get("delta")
        if not isinstance(delta, dict) or not delta.get("stop_reason"):
            return []
        explained = self._text("refusal", refusal(delta))
        return explained + self._finish(delta["stop_reason"])

    def _finish(self, stop_reason: object) -> list[Document]:
        chunks = [chunk for call in self._open.values() for chunk in self._close(call)]
        self._reason = finish_reason(stop_reason, called=self._called > 0)
        chunks += self._chunks({})
        chunks[-1]["choices"][0]["finish_reason"] = self._reason
        return chunks

    def _spend(self, spent: object) -> None:
        """Merge usage: later events say all that was spent so far, not what was added."""
        if isinstance(spent, dict):
            self._usage |= {name: value for name, value in spent.items() if value is not None}

    def _first(self) -> list[Document]:
        self._begun = True
        return self._chunks({"role": "assistant", "content": ""})

    def _chunks(self, delta: Document) -> list[Document]:
        chunk: Document = {
            **self._head,
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}],
        }
        if self._include_usage:
            chunk["usage"] = None
        return [chunk] if self._begun else [*self._first(), chunk]

    _HANDLERS: ClassVar[dict[str, Callable[[ChatStream, Mapping[str, Any]], list[Document]]]] = {
        "message_start": _start,
        "content_block_start": _block,
        "content_block_delta": _delta,
        "content_block_stop": _stop,
        "message_delta": _end,
    }
    """By the type of the event. All others say nothing to a chat client."""


class _Call:
    """A call whose input arrives."""

    __slots__ = ("fed", "given", "position", "reader")

    def __init__(self, position: int, custom: bool, given: object) -> None:
        self.position = position
        self.reader = CustomInput() if custom else None
        self.given = given
        """Its input, from providers that send it with the start of the block."""
        self.fed = False


def _index(event: Mapping[str, Any]) -> object:
    """Return the index of a block; one that is none is like the others that are none."""
    index = event.get("index")
    return index if isinstance(index, int) else None
