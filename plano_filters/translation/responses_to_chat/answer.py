"""A whole chat completion as a Response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plano_filters.translation.base import Document
from plano_filters.translation.custom import whole_input
from plano_filters.translation.heard import first_choice, said, thought
from plano_filters.translation.responses_to_chat import output
from plano_filters.translation.responses_to_chat.echo import (
    Asked,
    Head,
    Status,
    response,
    status_of,
    usage_of,
)
from plano_filters.translation.responses_to_chat.stream import ChatStream
from plano_filters.translation.responses_to_chat.tools import Origin


class ChatAnswers:
    """Translates what a chat provider answers."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def whole(self, document: Mapping[str, Any]) -> Document:
        """Translate a completion. What cannot be read is left out; nothing is raised."""
        asked = self._asked
        head = Head.of(document, asked)
        choice = first_choice(document)
        finish = choice.get("finish_reason")
        status = status_of(finish)
        return response(
            asked,
            head,
            _items(choice, asked, head, status),
            status=status,
            finish=finish,
            usage=usage_of(document.get("usage")),
            tier=document.get("service_tier"),
        )

    def stream(self) -> ChatStream:
        """Return a translator of one stream."""
        return ChatStream(self._asked)


def _items(choice: Mapping[str, Any], asked: Asked, head: Head, status: Status) -> list[Document]:
    """Return what was thought, what is said and what is called, in this order.

    Of an answer that was cut off, the last item is the one that is not whole.
    """
    given = choice.get("message")
    message = given if isinstance(given, Mapping) else {}
    items: list[Document] = []
    thoughts = thought(message)
    if thoughts and asked.thoughts:
        items.append(output.reasoning(head.item("rs", 0), thoughts))
    calls = _calls(message)
    if parts := _parts(message, choice, asked):
        whole: Status = "completed" if calls else status
        items.append(output.message(head.item("msg", len(items)), parts, whole))
    for left, call in zip(range(len(calls) - 1, -1, -1), calls, strict=True):
        whole = "completed" if left else status
        items.append(_call(call, asked, head, len(items), whole))
    return items


def _parts(message: Mapping[str, Any], choice: Mapping[str, Any], asked: Asked) -> list[Document]:
    parts = []
    if text := said(message.get("content")):
        tokens = output.logprobs(choice) if asked.logprobs else []
        parts.append(output.text_part(text, output.citations(message.get("annotations")), tokens))
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        parts.append(output.refusal_part(refusal))
    return parts


def _calls(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the calls that name a function."""
    given = message.get("tool_calls")
    return [
        call
        for call in (given if isinstance(given, list) else [])
        if isinstance(call, Mapping)
        and isinstance(function := call.get("function"), Mapping)
        and isinstance(name := function.get("name"), str)
        and name
    ]


def _call(
    call: Mapping[str, Any], asked: Asked, head: Head, index: int, status: Status
) -> Document:
    """Return the item of a call."""
    function = call["function"]
    origin = asked.origins.get(function["name"]) or Origin(function["name"])
    arguments = function.get("arguments")
    given = arguments if isinstance(arguments, str) else ""
    given = whole_input(given) if origin.custom else output.arguments(given, status)
    call_id = call.get("id")
    if not isinstance(call_id, str) or not call_id:
        call_id = head.item("call", index)
    return output.call(head.item(output.prefix(origin), index), call_id, origin, given, status)
