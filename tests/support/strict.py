"""Providers that refuse what the real services refuse, and answer the rest.

Source: the error messages of the Anthropic and OpenAI APIs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.support import answers
from tests.support.provider import Received, Reply

MESSAGES_FIELDS = frozenset({
    "model", "max_tokens", "messages", "system", "stream", "stop_sequences", "temperature",
    "top_p", "top_k", "tools", "tool_choice", "thinking", "metadata", "service_tier",
    "output_config", "context_management", "mcp_servers", "container", "cache_control",
})  # fmt: skip
CHAT_FIELDS = frozenset({
    "model", "messages", "max_tokens", "max_completion_tokens", "stream", "stream_options", "stop",
    "temperature", "top_p", "n", "tools", "tool_choice", "parallel_tool_calls", "response_format",
    "reasoning_effort", "user", "safety_identifier", "service_tier", "seed", "logprobs",
    "top_logprobs", "logit_bias", "presence_penalty", "frequency_penalty", "store", "metadata",
    "prompt_cache_key", "verbosity",
})  # fmt: skip
TOOL_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
BLOCKS = {
    "user": {"text", "image", "document", "tool_result"},
    "assistant": {"text", "tool_use", "thinking", "redacted_thinking"},
    "system": {"text"},
}
NEW = "2026-10-21"


class Refused(Exception):
    """What the service would say."""


def need(condition: object, message: str) -> None:
    """Refuse a request unless a condition holds."""
    if not condition:
        raise Refused(message)


async def messages(reply: Reply) -> None:
    """Answer as Anthropic's Messages API would: plain or streamed, by a call if there are tools."""
    try:
        check_messages(reply.request)
    except Refused as refused:
        body = answers.message_error_document(400, "invalid_request_error", str(refused))
        await reply.whole(400, json.dumps(body).encode(), {"request-id": "req_theirs"})
        return
    payload = reply.request.json
    model, calls = payload["model"], bool(payload.get("tools"))
    calls = calls and payload.get("tool_choice", {}).get("type") != "none"
    last = payload["messages"][-1]["content"]
    if not isinstance(last, str):
        calls = calls and all(block["type"] != "tool_result" for block in last)
    document = answers.message_call_document if calls else answers.message_document
    events = answers.message_call_events if calls else answers.message_events
    headers = {"request-id": "req_theirs", "anthropic-ratelimit-tokens-remaining": "7"}
    await _play(reply, document(model), events(model), headers)


async def chat(reply: Reply) -> None:
    """Answer as OpenAI would: plain or streamed, by a call if there are tools."""
    try:
        check_chat(reply.request)
    except Refused as refused:
        body = {"error": {"message": str(refused), "type": "invalid_request_error", "param": None,
                          "code": "strict"}}  # fmt: skip
        await reply.whole(400, json.dumps(body).encode(), {"x-request-id": "req_theirs"})
        return
    payload = reply.request.json
    model = payload["model"]
    calls = payload.get("tools") and payload.get("tool_choice") != "none"
    calls = calls and payload["messages"][-1]["role"] != "tool"
    document = answers.tool_call_document if calls else answers.chat_document
    events = (answers.tool_call_events if calls else answers.chat_events)(model)
    if payload.get("stream_options", {}).get("include_usage"):
        usage = {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}
        last = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
                "model": model, "choices": [], "usage": usage}  # fmt: skip
        events.insert(-1, answers.event(last))
    headers = {"x-request-id": "req_theirs", "x-ratelimit-remaining-tokens": "7"}
    await _play(reply, document(model), events, headers)


async def _play(
    reply: Reply, document: dict[str, Any], events: list[bytes], headers: dict[str, str]
) -> None:
    if reply.request.json.get("stream"):
        await reply.stream_head(headers)
        await reply.events(events)
        await reply.send(b"0\r\n\r\n")
    else:
        await reply.whole(200, json.dumps(document).encode(), headers)


