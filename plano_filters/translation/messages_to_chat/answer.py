"""A whole chat completion becomes an Anthropic message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plano_filters import jsonbody
from plano_filters.errors import BadRequest
from plano_filters.translation import heard
from plano_filters.translation.base import Document, Stream
from plano_filters.translation.messages_to_chat.names import Names
from plano_filters.translation.messages_to_chat.outcome import (
    arguments_of,
    ending,
    message_id,
    new_call_id,
    stop_reason,
    usage_of,
)
from plano_filters.translation.messages_to_chat.stream import ChatStream


class ChatAnswers:
    """Translates the answer of a chat provider for a client that speaks Anthropic.

    Args:
        model: What the answer calls the model if the provider does not say.
        names: Of the tools in the request.
        thoughts: Whether the client gets what the model thought. Without a signature Anthropic
            refuses to read it again, so only for providers that want it back.
    """

    def __init__(self, model: str, names: Names, *, thoughts: bool) -> None:
        self._model = model
        self._names = names
        self._thoughts = thoughts

    def whole(self, document: Mapping[str, Any]) -> Document:
        """Translate a whole answer. What cannot be read is left out."""
        choice = heard.first_choice(document)
        found = choice.get("message")
        message = found if isinstance(found, Mapping) else {}
        refusal = heard.said(message.get("refusal"))
        calls = self._calls(message.get("tool_calls"))
        content: list[Document] = []
        thought = heard.thought(message) if self._thoughts else ""
        if thought:
            content.append({"type": "thinking", "thinking": thought, "signature": ""})
        content += [
            {"type": "text", "text": text}
            for text in (heard.said(message.get("content")), refusal)
            if text
        ]
        reason = stop_reason(choice.get("finish_reason"), called=bool(calls), refused=bool(refusal))
        model = document.get("model")
        return {
            "id": message_id(document.get("id")),
            "type": "message",
            "role": "assistant",
            "model": model if isinstance(model, str) and model else self._model,
            "content": content + calls,
            **ending(reason, refusal),
            "usage": usage_of(document.get("usage")),
        }

    def stream(self) -> Stream:
        """Return a translator of one stream."""
        return ChatStream(self._model, self._names, thoughts=self._thoughts)

    def _calls(self, calls: object) -> list[Document]:
        blocks: list[Document] = []
        taken: set[str] = set()
        for call in calls if isinstance(calls, list) else ():
            function = call.get("function") if isinstance(call, Mapping) else None
            name = function.get("name") if isinstance(function, Mapping) else None
            if not isinstance(function, Mapping) or not isinstance(name, str) or not name:
                continue
            given = call.get("id")
            call_id = given if isinstance(given, str) and given else new_call_id()
            if call_id in taken:
                call_id = new_call_id()
            taken.add(call_id)
            blocks.append({
                "type": "tool_use",
                "id": call_id,
                "name": self._names.long(name),
                "input": _input(arguments_of(function)),
            })  # fmt: skip
        return blocks


def _input(arguments: str) -> Document:
    """Return the arguments as an object; what is none is kept under `_raw`."""
    if not arguments.strip():
        return {}
    try:
        return jsonbody.decode(arguments.encode("utf-8", "surrogatepass"))
    except BadRequest:
        return {"_raw": arguments}
