"""What providers say, in three dialects: documents and events, as data."""

from __future__ import annotations

import json
from typing import Any

SAID = "Hello from the provider"


def chat_document(model: str, text: str = SAID) -> dict[str, Any]:
    """Return a chat completion."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9},
    }


def chat_events(model: str, text: str = SAID) -> list[bytes]:
    """Return a chat completion as events, `[DONE]` included."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": f"{word} "} for word in text.split()]
    parts = [_chunk(model, delta, None) for delta in deltas]
    parts.append(_chunk(model, {}, "stop"))
    return [event(part) for part in parts] + [b"data: [DONE]\n\n"]


def tool_call_document(model: str) -> dict[str, Any]:
    """Return a completion that calls a tool."""
    document = chat_document(model)
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
    }
    document["choices"][0]["message"] = {
        "role": "assistant",
        "content": None,
        "tool_calls": [call],
    }
    document["choices"][0]["finish_reason"] = "tool_calls"
    return document


def tool_call_events(model: str) -> list[bytes]:
    """Return a tool call in pieces."""

    def call(**fields: Any) -> dict[str, Any]:
        return {"tool_calls": [{"index": 0, **fields}]}

    deltas = [
        {
            "role": "assistant",
            **call(id="call_1", type="function", function={"name": "weather", "arguments": ""}),
        },
        call(function={"arguments": '{"city": '}),
        call(function={"arguments": '"Oslo"}'}),
    ]
    parts = [_chunk(model, delta, None) for delta in deltas]
    parts.append(_chunk(model, {}, "tool_calls"))
    return [event(part) for part in parts] + [b"data: [DONE]\n\n"]


def response_document(model: str, text: str = SAID, status: str = "completed") -> dict[str, Any]:
    """Return a response of the Responses API."""
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {
        "type": "message",
        "id": "msg_1",
        "status": status,
        "role": "assistant",
        "content": [part],
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": status,
        "model": model,
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def response_events(model: str) -> list[bytes]:
    """Return a response of the Responses API as events; it has no `[DONE]`."""
    whole = response_document(model)
    begun = {**whole, "status": "in_progress", "output": []}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "logprobs": []}
    steps: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": begun}),
        ("response.output_text.delta", {**place, "delta": "Hello "}),
        ("response.output_text.delta", {**place, "delta": "there"}),
        ("response.completed", {"response": whole}),
    ]
    return [
        event({"type": name, "sequence_number": number, **data}, name)
        for number, (name, data) in enumerate(steps)
    ]


def message_document(model: str, text: str = SAID) -> dict[str, Any]:
    """Return a message of Anthropic's dialect."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 4},
    }


def message_events(model: str) -> list[bytes]:
    """Return a message of Anthropic's dialect as events."""
    begun = {**message_document(model), "content": [], "stop_reason": None}
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    steps: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        _text_delta("Hello "),
        _text_delta("there"),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ]
    return [event(step, step["type"]) for step in steps]


def message_call_document(model: str) -> dict[str, Any]:
    """Return a message that says something and then calls a tool."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}
    said = {"type": "text", "text": "Let me see."}
    return {**message_document(model), "content": [said, call], "stop_reason": "tool_use"}


def message_call_events(model: str) -> list[bytes]:
    """Return a tool call in pieces, behind a text."""
    begun = {**message_document(model), "content": [], "stop_reason": None}
    ended = {"stop_reason": "tool_use", "stop_sequence": None}
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}

    def piece(part: str) -> dict[str, Any]:
        delta = {"type": "input_json_delta", "partial_json": part}
        return {"type": "content_block_delta", "index": 1, "delta": delta}

    steps: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        _text_delta("Let me see."),
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": call},
        piece(""),
        piece('{"city": '),
        piece('"Oslo"}'),
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]
    return [event(step, step["type"]) for step in steps]


def message_error_document(status: int, kind: str, message: str) -> dict[str, Any]:
    """Return an error of Anthropic's shape."""
    said = {"type": kind, "message": message or f"the provider says {status}"}
    return {"type": "error", "error": said, "request_id": "req_theirs"}


def error_document(status: int, code: str = "scripted") -> dict[str, Any]:
    """Return an error of OpenAI's shape."""
    message = f"the provider says {status}"
    return {"error": {"message": message, "type": "test_error", "param": None, "code": code}}


def event(document: dict[str, Any], name: str = "") -> bytes:
    """Write one server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(document)}\n\n".encode()


def _text_delta(text: str) -> dict[str, Any]:
    delta = {"type": "text_delta", "text": text}
    return {"type": "content_block_delta", "index": 0, "delta": delta}


def _chunk(model: str, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
