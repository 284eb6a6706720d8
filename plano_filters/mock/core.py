"""What the mock says, always the same for the same request; in the dialect `chat`, and vectors."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

CREATED = 1_700_000_000
"""Epoch seconds; fixed, so that answers do not change."""
DIMENSIONS = 8
"""Of an embedding."""
MODELS = ("fast", "smart")
_WORD = re.compile(r"[\w-]+")
TOOLBOX = 8
"""From so many tools on, a request is an agent's."""


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
        "id": identifier("chatcmpl", request),
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
        for piece in pieces(call["function"]["arguments"]):
            part = {"index": 0, "function": {"arguments": piece}}
            chunks.append(chunk({"tool_calls": [part]}))
    else:
        chunks += [chunk({"content": piece}) for piece in pieces(message["content"])]
    chunks.append(chunk({}, whole["choices"][0]["finish_reason"]))
    if (request.get("stream_options") or {}).get("include_usage"):
        chunks.append({**head, "choices": [], "usage": whole["usage"]})
    return [event(part) for part in chunks] + [b"data: [DONE]\n\n"]


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
    count = sum(tokens(str(one)) for one in texts)
    return {
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": count, "total_tokens": count},
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
    return reply(model, said, tool=role == "tool")


def reply(model: str, said: str, *, tool: bool) -> str:
    """Return what a model says to a message, or to a tool's result."""
    if tool:
        return f"I am {model}, a mock. The tool answered: {said[:200]}"
    return f"I am {model}, a mock that needs no key. You said: {said[:200]}"


def tool_call(request: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the call of a tool; None if no tool is to be called."""
    choice = request.get("tool_choice", "auto")
    tools = {
        t["function"]["name"]: t["function"].get("parameters")
        for t in request.get("tools") or []
        if t.get("type") == "function"
    }
    role, said = _last(request)
    if choice == "none" or role == "tool":
        return None
    wanted = choice.get("function", {}).get("name") if isinstance(choice, dict) else None
    few = len(request.get("tools") or []) < TOOLBOX
    name = chosen(list(tools), wanted, said, must=few or choice != "auto")
    if name is None:
        return None
    function = {"name": name, "arguments": json.dumps(example(tools[name]))}
    return {"id": identifier("call", request), "type": "function", "function": function}


def chosen(names: Sequence[str], wanted: str | None, said: str, *, must: bool) -> str | None:
    """Choose which tool is called: the wanted one, one that the message names, or the first.

    Args:
        names: Of the tools there are.
        wanted: That the request insists on.
        said: The last message.
        must: Call one if none is named. Not one of a whole toolbox, as agents have it, unless some
            tool has to be called: they would act on it.
    """
    if wanted in names:
        return wanted
    words_said = set(_WORD.findall(said))
    named = next((name for name in names if name in words_said), None)
    return names[0] if named is None and names and must else named


def usage(request: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any]:
    """Return token counts."""
    given = tokens(request.get("messages") or "")
    made = tokens(message.get("content") or message.get("tool_calls") or "")
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}


def tokens(value: object) -> int:
    """Return how many tokens a value has, at four characters each."""
    return max(1, len(value if isinstance(value, str) else json.dumps(value)) // 4)


def _last(request: Mapping[str, Any]) -> tuple[str, str]:
    """Return role and text of the last message."""
    messages = request.get("messages") or []
    last = messages[-1] if messages and isinstance(messages[-1], dict) else {}
    return str(last.get("role", "user")), words(last.get("content"))


def words(content: object) -> str:
    """Return the text of a message: a string, or the text of its parts."""
    if isinstance(content, list):
        found = [p["text"] for p in content if isinstance(p, dict) and p.get("text")]
        return " ".join(map(str, found))
    return str(content or "")


def example(schema: Mapping[str, Any] | None) -> Any:
    """Return a value that fits a JSON schema."""
    schema = schema or {}
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        return {name: example(part) for name, part in (schema.get("properties") or {}).items()}
    if kind == "array":
        return [example(schema.get("items") or {"type": "string"})]
    return {"string": "mock", "integer": 1, "number": 1.5, "boolean": True}.get(str(kind))


def pieces(whole: str) -> list[str]:
    """Cut a text as a stream brings it: word by word."""
    words = whole.split(" ")
    return [words[0], *(f" {word}" for word in words[1:])]


def event(document: Mapping[str, Any], name: str = "") -> bytes:
    """Write a server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(document, separators=(',', ':'))}\n\n".encode()


def identifier(prefix: str, request: Mapping[str, Any]) -> str:
    """Return an id that is always the same for the same request."""
    digest = hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()
    return f"{prefix}-mock-{digest[:16]}"
