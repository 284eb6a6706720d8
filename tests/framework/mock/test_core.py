"""What the mock says."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters.mock import core

HELLO: dict[str, Any] = {"model": "fast", "messages": [{"role": "user", "content": "Hello there"}]}
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer"},
                "unit": {"enum": ["celsius", "kelvin"]},
                "tags": {"type": "array", "items": {"type": "string"}},
                "place": {"type": "object", "properties": {"indoors": {"type": "boolean"}}},
            },
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {}}}


def documents(events: list[bytes]) -> list[dict[str, Any]]:
    """Read the data of events, `[DONE]` left out."""
    lines = [line for event in events for line in event.decode().splitlines()]
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [json.loads(one) for one in data if one != "[DONE]"]


def test_an_answer_names_the_model_and_echoes_the_question() -> None:
    """A first answer shows who served and that the request arrived."""
    message = core.chat(HELLO, "fast")["choices"][0]["message"]

    assert "fast" in message["content"]
    assert "Hello there" in message["content"]


def test_the_same_request_has_the_same_answer() -> None:
    """Nothing in an answer is drawn or read from a clock."""
    assert core.chat(HELLO, "fast") == core.chat(HELLO, "fast")


@given(st.text())
def test_the_chunks_of_a_stream_make_up_the_plain_answer(said: str) -> None:
    """Streamed or not, the text is the same, whatever was said."""
    request = {**HELLO, "messages": [{"role": "user", "content": said}]}
    chunks = documents(core.chat_events(request, "fast"))
    text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks)

    assert text == core.chat(request, "fast")["choices"][0]["message"]["content"]


def test_a_chat_stream_follows_the_grammar() -> None:
    """Role first, then text, then the finish reason, then `[DONE]`; no usage unless asked."""
    events = core.chat_events(HELLO, "fast")
    chunks = documents(events)

    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[-1]["choices"][0] == {"index": 0, "delta": {}, "finish_reason": "stop"}
    assert events[-1] == b"data: [DONE]\n\n"
    assert all("usage" not in chunk for chunk in chunks)


def test_usage_is_streamed_on_request() -> None:
    """With `include_usage`, the last chunk has the counts and no choices."""
    request = {**HELLO, "stream_options": {"include_usage": True}}
    last = documents(core.chat_events(request, "fast"))[-1]

    assert last["choices"] == []
    assert last["usage"] == core.chat(request, "fast")["usage"]
    assert last["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        ({"tools": [TOOL, CLOCK]}, "weather"),
        ({"tools": [TOOL, CLOCK], "tool_choice": "required"}, "weather"),
        (
            {
                "tools": [TOOL, CLOCK],
                "tool_choice": {"type": "function", "function": {"name": "clock"}},
            },
            "clock",
        ),
        ({"tools": [TOOL], "tool_choice": "none"}, None),
        ({"tools": []}, None),
        ({}, None),
    ],
)
def test_tool_choice(request_: dict[str, Any], name: str | None) -> None:
    """The first tool is called unless another is named, or none may be."""
    call = core.tool_call({**HELLO, **request_})

    assert (call["function"]["name"] if call else None) == name


def test_arguments_fit_the_schema() -> None:
    """Every property of a tool's parameters gets a value of its type."""
    call = core.tool_call({**HELLO, "tools": [TOOL]})
    assert call is not None

    assert json.loads(call["function"]["arguments"]) == {
        "city": "mock",
        "days": 1,
        "unit": "celsius",
        "tags": ["mock"],
        "place": {"indoors": True},
    }


def test_a_tools_result_is_answered_in_text() -> None:
    """After the tool has answered, the mock does not call it again."""
    result = {"role": "tool", "tool_call_id": "1", "content": "rain"}
    request = {"messages": [*HELLO["messages"], result], "tools": [TOOL]}
    choice = core.chat(request, "fast")["choices"][0]

    assert choice["finish_reason"] == "stop"
    assert "rain" in choice["message"]["content"]


def test_a_streamed_call_is_put_together_again() -> None:
    """Name and id come in the first piece, the arguments in further ones."""
    request = {**HELLO, "tools": [TOOL]}
    whole = core.chat(request, "fast")["choices"][0]["message"]["tool_calls"][0]
    deltas = [c["choices"][0]["delta"] for c in documents(core.chat_events(request, "fast"))]
    pieces = [call for delta in deltas for call in delta.get("tool_calls", [])]

    assert pieces[0]["id"] == whole["id"]
    assert pieces[0]["function"]["name"] == "weather"
    arguments = "".join(piece["function"]["arguments"] for piece in pieces)
    assert arguments == whole["function"]["arguments"]


def test_embeddings_in_both_encodings_are_the_same_numbers() -> None:
    """Floats and base64 carry one vector, in single precision."""
    request = {"input": ["one", "two"]}
    floats = core.embeddings(request, "fast")["data"]
    packed = core.embeddings({**request, "encoding_format": "base64"}, "fast")["data"]

    for plain, coded in zip(floats, packed, strict=True):
        raw = base64.b64decode(coded["embedding"])
        assert struct.unpack(f"<{core.DIMENSIONS}f", raw) == pytest.approx(plain["embedding"])
    assert floats[0]["embedding"] != floats[1]["embedding"]


@pytest.mark.parametrize(
    ("content", "echoed"),
    [
        ("words", "words"),
        ([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], "one two"),
        (None, ""),
    ],
)
def test_content_of_every_shape_is_read(content: object, echoed: str) -> None:
    """Text, a list of parts and nothing at all are valid contents."""
    request = {"messages": [{"role": "user", "content": content}]}

    assert core.text(request, "fast").endswith(f"You said: {echoed}")


def test_a_toolbox_is_left_alone() -> None:
    """An agent would act on a call that nobody asked for; a tool that is named is called."""
    tools = [{"type": "function", "function": {"name": f"tool_{n}"}} for n in range(10, 30)]
    named = {"messages": [{"role": "user", "content": "call tool_17"}], "tools": tools}
    call = core.tool_call(named)

    assert core.tool_call({**HELLO, "tools": tools}) is None
    assert call is not None
    assert call["function"]["name"] == "tool_17"
