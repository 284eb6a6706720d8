"""A stream of chat chunks as the events of a Response.

The grammar: `response.created`, `response.in_progress`, the events of the items, and at the end
`response.completed` or `response.incomplete`. Source: OpenAI's API reference, "Streaming events".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plano_filters.translation.base import Document
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
from plano_filters.translation.responses_to_chat.opened import (
    OpenCall,
    Opened,
    OpenMessage,
    OpenThoughts,
)
from plano_filters.translation.responses_to_chat.tools import Origin


class ChatStream:
    """Translates one stream."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._head: Head | None = None
        self._events: list[Document] = []
        """What the current call returns."""
        self._number = 0
        """Of the next event."""
        self._items: list[Document] = []
        """Of the response; a place is taken when an item opens, and filled when it is done."""
        self._speaking: OpenThoughts | OpenMessage | None = None
        self._speaking_at = 0
        self._calls: dict[int, tuple[int, OpenCall]] = {}
        """Calls that are open: by the provider's index, their places and themselves."""
        self._seen: dict[int, str] = {}
        """The provider's indexes of all calls, and the ids it gave them."""
        self._usage: object = None
        self._finish: object = None
        self._tier: object = None

    def take(self, event: Mapping[str, Any]) -> list[Document]:
        """Take the next chunk; return the events the client gets for it."""
        self._events = []
        if self._head is None and (event.get("choices") or event.get("id")):
            self._begin(event)  # Azure speaks of its filters first, under no name
        if event.get("usage") is not None:
            self._usage = event["usage"]
        if event.get("service_tier") is not None:
            self._tier = event["service_tier"]
        choice = first_choice(event)
        if choice.get("finish_reason") is not None:
            self._finish = choice["finish_reason"]
        delta = choice.get("delta")
        if isinstance(delta, Mapping):
            self._delta(delta, choice)
        return self._events

    def finish(self) -> list[Document]:
        """Close what is open, and return the end with the whole response."""
        self._events = []
        if self._head is None:
            self._begin({})
        status = status_of(self._finish)
        for place, opened in self._all_open():
            # Only what stands last was cut off; what stands before it is whole.
            last = place == len(self._items) - 1
            self._done(place, opened, status if last else "completed")
        self._speaking, self._calls = None, {}
        end = self._response(status, self._items, usage=usage_of(self._usage))
        self._emit({"type": f"response.{status}", "response": end})
        return self._events

    def _begin(self, chunk: Mapping[str, Any]) -> None:
        self._head = Head.of(chunk, self._asked)
        for name in ("response.created", "response.in_progress"):
            self._emit({"type": name, "response": self._response("in_progress", [])})

    def _delta(self, delta: Mapping[str, Any], choice: Mapping[str, Any]) -> None:
        content = delta.get("content")
        if self._asked.thoughts and (thoughts := thought(delta)):
            self._think(thoughts)
        if content and (text := said(content)):
            tokens = output.logprobs(choice) if self._asked.logprobs else []
            self._emit_all(self._message().text(text, tokens))
        if (refusal := delta.get("refusal")) and isinstance(refusal, str):
            self._emit_all(self._message().refusal(refusal))
        if found := output.citations(delta.get("annotations")):
            self._emit_all(self._message().annotate(found))
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else []:
            if isinstance(call, Mapping):
                self._call(call)

    def _think(self, piece: str) -> None:
        speaking = self._speaking
        if not isinstance(speaking, OpenThoughts):
            place = self._turn()
            speaking = OpenThoughts(self._id("rs", place), place)
            self._speaking, self._speaking_at = speaking, place
            item, events = speaking.open()
            self._added(place, item)
            self._emit_all(events)
        self._emit(speaking.delta(piece))

    def _message(self) -> OpenMessage:
        """Return the message that is open; open one if there is none."""
        if not isinstance(self._speaking, OpenMessage):
            place = self._turn()
            self._speaking = OpenMessage(self._id("msg", place), place)
            self._speaking_at = place
            self._added(place, self._speaking.open())
        return self._speaking

    def _call(self, call: Mapping[str, Any]) -> None:
        function = call.get("function")
        if not isinstance(function, Mapping):
            return
        key = self._key(call)
        if key not in self._seen:
            name = function.get("name")
            if not isinstance(name, str) or not name:
                return
            self._open_call(key, call, name)
        arguments = function.get("arguments")
        if key in self._calls and isinstance(arguments, str) and arguments:
            self._emit_all(self._calls[key][1].delta(arguments))

    def _key(self, call: Mapping[str, Any]) -> int:
        """Return the index of a call. Where providers leave it out, a new id is a new call."""
        index, call_id = call.get("index"), call.get("id")
        if isinstance(index, int):
            return index
        if isinstance(call_id, str) and call_id:
            for key, seen in self._seen.items():
                if seen == call_id:
                    return key
            return max(self._seen, default=-1) + 1
        return max(self._seen, default=0)

    def _open_call(self, key: int, call: Mapping[str, Any], name: str) -> None:
        """Open a call; close those before it that are whole, as providers may interleave them."""
        place = self._turn()
        for other, (at, opened) in list(self._calls.items()):
            if opened.is_whole():
                self._done(at, opened, "completed")
                del self._calls[other]
        given = call.get("id")
        call_id = given if isinstance(given, str) and given else self._id("call", place)
        origin = self._asked.origins.get(name) or Origin(name)
        opened = OpenCall(self._id(output.prefix(origin), place), place, call_id, origin)
        self._calls[key] = place, opened
        self._seen[key] = call_id
        self._added(place, opened.open())

    def _turn(self) -> int:
        """Close what is being said, and take the place of the next item."""
        if self._speaking is not None:
            self._done(self._speaking_at, self._speaking, "completed")
            self._speaking = None
        self._items.append({})
        return len(self._items) - 1

    def _all_open(self) -> list[tuple[int, Opened]]:
        opened: list[tuple[int, Opened]] = list(self._calls.values())
        if self._speaking is not None:
            opened.append((self._speaking_at, self._speaking))
        return sorted(opened, key=lambda pair: pair[0])

    def _added(self, place: int, item: Document) -> None:
        self._items[place] = item
        self._emit({"type": "response.output_item.added", "output_index": place, "item": item})

    def _done(self, place: int, opened: Opened, status: Status) -> None:
        events, item = opened.close(status)
        self._items[place] = item
        self._emit_all(events)
        self._emit({"type": "response.output_item.done", "output_index": place, "item": item})

    def _response(
        self, status: Status, items: list[Document], *, usage: Document | None = None
    ) -> Document:
        head = self._head or Head.of({}, self._asked)
        return response(
            self._asked, head, items,
            status=status, finish=self._finish, usage=usage, tier=self._tier,
        )  # fmt: skip

    def _id(self, prefix: str, place: int) -> str:
        return self._head.item(prefix, place) if self._head else prefix

    def _emit(self, event: Document) -> None:
        event["sequence_number"] = self._number
        self._number += 1
        self._events.append(event)

    def _emit_all(self, events: list[Document]) -> None:
        for event in events:
            self._emit(event)