def check_messages(request: Received) -> None:
    """Refuse what Anthropic's Messages API refuses.

    Raises:
        Refused: With its words.
    """
    payload, version = request.json, request.headers.get("anthropic-version")
    need(version, "anthropic-version: header is required")
    need("x-api-key" in request.headers, "x-api-key header is required")
    need("authorization" not in request.headers, "two credentials")
    need(not any(name.startswith("openai-") for name in request.headers), "an OpenAI header")
    for name in payload:
        need(name in MESSAGES_FIELDS, f"{name}: Extra inputs are not permitted")
    tokens = payload.get("max_tokens")
    need(isinstance(tokens, int) and tokens > 0, "max_tokens: Field required")
    if version == NEW:
        for name in ("temperature", "top_p", "top_k"):
            need(name not in payload, f"{name}: not supported in this API version")
    temperature = payload.get("temperature", 1)
    need(0 <= temperature <= 1, "temperature: range: 0..1")
    for text in payload.get("stop_sequences", []):
        need(text.strip(), "stop_sequences: each stop sequence must contain non-whitespace")
    _check_tools(payload)
    _check_turns(payload)
    if not isinstance(payload.get("system", ""), str):
        for block in payload["system"]:
            need(block.get("text"), "system: text content blocks must be non-empty")


def _check_tools(payload: Mapping[str, Any]) -> None:
    tools = payload.get("tools") or []
    for tool in tools:
        need(TOOL_NAME.match(tool.get("name", "")), "tools: name")
        schema = tool.get("input_schema") or {}
        need(schema.get("type") == "object", "tools: input_schema.type: Field required")
        for name in tool:
            known = {"type", "name", "description", "input_schema", "strict", "cache_control"}
            need(name in known, f"tools.{name}: Extra inputs are not permitted")
    choice = payload.get("tool_choice")
    need(choice is None or tools, "tool_choice: may only be specified while providing tools")
    need(choice is None or choice["type"] in ("auto", "any", "none", "tool"), "tool_choice.type")


def _check_turns(payload: Mapping[str, Any]) -> None:
    turns = payload.get("messages") or []
    need(turns, "messages: at least one message is required")
    need(turns[0]["role"] == "user", "messages: first message must use the user role")
    due: list[str] = []
    for number, turn in enumerate(turns):
        need(set(turn) == {"role", "content"}, f"messages.{number}: Extra inputs")
        need(turn["role"] in BLOCKS, f"messages.{number}.role")
        content = turn["content"]
        need(content, f"messages.{number}: content must be non-empty")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks:
            need(block["type"] in BLOCKS[turn["role"]], f"messages.{number}: {block['type']}")
            if block["type"] == "text":
                need(block["text"], "messages: text content blocks must be non-empty")
        results = [b["tool_use_id"] for b in blocks if b["type"] == "tool_result"]
        first = [b["type"] for b in blocks[: len(results)]]
        need(sorted(results) == sorted(due), f"messages.{number}: tool_use without tool_result")
        need(set(first) <= {"tool_result"}, f"messages.{number}: tool_result must come first")
        due = [b["id"] for b in blocks if b["type"] == "tool_use"]
        need(not due or payload.get("tools"), "tools: required where tool_use blocks are")
    need(not due, "messages: tool_use without tool_result")


def check_chat(request: Received) -> None:
    """Refuse what OpenAI's chat completions refuse.

    Raises:
        Refused: With its words, more or less.
    """
    payload = request.json
    need("authorization" in request.headers, "You didn't provide an API key")
    need("x-api-key" not in request.headers, "two credentials")
    need(not any(name.startswith("anthropic-") for name in request.headers), "Anthropic's header")
    for name in payload:
        need(name in CHAT_FIELDS, f"Unrecognized request argument supplied: {name}")
    need(payload.get("messages"), "messages is too short")
    need("stream_options" not in payload or payload.get("stream"), "stream_options without stream")
    need(len(payload.get("safety_identifier", "")) <= 64, "safety_identifier is too long")
    need(len(payload.get("stop") or []) <= 4 or isinstance(payload["stop"], str), "stop: too long")
    tools = payload.get("tools") or []
    for tool in tools:
        need(tool["type"] == "function", "tools.type")
        need(TOOL_NAME.match(tool["function"]["name"]), "tools.function.name")
    need(tools or "tool_choice" not in payload, "tool_choice without tools")
    due: list[str] = []
    for number, message in enumerate(payload["messages"]):
        role = message["role"]
        need(role in ("system", "developer", "user", "assistant", "tool"), f"messages.{number}")
        if role == "tool":
            need(message["tool_call_id"] in due, f"messages.{number}: no such call")
            due.remove(message["tool_call_id"])
        else:
            need(not due, "an assistant message with tool_calls must be followed by tool messages")
            due = [call["id"] for call in message.get("tool_calls") or []]
        need(message.get("content") or due or role == "assistant", f"messages.{number}.content")
    need(not due, "an assistant message with tool_calls must be followed by tool messages")
