"""What the mock says in the dialect `responses`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from plano_filters.mock import core

Step = tuple[str, dict[str, Any]]


def document(request: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return a response of the Responses API."""
    item = _call(request) or _message(request, model)
    given = core.tokens(request.get("input") or "")
    made = core.tokens(item.get("content") or item.get("arguments") or "")
    return {
        "id": core.identifier("resp", request),
        "object": "response",
        "created_at": core.CREATED,
        "status": "completed",
        "model": model,
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": request.get("tool_choice") or "auto",
        "tools": request.get("tools") or [],
        "usage": {
            "input_tokens": given,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": made,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": given + made,
        },
    }


def events(request: Mapping[str, Any], model: str) -> list[bytes]:
    """Return the events of a streamed response."""
    whole = document(request, model)
    item = whole["output"][0]
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    inner = _text_steps(item) if item["type"] == "message" else _call_steps(item)
    steps: list[Step] = [
        ("response.created", {"response": begun}),
        ("response.in_progress", {"response": begun}),
        *inner,
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": whole}),
    ]
    return [
        core.event({"type": name, "sequence_number": number, **data}, name)
        for number, (name, data) in enumerate(steps)
    ]


def _text_steps(item: Mapping[str, Any]) -> list[Step]:
    answer = item["content"][0]["text"]
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    empty = {"type": "output_text", "text": "", "annotations": []}
    opened = {**item, "status": "in_progress", "content": []}
    return [
        ("response.output_item.added", {"output_index": 0, "item": opened}),
        ("response.content_part.added", {**place, "part": empty}),
        *[
            ("response.output_text.delta", {**place, "delta": piece, "logprobs": []})
            for piece in core.pieces(answer)
        ],
        ("response.output_text.done", {**place, "text": answer, "logprobs": []}),
        ("response.content_part.done", {**place, "part": item["content"][0]}),
    ]


def _call_steps(item: Mapping[str, Any]) -> list[Step]:
    place = {"item_id": item["id"], "output_index": 0}
    opened = {**item, "status": "in_progress", "arguments": ""}
    done = {"name": item["name"], "arguments": item["arguments"]}
    return [
        ("response.output_item.added", {"output_index": 0, "item": opened}),
        *[
            ("response.function_call_arguments.delta", {**place, "delta": piece})
            for piece in core.pieces(item["arguments"])
        ],
        ("response.function_call_arguments.done", {**place, **done}),
    ]


def _message(request: Mapping[str, Any], model: str) -> dict[str, Any]:
    tool, said = _last(request)
    text = core.reply(model, said, tool=tool)
    return {
        "type": "message",
        "id": core.identifier("msg", request),
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }


def _call(request: Mapping[str, Any]) -> dict[str, Any] | None:
    choice = request.get("tool_choice") or "auto"
    tools = {
        t["name"]: t.get("parameters")
        for t in request.get("tools") or []
        if t.get("type") == "function"
    }
    result, said = _last(request)
    if choice == "none" or result:
        return None
    wanted = choice.get("name") if isinstance(choice, dict) else None
    few = len(request.get("tools") or []) < core.TOOLBOX
    name = core.chosen(list(tools), wanted, said, must=few or choice != "auto")
    if name is None:
        return None
    return {
        "type": "function_call",
        "id": core.identifier("fc", request),
        "call_id": core.identifier("call", request),
        "status": "completed",
        "name": name,
        "arguments": json.dumps(core.example(tools[name])),
    }


def _last(request: Mapping[str, Any]) -> tuple[bool, str]:
    """Say whether the last item is a tool's result, and return its text."""
    items = request.get("input") or ""
    if isinstance(items, str):
        return False, items
    last = items[-1] if isinstance(items[-1], dict) else {}
    if str(last.get("type", "")).endswith("_call_output"):
        return True, core.words(last.get("output"))
    return False, core.words(last.get("content"))
