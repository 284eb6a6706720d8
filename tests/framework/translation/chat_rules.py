"""What a strict chat provider refuses, as a list of sentences; empty for a good request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

_FIELDS = {
    "model", "messages", "tools", "tool_choice", "parallel_tool_calls", "temperature", "top_p",
    "stream", "stream_options", "stop", "max_tokens", "max_completion_tokens", "reasoning_effort",
    "response_format", "safety_identifier", "service_tier",
}  # fmt: skip
_PARTS = {
    "system": {"text"},
    "user": {"text", "image_url", "file"},
    "assistant": {"text"},
    "tool": {"text"},
}


def refusals(payload: Mapping[str, Any]) -> list[str]:
    """Return why a strict provider would refuse a request."""
    return [*_of_parameters(payload), *refusals_of_messages(payload["messages"])]


def _of_parameters(payload: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"unknown field {name}" for name in set(payload) - _FIELDS)
    yield from (f"{name} is null" for name, value in payload.items() if value is None)
    names = [tool["function"]["name"] for tool in payload.get("tools", [])]
    if payload.get("tools") == [] or len(payload.get("stop", ["x"])) not in range(1, 5):
        yield "an empty list of tools, or not 1 to 4 stop sequences"
    yield from (f"name {name}" for name in names if not re.fullmatch(r"[\w-]{1,64}", name))
    if not names and {"tool_choice", "parallel_tool_calls"} & set(payload):
        yield "a tool choice without tools"
    if "stream_options" in payload and payload.get("stream") is not True:
        yield "stream_options without a stream"


def refusals_of_messages(messages: list[dict[str, Any]]) -> list[str]:
    """Return what such a provider would refuse of a conversation."""
    found = [reason for message in messages for reason in _of_content(message)]
    if not any(message["role"] in ("user", "assistant") for message in messages):
        found.append("nobody says anything")
    found += [
        f"two messages of {one['role']} in a row"
        for one, two in pairwise(messages)
        if one["role"] == two["role"] != "tool"
    ]
    return [*found, *_of_calls(messages)]


def _of_calls(messages: list[dict[str, Any]]) -> Iterator[str]:
    waiting: set[str] = set()
    for message in [*messages, {"role": "end"}]:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                yield "a result without a call directly before"
            waiting.discard(message["tool_call_id"])
            continue
        if waiting:
            yield "a call without a result directly after"
        calls = message.get("tool_calls", [])
        waiting = {call["id"] for call in calls}
        if len(waiting) != len(calls):
            yield "two calls of one id"
        if not all(isinstance(json.loads(c["function"]["arguments"]), dict) for c in calls):
            yield "arguments that are no object"


def _of_content(message: dict[str, Any]) -> Iterator[str]:
    role, content = message["role"], message["content"]
    if content is None:
        if role != "assistant" or not message.get("tool_calls"):
            yield f"no content of {role}"
        return
    if isinstance(content, str):
        return
    if not content:
        yield "an empty list of parts"
    for part in content:
        if part["type"] not in _PARTS[role]:
            yield f"{part['type']} of {role}"
        if part["type"] == "text" and not part["text"]:
            yield "an empty text part"
