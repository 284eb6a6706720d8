"""There and back again: what a request and an answer mean survives both translations."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from plano_filters import jsonbody
from plano_filters.errors import BadRequest
from plano_filters.translation import Traits, chat_to_messages, messages_to_chat
from plano_filters.translation.chat_to_messages.messages import OPENING
from plano_filters.translation.chat_to_messages.parameters import JSON_ONLY
from tests.framework.translation.anthropic_rules import message_of
from tests.framework.translation.chat_rules import refusals_of_messages
from tests.framework.translation.test_chat_to_messages_conversations import BODY, says_something

TRAITS = Traits(anthropic_version="2023-06-01", max_tokens=100_000)
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def there_and_back(body: dict[str, Any]) -> dict[str, Any]:
    """Translate a chat request to Messages and that to a chat request."""
    between = chat_to_messages.translate(body, TRAITS).payload
    return messages_to_chat.translate(between, TRAITS).payload


@given(BODY.filter(lambda body: any(map(says_something, body["messages"]))))
def test_a_conversation_means_the_same(body: dict[str, Any]) -> None:
    """Everybody says the same in the same order, and every call has its arguments and result.

    What is hoisted or merged on the way stays so: instructions to the top, results to their calls.
    """
    back = there_and_back(body)

    assert refusals_of_messages(back["messages"]) == []
    assert conversation(back) == conversation(body)


def conversation(body: dict[str, Any]) -> dict[str, Any]:
    """Return what is said in a chat request, by speaker, without blank texts."""
    messages = body["messages"]
    return {
        "system": instructions(body),
        "user": [part for m in messages if m["role"] == "user" for part in parts(m) if said(part)],
        "assistant": "".join(words(m) for m in messages if m["role"] == "assistant").rstrip(),
        "calls": exchanges(messages),
    }


def instructions(body: dict[str, Any]) -> str:
    """Return the system prompt; a demand for JSON without a schema is a line of it."""
    spoken = [m for m in body["messages"] if m["role"] in ("system", "developer")]
    texts = [part["text"] for m in spoken for part in parts(m) if said(part)]
    if body.get("response_format") == {"type": "json_object"}:
        texts.append(JSON_ONLY)
    return "\n\n".join(texts)


def parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return content if isinstance(content, list) else [{"type": "text", "text": content or ""}]


def said(part: dict[str, Any]) -> bool:
    """Say whether a part is of the client: no blank text, and no opening made on the way."""
    return part["type"] != "text" or part["text"].strip() not in ("", OPENING)


def words(message: dict[str, Any]) -> str:
    return "".join(part["text"] for part in parts(message) if said(part))


def exchanges(messages: list[dict[str, Any]]) -> list[tuple[str, Any, str]]:
    """Return every call, in order: its name, its input, and what the tool answered."""
    found = []
    for position, message in enumerate(messages):
        for call in message.get("tool_calls", ()):
            answer = next(
                each
                for each in messages[position:]
                if each["role"] == "tool" and each["tool_call_id"] == call["id"]
            )
            texts = "\n".join(part["text"] for part in parts(answer) if said(part))
            found.append((*called(call), texts))
    return found


def called(call: dict[str, Any]) -> tuple[str, Any]:
    """Return name and input; what is no object is kept as text under a name."""
    if call["type"] == "custom":
        return call["custom"]["name"], {"input": call["custom"]["input"]}
    name, arguments = call["function"]["name"], call["function"]["arguments"]
    if not arguments.strip():
        return name, {}
    try:
        return name, jsonbody.decode(arguments.encode())
    except BadRequest:
        return name, {"_raw": arguments}


@given(BODY.filter(lambda body: any(map(says_something, body["messages"]))))
def test_parameters_mean_the_same(body: dict[str, Any]) -> None:
    """What both dialects have a word for comes back under its newest name."""
    back = there_and_back(body)

    assert back.get("stop", []) == stops(body)
    assert back["max_completion_tokens"] == body.get("max_tokens", TRAITS.max_tokens)
    assert back.get("reasoning_effort") == effort(body)
    assert back.get("stream", False) == body.get("stream", False)
    if body.get("service_tier") != "flex":
        assert back.get("service_tier") == body.get("service_tier")
    if body.get("user"):
        hashed = hashlib.sha256(body["user"].encode()).hexdigest()
        assert back["safety_identifier"] == hashed
    if body.get("response_format", {}).get("type") == "json_schema":
        schema = body["response_format"]["json_schema"]["schema"]
        assert back["response_format"]["json_schema"]["schema"].items() >= schema.items()
    if body.get("tools"):
        assert names(back) == names(body)
        assert back.get("tool_choice", "auto") == body.get("tool_choice", "auto")
        one_at_a_time = body.get("parallel_tool_calls") is False
        if body.get("tool_choice") != "none":
            assert ("parallel_tool_calls" in back) == one_at_a_time


def stops(body: dict[str, Any]) -> list[str]:
    given = body.get("stop", [])
    return [stop for stop in ([given] if isinstance(given, str) else given) if stop.strip()]


def effort(body: dict[str, Any]) -> str | None:
    asked = body.get("reasoning_effort")
    return "low" if asked == "minimal" else asked


def names(body: dict[str, Any]) -> list[str]:
    return [tool[tool["type"]]["name"] for tool in body["tools"]]


TEXT = st.text(st.characters(codec="utf-8"), max_size=5)
SAID = st.builds(lambda text: {"type": "text", "text": f"x{text}"}, TEXT)
INPUT = st.dictionaries(TEXT, st.none() | st.integers(-9, 9) | TEXT, max_size=2)
COUNT = st.integers(0, 99)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a message of Anthropic's that chat completions have words for."""
    content: list[dict[str, Any]] = draw(st.lists(SAID, max_size=1))
    content += [
        {"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": draw(INPUT)}
        for n, name in enumerate(draw(st.lists(st.sampled_from(["f", "g"]), max_size=3)))
    ]
    called = any(block["type"] == "tool_use" for block in content)
    thought = draw(COUNT)
    return {
        "id": f"msg_{draw(COUNT)}",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": content,
        "stop_reason": draw(st.sampled_from(["tool_use" if called else "end_turn", "max_tokens"])),
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": draw(COUNT),
            "cache_creation_input_tokens": draw(COUNT),
            "cache_read_input_tokens": draw(COUNT),
            "output_tokens": draw(COUNT),
            **({"output_tokens_details": {"thinking_tokens": thought}} if thought else {}),
        },
    }


