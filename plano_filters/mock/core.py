"""What the mock says: documents and events, always the same for the same request."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

CREATED = 1_700_000_000
"""Epoch seconds; fixed, so that answers do not change."""
DIMENSIONS = 8
"""Of an embedding."""
MODELS = ("fast", "smart")


def chat(request: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return a chat completion."""
    call = tool_call(request)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if call else text(request, model),
    }
    if call:
        message["tool_calls"] = [call]
    return {
        "id": _id("chatcmpl", request),
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [
            {"index": 0, "message": message, "finish_reason": "tool_calls" if call else "stop"}
        ],
        "usage": usage(request, message),
    }


def chat_events(request: Mapping[str, Any], model: str) -> list[bytes]:
    """Return the events of a streamed chat completion, `[DONE]` included."""
    whole = chat(request, model)
    message = whole["choices"][0]["message"]
    head = {k: whole[k] for k in ("id", "created", "model")} | {"object": "chat.completion.chunk"}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {**head, "choices": [choice]}

    chunks = [chunk({"role": "assistant", "content": ""})]
    if message.get("tool_calls"):
        call = message["tool_calls"][0]
        start = {**call, "index": 0, "function": {**call["function"], "arguments": ""}}
        chunks.append(chunk({"tool_calls": [start]}))
        for piece in _pieces(call["function"]["arguments"]):
            part = {"index": 0, "function": {"arguments": piece}}
            chunks.append(chunk({"tool_calls": [part]}))
    else:
        chunks += [chunk({"content": piece}) for piece in _pieces(message["content"])]
    chunks.append(chunk({}, whole["choices"][0]["finish_reason"]))
    if (request.get("stream_options") or {}).get("include_usage"):
        chunks.append({**head, "choices": [], "usage": whole["usage"]})
    return [_event(part) for part in chunks] + [b"data: [DONE]\n\n"]


def responses(request: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return a response of the Responses API."""
    answer = text(request, model)
    count = usage(request, {"content": answer})
    part = {"type": "output_text", "text": answer, "annotations": []}
    item = {
        "type": "message",
        "id": _id("msg", request),
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }
    return {
        "id": _id("resp", request),
        "object": "response",
        "created_at": CREATED,
        "status": "completed",
        "model": model,
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": count["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": count["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": count["total_tokens"],
        },
    }


def responses_events(request: Mapping[str, Any], model: str) -> list[bytes]:
    """Return the events of a streamed response."""
    whole = responses(request, model)
    item = whole["output"][0]
    answer = item["content"][0]["text"]
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    empty = {"type": "output_text", "text": "", "annotations": []}
    opened = {**item, "status": "in_progress", "content": []}
    events: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": begun}),
        ("response.in_progress", {"response": begun}),
        ("response.output_item.added", {"output_index": 0, "item": opened}),
        ("response.content_part.added", {**place, "part": empty}),
        *[
            ("response.output_text.delta", {**place, "delta": piece, "logprobs": []})
            for piece in _pieces(answer)
        ],
        ("response.output_text.done", {**place, "text": answer, "logprobs": []}),
        ("response.content_part.done", {**place, "part": item["content"][0]}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": whole}),
    ]
    return [
        _event({"type": name, "sequence_number": number, **data}, name)
        for number, (name, data) in enumerate(events)
    ]


def embeddings(request: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return vectors of eight numbers, the same for the same text."""
    given = request.get("input", "")
    texts = given if isinstance(given, list) else [given]
    data = []
    for index, one in enumerate(texts):
        digest = hashlib.sha256(json.dumps(one).encode()).digest()
        vector = [byte / 127.5 - 1 for byte in digest[:DIMENSIONS]]
        packed = base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *vector)).decode()
        shown: object = packed if request.get("encoding_format") == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": shown})
    tokens = sum(_tokens(str(one)) for one in texts)
    return {
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def models() -> dict[str, Any]:
    """Return the list of models. Any other name is answered as well."""
    listed = [
        {"id": name, "object": "model", "created": CREATED, "owned_by": "mock"} for name in MODELS
    ]
    return {"object": "list", "data": listed}


def error(status: int, message: str = "") -> dict[str, Any]:
    """Return an error document; without a message, that of a scripted failure."""
    kind, code = {
        400: ("invalid_request_error", "bad_request"),
        401: ("invalid_request_error", "invalid_api_key"),
        404: ("invalid_request_error", "model_not_found"),
        429: ("rate_limit_exceeded", "rate_limit_exceeded"),
    }.get(status, ("server_error" if status >= 500 else "invalid_request_error", "mock"))
    message = message or f"the mock was asked to answer {status}"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def text(request: Mapping[str, Any], model: str) -> str:
    """Return what the mock says to a request."""
    role, said = _last(request)
    if role == "tool":
        return f"I am {model}, a mock. The tool answered: {said[:200]}"
    return f"I am {model}, a mock that needs no key. You said: {said[:200]}"


def tool_call(request: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the call of the first, or of the chosen, tool; None if no tool is to be called."""
    tools = [t for t in request.get("tools") or [] if t.get("type") == "function"]
    choice = request.get("tool_choice", "auto")
    if not tools or choice == "none" or _last(request)[0] == "tool":
        return None
    wanted = choice.get("function", {}).get("name") if isinstance(choice, dict) else None
    function = next((t["function"] for t in tools if t["function"]["name"] == wanted), None)
    function = function or tools[0]["function"]
    arguments = _example(function.get("parameters") or {})
    return {
        "id": _id("call", request),
        "type": "function",
        "function": {"name": function["name"], "arguments": json.dumps(arguments)},
    }


def usage(request: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any]:
    """Return token counts, estimated at four characters each."""
    given = _tokens(json.dumps(request.get("messages") or request.get("input") or ""))
    made = _tokens(json.dumps(message.get("content") or message.get("tool_calls") or ""))
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}


def _last(request: Mapping[str, Any]) -> tuple[str, str]:
    """Return role and text of the last message."""
    messages = request.get("messages") or request.get("input") or []
    if isinstance(messages, str):
        return "user", messages
    last = messages[-1] if messages and isinstance(messages[-1], dict) else {}
    content = last.get("content") or last.get("output") or ""
    if isinstance(content, list):
        content = " ".join(str(p.get("text", "")) for p in content if isinstance(p, dict))
    role = "tool" if last.get("type") == "function_call_output" else last.get("role", "user")
    return str(role), str(content)


def _example(schema: Mapping[str, Any]) -> Any:
    """Return a value that fits a JSON schema."""
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        return {name: _example(part) for name, part in (schema.get("properties") or {}).items()}
    if kind == "array":
        return [_example(schema.get("items") or {"type": "string"})]
    return {"string": "mock", "integer": 1, "number": 1.5, "boolean": True}.get(str(kind))


def _pieces(whole: str) -> list[str]:
    words = whole.split(" ")
    return [words[0], *(f" {word}" for word in words[1:])]


def _event(document: Mapping[str, Any], name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(document, separators=(',', ':'))}\n\n".encode()


def _id(prefix: str, request: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()
    return f"{prefix}-mock-{digest[:16]}"


def _tokens(text_: str) -> int:
    return max(1, len(text_) // 4)
