"""The items of a streamed response while they are open, and the events of each.

Source: OpenAI's API reference, "Streaming events". An item gives its events without their
`sequence_number`; the stream counts.
"""

from __future__ import annotations

import json
from typing import Protocol

from plano_filters.translation.base import Document
from plano_filters.translation.custom import CustomInput
from plano_filters.translation.responses_to_chat import output
from plano_filters.translation.responses_to_chat.echo import Status
from plano_filters.translation.responses_to_chat.tools import Origin


class Opened(Protocol):
    """An item that is not done."""

    def close(self, status: Status) -> tuple[list[Document], Document]:
        """Return the last events before `response.output_item.done`, and the whole item."""
        ...


class OpenThoughts:
    """What a model thinks, as the only part of a summary."""

    def __init__(self, item_id: str, index: int) -> None:
        self._id = item_id
        self._at = {"item_id": item_id, "output_index": index, "summary_index": 0}
        self._said: list[str] = []

    def open(self) -> tuple[Document, list[Document]]:
        """Return the item as it begins, and the events after `response.output_item.added`."""
        part = {"type": "summary_text", "text": ""}
        added = {"type": "response.reasoning_summary_part.added", **self._at, "part": part}
        return output.reasoning(self._id, "", done=False), [added]

    def delta(self, piece: str) -> Document:
        """Return the event of a piece."""
        self._said.append(piece)
        return {"type": "response.reasoning_summary_text.delta", **self._at, "delta": piece}

    def close(self, _: Status) -> tuple[list[Document], Document]:
        """Return the last events, and the whole item."""
        told = "".join(self._said)
        part = {"type": "summary_text", "text": told}
        events = [
            {"type": "response.reasoning_summary_text.done", **self._at, "text": told},
            {"type": "response.reasoning_summary_part.done", **self._at, "part": part},
        ]
        return events, output.reasoning(self._id, told)


class OpenMessage:
    """An answer in words: a text, a refusal, or the one after the other."""

    def __init__(self, item_id: str, index: int) -> None:
        self._id = item_id
        self._index = index
        self._parts: list[Document] = []
        self._kind = ""
        self._said: list[str] = []
        self._annotations: list[Document] = []
        self._logprobs: list[Document] = []

    def open(self) -> Document:
        """Return the item as it begins."""
        return output.message(self._id, [], "in_progress")

    def text(self, piece: str, logprobs: list[Document]) -> list[Document]:
        """Return the events of a piece of text."""
        events = [] if self._kind == "output_text" else self._turn("output_text")
        self._said.append(piece)
        self._logprobs.extend(logprobs)
        events.append({
            "type": "response.output_text.delta", "item_id": self._id,
            "output_index": self._index, "content_index": len(self._parts),
            "delta": piece, "logprobs": logprobs,
        })  # fmt: skip
        return events

    def refusal(self, piece: str) -> list[Document]:
        """Return the events of a piece of a refusal."""
        events = [] if self._kind == "refusal" else self._turn("refusal")
        self._said.append(piece)
        events.append({"type": "response.refusal.delta", **self._at(), "delta": piece})
        return events

    def annotate(self, found: list[Document]) -> list[Document]:
        """Return the events of citations of the text."""
        events = [] if self._kind == "output_text" else self._turn("output_text")
        for annotation in found:
            events.append({
                "type": "response.output_text.annotation.added", **self._at(),
                "annotation_index": len(self._annotations), "annotation": annotation,
            })  # fmt: skip
            self._annotations.append(annotation)
        return events

    def close(self, status: Status) -> tuple[list[Document], Document]:
        """Return the last events, and the whole item."""
        return self._end(), output.message(self._id, self._parts, status)

    def _turn(self, kind: str) -> list[Document]:
        """End the part that is open, and begin another."""
        events = self._end()
        self._kind = kind
        part = output.refusal_part("") if kind == "refusal" else output.text_part("", [], [])
        events.append({"type": "response.content_part.added", **self._at(), "part": part})
        return events

    def _end(self) -> list[Document]:
        if not self._kind:
            return []
        said, at = "".join(self._said), self._at()
        if self._kind == "refusal":
            part = output.refusal_part(said)
            done: Document = {"type": "response.refusal.done", **at, "refusal": said}
        else:
            part = output.text_part(said, self._annotations, self._logprobs)
            done = {"type": "response.output_text.done", **at, "text": said}
            done["logprobs"] = self._logprobs
        self._parts.append(part)
        self._kind, self._said, self._annotations, self._logprobs = "", [], [], []
        return [done, {"type": "response.content_part.done", **at, "part": part}]

    def _at(self) -> Document:
        return {
            "item_id": self._id, "output_index": self._index, "content_index": len(self._parts),
        }  # fmt: skip


class OpenCall:
    """A call of a tool, of which the arguments arrive in pieces."""

    def __init__(self, item_id: str, index: int, call_id: str, origin: Origin) -> None:
        self._id = item_id
        self._at = {"item_id": item_id, "output_index": index}
        self._call_id = call_id
        self._origin = origin
        self._arguments: list[str] = []
        self._given: list[str] = []
        """What of the input of a custom tool has been told."""
        self._input = CustomInput() if origin.custom else None

    def open(self) -> Document:
        """Return the item as it begins."""
        return output.call(self._id, self._call_id, self._origin, "", "in_progress")

    def delta(self, piece: str) -> list[Document]:
        """Return the event of a piece of the arguments; none if it says nothing of the input."""
        self._arguments.append(piece)
        if self._input is None:
            kind = "response.function_call_arguments.delta"
            return [{"type": kind, **self._at, "delta": piece}]
        return self._input_delta(self._input.feed(piece))

    def is_whole(self) -> bool:
        """Return whether the arguments are complete, so that nothing can follow."""
        try:
            json.loads("".join(self._arguments))
        except (ValueError, RecursionError):
            return False
        return True

    def close(self, status: Status) -> tuple[list[Document], Document]:
        """Return the last events, and the whole item."""
        events: list[Document] = []
        if self._input is None:
            given = output.arguments("".join(self._arguments), status)
            if not self._arguments and given:
                events = self.delta(given)
            done = {"type": "response.function_call_arguments.done", **self._at}
            done |= {"name": self._origin.name, "arguments": given}
        else:
            events = self._input_delta(self._input.end())
            given = "".join(self._given)
            done = {"type": "response.custom_tool_call_input.done", **self._at, "input": given}
        events.append(done)
        return events, output.call(self._id, self._call_id, self._origin, given, status)

    def _input_delta(self, read: str) -> list[Document]:
        if not read:
            return []
        self._given.append(read)
        return [{"type": "response.custom_tool_call_input.delta", **self._at, "delta": read}]
