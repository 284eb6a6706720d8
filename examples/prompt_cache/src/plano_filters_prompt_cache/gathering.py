"""From the events of a stream to the document that the same question would be answered with.

What is not known cannot be put together: then there is no document, and nothing is kept.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any, Final

from plano_filters import Dialect, Event, Splitter
from plano_filters.sse import DONE


class Unknown(Exception):
    """An event means nothing to us, or a stream has gone wrong."""


class Gathering(ABC):
    """The document of one stream, as far as it has come."""

    def __init__(self) -> None:
        self.done = False
        """Whether the stream has said that it is whole."""

    @abstractmethod
    def take(self, data: dict[str, Any]) -> None:
        """Take the next event.

        Raises:
            Unknown: It cannot be put into a document.
        """

    @abstractmethod
    def document(self) -> dict[str, Any]:
        """Return the document; only when `done`.

        Raises:
            Unknown: Parts of it have not come.
        """


class Recorder:
    """Reads a stream beside its way to the client.

    Args:
        dialect: Of the stream.
        limit: Bytes; a longer one is not recorded.
    """

    def __init__(self, dialect: Dialect, limit: int) -> None:
        self._splitter = Splitter()
        kind = _GATHERINGS.get(dialect)
        self._gathering = kind() if kind is not None else None
        self._left = limit

    def take(self, chunk: bytes) -> None:
        """Take the next bytes, wherever they were cut."""
        if self._gathering is None:
            return
        self._left -= len(chunk)
        try:
            if self._left < 0:
                raise Unknown
            for event in self._splitter.feed(chunk):
                _take(self._gathering, event)
        except (Unknown, ValueError, KeyError, IndexError, TypeError, AttributeError):
            self._gathering = None  # not an answer as the API describes it

    def body(self) -> bytes | None:
        """Return the plain answer; None if the stream did not come to its proper end."""
        if self._gathering is None or not self._gathering.done or self._splitter.rest:
            return None
        try:
            document = self._gathering.document()
        except (Unknown, ValueError, KeyError):
            return None
        return json.dumps(document, separators=(",", ":")).encode()


def _take(gathering: Gathering, event: Event) -> None:
    if event.data == DONE:
        gathering.done = True
    elif event.data:
        gathering.take(json.loads(event.data))


class Chat(Gathering):
    """OpenAI's chat completions."""

    _TEXTS: Final = ("content", "refusal", "reasoning_content", "reasoning")

    def __init__(self) -> None:
        super().__init__()
        self._head: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self._finished: set[int] = set()

    def take(self, data: dict[str, Any]) -> None:
        if data.get("error"):
            raise Unknown
        for name, value in data.items():
            if name not in ("choices", "obfuscation") and value is not None:
                self._head[name] = value
        for part in data.get("choices") or ():
            number = part["index"]
            choice = self._choices.setdefault(
                number,
                {"index": number, "message": {"role": "assistant", "content": None}},
            )
            if part.get("logprobs") is not None:
                raise Unknown
            self._delta(choice["message"], part.get("delta") or {})
            if part.get("finish_reason") is not None:
                choice["finish_reason"] = part["finish_reason"]
                self._finished.add(number)

    def _delta(self, message: dict[str, Any], delta: dict[str, Any]) -> None:
        for name, value in delta.items():
            if name in self._TEXTS and isinstance(value, str):
                message[name] = (message.get(name) or "") + value
            elif name == "tool_calls":
                for call in value or ():
                    self._call(message.setdefault("tool_calls", []), call)
            elif name != "role" and value is not None:
                raise Unknown

    @staticmethod
    def _call(calls: list[dict[str, Any]], part: dict[str, Any]) -> None:
        if part["index"] == len(calls):
            calls.append({"id": part["id"], "type": "function", "function": {"arguments": ""}})
        function, new = calls[part["index"]]["function"], part.get("function") or {}
        if new.get("name"):
            function["name"] = new["name"]
        function["arguments"] += new.get("arguments") or ""

    def document(self) -> dict[str, Any]:
        if not self._choices or self._finished != self._choices.keys():
            raise Unknown
        choices = [self._choices[number] for number in sorted(self._choices)]
        return {**self._head, "object": "chat.completion", "choices": choices}


class Messages(Gathering):
    """Anthropic's messages."""

    _TEXTS: Final = {
        "text_delta": "text",
        "thinking_delta": "thinking",
        "signature_delta": "signature",
    }

    def __init__(self) -> None:
        super().__init__()
        self._message: dict[str, Any] = {}
        self._blocks: list[dict[str, Any]] = []
        self._inputs: dict[int, str] = {}

    def take(self, data: dict[str, Any]) -> None:
        match data["type"]:
            case "message_start":
                self._message = dict(data["message"])
            case "content_block_start":
                self._blocks.append(dict(data["content_block"]))
            case "content_block_delta":
                self._delta(data["index"], data["delta"])
            case "message_delta":
                self._message |= data["delta"]
                self._message["usage"] = {**self._message["usage"], **(data.get("usage") or {})}
            case "message_stop":
                self.done = True
            case "content_block_stop" | "ping":
                pass
            case _:
                raise Unknown

    def _delta(self, number: int, delta: dict[str, Any]) -> None:
        block, kind = self._blocks[number], delta["type"]
        if kind == "input_json_delta":
            self._inputs[number] = self._inputs.get(number, "") + delta["partial_json"]
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
        elif kind in self._TEXTS:
            name = self._TEXTS[kind]
            block[name] = (block.get(name) or "") + delta[name]
        else:
            raise Unknown

    def document(self) -> dict[str, Any]:
        for number, text in self._inputs.items():
            self._blocks[number]["input"] = json.loads(text) if text else {}
        return {**self._message, "content": self._blocks}


class Responses(Gathering):
    """OpenAI's Responses API, whose last event has the whole answer."""

    def __init__(self) -> None:
        super().__init__()
        self._response: dict[str, Any] = {}

    def take(self, data: dict[str, Any]) -> None:
        if data["type"] == "response.completed":
            self._response, self.done = data["response"], True
        elif data["type"] in ("error", "response.failed", "response.incomplete"):
            raise Unknown

    def document(self) -> dict[str, Any]:
        return self._response


_GATHERINGS: Final[dict[str, type[Gathering]]] = {
    "chat": Chat, "messages": Messages, "responses": Responses,
}  # fmt: skip
