"""What the mock says in the dialect `responses`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plano_filters.mock import core, responses
from tests.framework.mock.test_core import documents

WEATHER = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
ASKED = {"model": "fast", "input": "Hello", "tools": [WEATHER, {"type": "web_search"}]}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "rain"}


def test_a_stream_follows_the_grammar() -> None:
    """Events are numbered from zero, open and close in order, and end with the whole response."""
    request = {"model": "fast", "input": "Hello"}
    sent = documents(responses.events(request, "fast"))
    kinds = [event["type"] for event in sent]
    text = "".join(e["delta"] for e in sent if e["type"] == "response.output_text.delta")

    assert [event["sequence_number"] for event in sent] == list(range(len(sent)))
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert sent[-1]["response"] == responses.document(request, "fast")
    assert sent[-1]["response"]["output"][0]["content"][0]["text"] == text


def test_a_call_is_an_item() -> None:
    """With the arguments as a string; its pieces make it up."""
    whole = responses.document(ASKED, "fast")["output"][0]
    sent = documents(responses.events(ASKED, "fast"))
    delta = "response.function_call_arguments.delta"

    assert (whole["type"], whole["name"]) == ("function_call", "weather")
    assert json.loads(whole["arguments"]) == {"city": "mock"}
    assert "".join(e["delta"] for e in sent if e["type"] == delta) == whole["arguments"]
    assert sent[-1]["response"]["output"] == [whole]
    assert [e["type"] for e in sent if e["type"].endswith(".done")] == [
        "response.function_call_arguments.done",
        "response.output_item.done",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"tool_choice": "none"},
        {"tools": []},
        {"tools": [{"type": "web_search"}]},
        {"input": [{"role": "user", "content": "Hello"}, RESULT]},
        {"tools": [{**WEATHER, "name": f"tool_{n}"} for n in range(core.TOOLBOX)]},
    ],
)
def test_no_call(change: dict[str, Any]) -> None:
    """Not if forbidden, impossible, done already, or one of an agent's many that nobody named."""
    assert responses.document({**ASKED, **change}, "fast")["output"][0]["type"] == "message"


def test_a_tool_of_many_is_called_by_its_name() -> None:
    """So that an agent can be tried out without being told to do anything else."""
    tools = [{**WEATHER, "name": f"tool_{n}"} for n in range(10, 30)]
    item = responses.document({"input": "call tool_17", "tools": tools}, "fast")["output"][0]

    assert item["name"] == "tool_17"


@pytest.mark.parametrize(
    "given",
    [
        "Hello there",
        [{"role": "user", "content": "Hello there"}],
        [{"role": "user", "content": [{"type": "input_text", "text": "Hello there"}]}],
    ],
)
def test_input_of_every_shape_is_read(given: object) -> None:
    """A string, or items with text or parts."""
    item = responses.document({"input": given}, "fast")["output"][0]

    assert "You said: Hello there" in item["content"][0]["text"]