@given(answers())
def test_an_answer_is_the_same(message: dict[str, Any]) -> None:
    """A message that becomes a completion and a message again, field for field."""
    completion = chat_to_messages.translate(ASKED, TRAITS).answers.whole(message)

    assert messages_to_chat.translate(ASKED, TRAITS).answers.whole(completion) == message


@given(answers(), st.integers(1, 9))
def test_a_stream_comes_to_the_same(message: dict[str, Any], size: int) -> None:
    """The same message as a stream, in pieces of any size: the client puts together the same."""
    asked = {**ASKED, "stream": True, "stream_options": {"include_usage": True}}
    to_chat = chat_to_messages.translate(asked, TRAITS).answers.stream()
    to_messages = messages_to_chat.translate(asked, TRAITS).answers.stream()

    chunks = [chunk for event in events_of(message, size) for chunk in to_chat.take(event)]
    chunks += to_chat.finish()
    events = [event for chunk in chunks for event in to_messages.take(chunk)]
    got = message_of(events + to_messages.finish())

    for block in got["content"]:
        if block["type"] == "tool_use":
            block["input"] = json.loads(block["input"])
    assert got == message


def events_of(message: dict[str, Any], size: int) -> list[dict[str, Any]]:
    """Return a message as Anthropic streams it."""
    start = {**message, "content": [], "stop_reason": None}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(message["content"]):
        at = {"index": index}
        if block["type"] == "text":
            empty, kind, name, text = {**block, "text": ""}, "text_delta", "text", block["text"]
        else:
            empty, kind, name = {**block, "input": {}}, "input_json_delta", "partial_json"
            text = json.dumps(block["input"])
        events.append({"type": "content_block_start", **at, "content_block": empty})
        events += [
            {"type": "content_block_delta", **at, "delta": {"type": kind, name: text[n : n + size]}}
            for n in range(0, len(text), size)
        ]
        events.append({"type": "content_block_stop", **at})
    ended = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    events.append({"type": "message_delta", "delta": ended, "usage": message["usage"]})
    return [*events, {"type": "message_stop"}]
