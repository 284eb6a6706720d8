"""An answer of a Messages API as a chat completion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from plano_filters.translation.base import Document, Stream
from plano_filters.translation.chat_to_messages.stream import ChatStream
from plano_filters.translation.chat_to_messages.words import (
    completion_id,
    finish_reason,
    refusal,
    service_tier,
    string,
    usage,
)
from plano_filters.translation.custom import arguments, custom_input

_WEB: Final = "web_search_result_location"


@dataclass(frozen=True, slots=True)
class MessagesAnswers:
    """Translates what a Messages API answers to one request."""

    custom: frozenset[str]
    """The names of the custom tools of the request."""
    include_usage: bool
    """Whether the client wants a stream to end with the usage."""
    now: Callable[[], float]
    """Says when it is, in seconds since 1970."""

    def whole(self, document: Mapping[str, Any]) -> Document:
        """Translate a whole answer."""
        message, called = self._message(document)
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": finish_reason(document.get("stop_reason"), called=called),
        }
        made: Document = {
            "id": completion_id(document),
            "object": "chat.completion",
            "created": int(self.now()),
            "model": string(document, "model"),
            "choices": [choice],
        }
        spent = document.get("usage")
        if isinstance(spent, dict) and spent:
            made["usage"] = usage(spent)
            made |= service_tier(spent)
        return made

    def stream(self) -> Stream:
        """Return a translator of one stream."""
        return ChatStream(self.custom, int(self.now()), include_usage=self.include_usage)

    def _message(self, document: Mapping[str, Any]) -> tuple[Document, bool]:
        """Return the message, and whether it has calls."""
        said, thought, length = [], [], 0
        calls: list[Document] = []
        cited: list[Document] = []
        for block in _blocks(document):
            kind = block.get("type")
            if kind == "text":
                text = string(block, "text")
                cited += _citations(block, length, length + len(text))
                said.append(text)
                length += len(text)
            elif kind == "thinking":
                thought.append(string(block, "thinking"))
            elif kind == "tool_use":
                calls.append(self._call(block))
        content = "".join(said)
        message: Document = {
            "role": "assistant",
            "content": None if calls and not content else content,
            "refusal": refusal(document),
        }
        if any(thought):
            message["reasoning_content"] = "".join(thought)
        if cited:
            message["annotations"] = cited
        if calls:
            message["tool_calls"] = calls
        return message, bool(calls)

    def _call(self, block: Mapping[str, Any]) -> Document:
        name, value = string(block, "name"), block.get("input") or {}
        if name in self.custom:
            body = {"name": name, "input": custom_input(value)}
            return {"id": string(block, "id"), "type": "custom", "custom": body}
        function = {"name": name, "arguments": arguments(value)}
        return {"id": string(block, "id"), "type": "function", "function": function}


def _blocks(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = document.get("content")
    return [b for b in content if isinstance(b, dict)] if isinstance(content, list) else []


def _citations(block: Mapping[str, Any], start: int, end: int) -> list[Document]:
    """Return the pages of the web that a text names; OpenAI has no word for other sources."""
    citations = block.get("citations")
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": start,
                "end_index": end,
                "title": string(citation, "title"),
                "url": string(citation, "url"),
            },
        }
        for citation in (citations if isinstance(citations, list) else [])
        if isinstance(citation, dict) and citation.get("type") == _WEB
    ]
