"""From a plain answer to the events that say the same, in each dialect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from plano_filters import Dialect
from plano_filters.sse import DONE, event

Document = dict[str, Any]


def events(document: Document, dialect: Dialect, *, include_usage: bool = False) -> list[bytes]:
    """Return an answer as a stream.

    Args:
        document: The plain answer.
        dialect: It is written in.
        include_usage: Whether a chat asked for token counts (`stream_options`).

    Raises:
        KeyError: The answer lacks what its dialect always has.
    """
    if dialect == "chat":
        return [*(event(_json(one)) for one in _chat(document, include_usage)), event(DONE)]
    named = _DIALECTS[dialect](document)
    return [event(_json(one), one["type"]) for one in named]


def _json(document: Document) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _chat(document: Document, include_usage: bool) -> Iterator[Document]:
    head = {k: v for k, v in document.items() if k not in ("choices", "usage", "object")}
    head["object"] = "chat.completion.chunk"

    def chunk(choice: Document, delta: Document, finish: str | None = None) -> Document:
        part = {"index": choice["index"], "delta": delta, "finish_reason": finish}
        return {**head, "choices": [part]}

    for choice in document["choices"]:
        message = choice["message"]
        yield chunk(choice, {"role": message["role"], "content": ""})
        for name, value in message.items():
            if name == "tool_calls":
                calls = [{"index": number, **call} for number, call in enumerate(value or ())]
                yield from (chunk(choice, {"tool_calls": [call]}) for call in calls)
            elif name != "role" and value not in (None, "", []):
                yield chunk(choice, {name: value})
        last = chunk(choice, {}, choice["finish_reason"])
        if choice.get("logprobs") is not None:
            last["choices"][0]["logprobs"] = choice["logprobs"]
        yield last
    if include_usage and "usage" in document:
        yield {**head, "choices": [], "usage": document["usage"]}


def _messages(document: Document) -> Iterator[Document]:
    ends = {name: document.get(name) for name in ("stop_reason", "stop_sequence")}
    begun = {**document, "content": [], **dict.fromkeys(ends)}
    yield {"type": "message_start", "message": begun}
    for number, block in enumerate(document["content"]):
        yield from _block(number, block)
    yield {"type": "message_delta", "delta": ends, "usage": document["usage"]}
    yield {"type": "message_stop"}


def _block(number: int, block: Document) -> Iterator[Document]:
    """Yield a content block: empty at first, then what it holds."""
    empty, deltas = dict(block), list[Document]()
    if "input" in block and block["type"] in ("tool_use", "server_tool_use", "mcp_tool_use"):
        empty["input"] = {}
        deltas.append({"type": "input_json_delta", "partial_json": json.dumps(block["input"])})
    elif block["type"] in ("text", "thinking"):
        for name in ("text", "thinking", "signature"):
            if isinstance(block.get(name), str):
                empty[name] = ""
                deltas.append({"type": f"{name}_delta", name: block[name]})
        for citation in empty.pop("citations", None) or ():
            deltas.append({"type": "citations_delta", "citation": citation})
    yield {"type": "content_block_start", "index": number, "content_block": empty}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": number, "delta": delta}
    yield {"type": "content_block_stop", "index": number}


def _responses(document: Document) -> Iterator[Document]:
    parts = [
        {"type": f"response.{name}", "response": _begun(document)}
        for name in ("created", "in_progress")
    ]
    for number, item in enumerate(document["output"]):
        parts += _item({"output_index": number}, item)
    parts.append({"type": "response.completed", "response": document})
    for number, part in enumerate(parts):
        yield {**part, "sequence_number": number}


def _begun(document: Document) -> Document:
    return {**document, "status": "in_progress", "output": [], "usage": None}


def _item(place: Document, item: Document) -> Iterator[Document]:
    """Yield an output item: added, its texts, done."""
    opened = {**item, **({"status": "in_progress"} if "status" in item else {})}
    here = {**place, "item_id": item.get("id")}
    inside: list[Document] = []
    if item["type"] == "message":
        opened["content"] = []
        for number, part in enumerate(item["content"]):
            inside += _part({**here, "content_index": number}, part)
    elif item["type"] == "function_call":
        opened["arguments"] = ""
        kind = "response.function_call_arguments"
        inside = [
            {"type": f"{kind}.delta", **here, "delta": item["arguments"]},
            {"type": f"{kind}.done", **here, "arguments": item["arguments"]},
        ]
    yield {"type": "response.output_item.added", **place, "item": opened}
    yield from inside
    yield {"type": "response.output_item.done", **place, "item": item}


def _part(here: Document, part: Document) -> Iterator[Document]:
    """Yield a content part of a message: added, its text, done."""
    kind = {"output_text": "text", "refusal": "refusal"}.get(part["type"])
    opened = part if kind is None else {**part, kind: ""}
    yield {"type": "response.content_part.added", **here, "part": opened}
    if kind is not None:
        event_type = f"response.{part['type']}"
        extra: Document = {"logprobs": []} if kind == "text" else {}
        yield {"type": f"{event_type}.delta", **here, "delta": part[kind], **extra}
        yield {"type": f"{event_type}.done", **here, kind: part[kind], **extra}
    yield {"type": "response.content_part.done", **here, "part": part}


_DIALECTS: Final[dict[str, Callable[[Document], Iterator[Document]]]] = {
    "messages": _messages,
    "responses": _responses,
}
