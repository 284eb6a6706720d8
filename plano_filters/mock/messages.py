"""What the mock says in the dialect `messages`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from plano_filters.mock import core


class Refused(Exception):
    """A request that this API, unlike the others, does not take."""


def document(request: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return a message of Anthropic's API.

    Raises:
        Refused: The request says nothing of `max_tokens`.
    """
    if not isinstance(request.get("max_tokens"), int):
        raise Refused("max_tokens: Field required")
    call = _call(request)
    block = call or {"type": "text", "text": _text(request, model)}
    return {
        "id": core.identifier("msg", request),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [block],
        "stop_reason": "tool_use" if call else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": count(request, model)["input_tokens"],
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": core.tokens(block.get("text") or block.get("input") or ""),
        },
    }


def events(request: Mapping[str, Any], model: str) -> list[bytes]:
    """Return the events of a streamed message."""
    whole = document(request, model)
    block = whole["content"][0]
    opened: dict[str, Any]
    if block["type"] == "text":
        opened = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in core.pieces(block["text"])]
    else:
        opened = {**block, "input": {}}
        deltas = [
            {"type": "input_json_delta", "partial_json": piece}
            for piece in core.pieces(json.dumps(block["input"]))
        ]
    begun = {
        **whole,
        "content": [],
        "stop_reason": None,
        "usage": {**whole["usage"], "output_tokens": 1},
    }
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    steps: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": opened},
        {"type": "ping"},
        *[{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas],
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": whole["usage"]},
        {"type": "message_stop"},
    ]
    return [core.event(step, step["type"]) for step in steps]


def count(request: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return how many tokens a request has."""
    parts = [request[name] for name in ("system", "messages", "tools") if request.get(name)]
    return {"input_tokens": core.tokens(parts or "")}


def error(status: int, message: str = "") -> dict[str, Any]:
    """Return an error document; without a message, that of a scripted failure."""
    kind = {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        429: "rate_limit_error",
        529: "overloaded_error",
    }.get(status, "api_error" if status >= 500 else "invalid_request_error")
    said = message or f"the mock was asked to answer {status}"
    return {"type": "error", "error": {"type": kind, "message": said}, "request_id": "req_mock"}


def _text(request: Mapping[str, Any], model: str) -> str:
    tool, said = _last(request)
    return core.reply(model, said, tool=tool)


def _call(request: Mapping[str, Any]) -> dict[str, Any] | None:
    choice = request.get("tool_choice") or {"type": "auto"}
    # A type with a date is a tool that runs at the provider.
    tools = {
        t["name"]: t.get("input_schema")
        for t in request.get("tools") or []
        if t.get("type") in (None, "custom")
    }
    result, said = _last(request)
    if choice.get("type") == "none" or result:
        return None
    few = len(request.get("tools") or []) < core.TOOLBOX
    name = core.chosen(
        list(tools), choice.get("name"), said, must=few or choice.get("type") != "auto"
    )
    if name is None:
        return None
    given = core.example(tools[name])
    return {
        "type": "tool_use",
        "id": core.identifier("toolu", request),
        "name": name,
        "input": given,
    }


def _last(request: Mapping[str, Any]) -> tuple[bool, str]:
    """Say whether the last turn brings a tool's result; return its text, the last if there are
    several: agents put theirs in front of the user's."""
    turns = [m for m in request.get("messages") or [] if m.get("role") == "user"]
    content = turns[-1].get("content") if turns else ""
    if not isinstance(content, list):
        return False, core.words(content)
    for block in content:
        if block.get("type") == "tool_result":
            return True, core.words(block.get("content"))
    texts = [block["text"] for block in content if block.get("text")]
    return False, texts[-1] if texts else ""
