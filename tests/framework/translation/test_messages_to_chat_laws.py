"""What holds of every request of an Anthropic client, and of Claude Code's."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters.errors import BadRequest
from plano_filters.translation import Traits
from plano_filters.translation.messages_to_chat import translate
from tests.framework.translation.anthropic_requests import broken_requests, requests
from tests.framework.translation.chat_rules import refusals, refusals_of_messages

TRAITS = st.builds(
    Traits,
    max_tokens=st.none() | st.just(5),
    stream_usage=st.booleans(),
    cache_breakpoints=st.booleans(),
)


def leaves(value: Any) -> Iterator[str]:
    """Yield every string in a JSON value."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value or ():
        if isinstance(inner, dict | list | str) and inner != value:
            yield from leaves(inner)


@given(requests(), TRAITS)
def test_a_good_request_stays_one(request_: dict[str, Any], traits: Traits) -> None:
    """A strict chat provider takes whatever Anthropic would have taken; the input is unchanged."""
    before = copy.deepcopy(request_)

    outgoing = translate(request_, traits)

    assert refusals(outgoing.payload) == []
    assert request_ == before
    assert len(set(outgoing.dropped)) == len(outgoing.dropped)


@given(requests())
def test_no_word_is_lost(request_: dict[str, Any]) -> None:
    """Every text, image, call and result of a conversation is in what the provider gets."""
    outgoing = translate(request_, Traits())

    sent = "\n".join(leaves(outgoing.payload["messages"]))
    for message in request_["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else ():
            if block["type"] in ("text", "tool_use"):
                assert block.get("text", block.get("id")) in sent
            if block["type"] == "image":
                assert next(reversed(block["source"].values())) in sent
            if block["type"] == "tool_result":
                assert all(text in sent for text in texts_of(block.get("content")))


def texts_of(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [block["text"] for block in content or () if block["type"] == "text"]


@given(requests())
def test_every_parameter_arrives_or_is_listed(request_: dict[str, Any]) -> None:
    """What of the top level has no counterpart in the outgoing request is named."""
    outgoing = translate(request_, Traits())
    moved = {
        "max_tokens": "max_completion_tokens", "stop_sequences": "stop", "system": "messages",
        "metadata": "safety_identifier", "thinking": "reasoning_effort",
        "output_config": "reasoning_effort",
    }  # fmt: skip

    for name, value in request_.items():
        if value not in ([], {}, {"edits": []}):
            listed = any(path == name or path.startswith(f"{name}.") for path in outgoing.dropped)
            assert listed or moved.get(name, name) in outgoing.payload, name


@given(broken_requests(), TRAITS)
def test_a_broken_request_is_refused_or_made_good(request_: dict[str, Any], traits: Traits) -> None:
    """Nothing but a 400 with the name of a field is raised, and no broken conversation is sent."""
    before = copy.deepcopy(request_)
    try:
        outgoing = translate(request_, traits)
    except BadRequest as error:
        assert error.param  # noqa: PT017  # either way is good
    else:
        assert refusals_of_messages(outgoing.payload["messages"]) == []
    assert request_ == before


def claude_code() -> dict[str, Any]:
    """Return a request with the traits of Claude Code 2.1, in its size."""
    cached = {"type": "ephemeral", "ttl": "1h"}
    schema = {
        "type": "object",
        "properties": {"command": {"type": "string", "description": "d" * 2_000}},
        "required": ["command"],
        "additionalProperties": False,
        "$schema": "http://json-schema.org/draft-07/schema#",
    }
    tools = [
        {"name": f"Tool{n}", "description": "t" * 500, "input_schema": schema} for n in range(24)
    ]
    return {
        "model": "claude-sonnet-4-5",
        "max_tokens": 32_000,
        "stream": True,
        "system": [
            {"type": "text", "text": "You are Claude Code.", "cache_control": cached},
            {"type": "text", "text": "s" * 10_000, "cache_control": cached},
        ],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "<system-reminder>r</system-reminder>"},
                {"type": "text", "text": "list the files", "cache_control": cached}]},
            {"role": "system", "content": "The date is today."},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s" * 400},
                {"type": "tool_use", "id": "toolu_1", "name": "Tool1",
                 "input": {"command": "ls"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a.py",
                 "is_error": False, "cache_control": cached}]},
        ],
        "tools": [*tools, {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}],
        "metadata": {"user_id": json.dumps({"device_id": "d" * 64, "session_id": "s" * 36})},
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "medium"},
    }  # fmt: skip


def test_claude_codes_request() -> None:
    """All of it arrives but what only Anthropic has, and that is listed."""
    outgoing = translate(claude_code(), Traits(max_tokens=16_384))

    body = outgoing.payload
    assert refusals(body) == []
    assert [message["role"] for message in body["messages"]] == [
        "system", "user", "system", "assistant", "tool",
    ]  # fmt: skip
    assert len(body["tools"]) == 24
    assert len(body["safety_identifier"]) == 64
    assert body["reasoning_effort"] == "medium"
    assert body["max_completion_tokens"] == 16_384
    assert body["stream_options"] == {"include_usage": True}
    assert outgoing.dropped == (
        "system.0.cache_control",
        "system.1.cache_control",
        "messages.0.content.1.cache_control",
        "messages.2.content.0",
        "messages.3.content.0.cache_control",
        "tools.24",
        "max_tokens",
        "context_management",
    )


@pytest.mark.parametrize("traits", [Traits(), Traits(cache_breakpoints=True)])
def test_the_prefix_of_a_conversation_stays_the_same(traits: Traits) -> None:
    """A turn more changes nothing before it, so a provider's prompt cache is of use."""
    shorter = claude_code()
    longer = copy.deepcopy(shorter)
    longer["messages"] += [
        {"role": "assistant", "content": [{"type": "text", "text": "a.py"}]},
        {"role": "user", "content": [{"type": "text", "text": "thanks"}]},
    ]

    first = translate(shorter, traits).payload["messages"]
    second = translate(longer, traits).payload["messages"]

    assert second[: len(first)] == first
