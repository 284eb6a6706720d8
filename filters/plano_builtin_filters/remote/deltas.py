"""The pieces of text in a stream's events: where they stand, and how two become one."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from plano_filters.dialect import Dialect
from plano_filters.sse import Event

Place = tuple[str | int, ...]
"""Keys and indexes, from the document to a value in it."""

_CHAT_TEXTS: Final = ("content", "reasoning_content", "reasoning", "refusal")
_MESSAGES_TEXTS: Final = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
}
_RESPONSES_TEXTS: Final = frozenset({
    "response.output_text.delta", "response.refusal.delta", "response.reasoning_text.delta",
    "response.reasoning_summary_text.delta", "response.function_call_arguments.delta",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of text, and the event it came in."""

    lane: Hashable
    """Which of the texts that grow side by side it belongs to: a choice, a block, an item."""
    place: Place
    """Where in the document it stands."""
    text: str
    document: dict[str, Any]
    last: bool = False
    """Whether the event says something that must not wait, such as why the text ended."""


def read(event: Event, dialect: Dialect) -> Delta | None:
    """Return the piece of text in an event; None if it has none, or more than one."""
    try:
        document = orjson.loads(event.data)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict):
        return None
    if dialect == "messages":
        return _messages(document)
    return _responses(document) if dialect == "responses" else _chat(document)


def written(document: Any, place: Place, text: str) -> Any:
    """Return a document with another text at a place."""
    if not place:
        return text
    key, rest = place[0], place[1:]
    copy = list(document) if isinstance(document, list) else dict(document)
    copy[key] = written(copy[key], rest, text)  # type: ignore[index]  # keys of what it is
    return copy


def merged(old: Any, new: Any, *, join: bool = False) -> Any:
    """Return one document that says what two in a row say; of two values the later one counts.

    Args:
        old: The earlier one.
        new: The later one.
        join: Whether lists are continued. They are in `logprobs`.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        return {
            key: merged(old.get(key), new.get(key), join=join or key == "logprobs")
            for key in {**old, **new}
        }
    if isinstance(old, list) and isinstance(new, list):
        if join:
            return [*old, *new]
        if len(old) == len(new):
            return [merged(one, other) for one, other in zip(old, new, strict=True)]
    return old if new is None else new


def without_logprobs(document: Any) -> Any:
    """Return a document without the probabilities of a text that it no longer holds."""
    if isinstance(document, list):
        return [without_logprobs(one) for one in document]
    if not isinstance(document, dict):
        return document
    made = {key: without_logprobs(value) for key, value in document.items()}
    if "logprobs" in made:
        made["logprobs"] = [] if isinstance(made["logprobs"], list) else None
    return made


def _chat(document: dict[str, Any]) -> Delta | None:
    choices = document.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        return None
    choice = choices[0]
    delta = choice.get("delta")
    found = list(_chat_texts(delta)) if isinstance(delta, dict) else []
    if len(found) != 1:
        return None
    place, text = found[0]
    last = choice.get("finish_reason") is not None
    lane = str(choice.get("index", 0))
    return Delta(lane, ("choices", 0, "delta", *place), text, document, last)


def _chat_texts(delta: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yield the texts of a delta; something that is no text counts as one that has no place."""
    for name in _CHAT_TEXTS:
        if isinstance(delta.get(name), str) and delta[name]:
            yield (name,), delta[name]
    calls = delta.get("tool_calls")
    for index, call in enumerate(calls if isinstance(calls, list) else ()):
        function = call.get("function") if isinstance(call, dict) else None
        arguments = function.get("arguments") if isinstance(function, dict) else None
        if isinstance(arguments, str) and arguments and not call.get("id"):
            yield ("tool_calls", index, "function", "arguments"), arguments
        else:
            yield from (((), ""), ((), ""))  # the beginning of a call: an event of its own


def _messages(document: dict[str, Any]) -> Delta | None:
    delta = document.get("delta")
    if document.get("type") != "content_block_delta" or not isinstance(delta, dict):
        return None
    field = _MESSAGES_TEXTS.get(str(delta.get("type")))
    text = delta.get(field) if field else None
    if field is None or not isinstance(text, str):
        return None
    return Delta(str(document.get("index")), ("delta", field), text, document)


def _responses(document: dict[str, Any]) -> Delta | None:
    kind, text = document.get("type"), document.get("delta")
    if kind not in _RESPONSES_TEXTS or not isinstance(text, str):
        return None
    where = (kind, *(str(document.get(key)) for key in ("item_id", "content_index")))
    return Delta(where, ("delta",), text, document)
