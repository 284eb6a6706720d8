"""What the mock says in the dialect `messages`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plano_filters.mock import core, messages
from tests.framework.mock.test_core import documents

HELLO: dict[str, Any] = {
    "model": "fast",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello there"}],
}
WEATHER = {
    "name": "weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
ASKED = {**HELLO, "tools": [{"type": "web_search_20260209", "name": "web_search"}, WEATHER]}


def test_an_answer() -> None:
    """It names the model and echoes the question, and has what Anthropic's SDK reads."""
    whole = messages.document(HELLO, "fast")

    assert whole["content"][0]["text"].startswith("I am fast")
    assert "Hello there" in whole["content"][0]["text"]
    assert whole["stop_reason"] == "end_turn"
    assert whole["usage"]["input_tokens"] == messages.count(HELLO, "fast")["input_tokens"] > 0


@pytest.mark.parametrize("request_", [HELLO, ASKED])
def test_a_stream_follows_the_grammar(request_: dict[str, Any]) -> None:
    """Start, one block opened, filled and closed, delta with usage, stop; names on every event."""
    events = messages.events(request_, "fast")
    sent = documents(events)
    kinds = [one["type"] for one in sent]

    assert [e.decode().split("\n")[0].removeprefix("event: ") for e in events] == kinds
    assert kinds[:3] == ["message_start", "content_block_start", "ping"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[3:-3]) == {"content_block_delta"}
    assert sent[0]["message"]["content"] == []
    assert sent[-2]["usage"] == messages.document(request_, "fast")["usage"]


def test_the_pieces_of_a_stream_make_up_the_plain_answer() -> None:
    """Text and the input of a call."""
    text = documents(messages.events(HELLO, "fast"))
    call = documents(messages.events(ASKED, "fast"))
    said = "".join(one["delta"].get("text", "") for one in text if "delta" in one)
    given = "".join(one["delta"].get("partial_json", "") for one in call if "delta" in one)

    assert said == messages.document(HELLO, "fast")["content"][0]["text"]
    assert json.loads(given) == messages.document(ASKED, "fast")["content"][0]["input"]


def test_a_call() -> None:
    """The first tool that the client runs, with an input that fits its schema."""
    whole = messages.document(ASKED, "fast")

    assert whole["stop_reason"] == "tool_use"
    assert whole["content"][0]["name"] == "weather"
    assert whole["content"][0]["input"] == {"city": "mock"}


RESULT = {"role": "user", "content": [{"type": "tool_result", "content": "rain"}]}


@pytest.mark.parametrize(
    "change",
    [
        {"tool_choice": {"type": "none"}},
        {"tools": []},
        {"messages": [*HELLO["messages"], RESULT]},
        {"tools": [{**WEATHER, "name": f"tool_{n}"} for n in range(core.TOOLBOX)]},
    ],
)
def test_no_call(change: dict[str, Any]) -> None:
    """Not if forbidden, impossible, done already, or one of an agent's many that nobody named."""
    assert messages.document({**ASKED, **change}, "fast")["stop_reason"] == "end_turn"


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "weather"}])
def test_a_call_is_made_if_it_must_be(choice: dict[str, Any]) -> None:
    """Also out of an agent's toolbox."""
    tools = [WEATHER, *({**WEATHER, "name": f"tool_{n}"} for n in range(20))]
    whole = messages.document({**HELLO, "tools": tools, "tool_choice": choice}, "fast")

    assert whole["content"][0]["name"] == "weather"


def test_a_tools_result_is_answered_in_text() -> None:
    """With what it said."""
    request = {**ASKED, "messages": [*HELLO["messages"], RESULT]}

    assert "rain" in messages.document(request, "fast")["content"][0]["text"]


def test_of_several_texts_the_last_is_the_users() -> None:
    """Agents put reminders of their own in front of it."""
    parts = [{"type": "text", "text": "<reminder>"}, {"type": "text", "text": "Hi"}]
    request = {**HELLO, "messages": [{"role": "user", "content": parts}]}

    assert messages.document(request, "fast")["content"][0]["text"].endswith("You said: Hi")
