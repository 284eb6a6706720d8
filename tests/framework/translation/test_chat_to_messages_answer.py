"""Answers of a Messages API as chat completions: every rule, one row."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from plano_filters.translation import Answers, Traits
from plano_filters.translation.chat_to_messages import translate

PATCH = {"type": "custom", "custom": {"name": "patch"}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


def answers() -> Answers:
    """Return what translates the answers to a request with a custom tool, at a time of ours."""
    body = {"model": "claude", "messages": [{"role": "user", "content": "Hi"}], "tools": [PATCH]}
    return translate(body, Traits(), now=lambda: 1_700_000_000.9).answers


def message(*content: Any, **more: Any) -> dict[str, Any]:
    """Return an answer as a Messages API gives it."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": list(content),
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 2},
        **more,
    }


def text(value: str, **more: Any) -> dict[str, Any]:
    """Return a text block."""
    return {"type": "text", "text": value, **more}


def use(id_: str, name: str, given: Any) -> dict[str, Any]:
    """Return a call as a Messages API gives it."""
    return {"type": "tool_use", "id": id_, "name": name, "input": given}


def function(id_: str, name: str, arguments: str) -> dict[str, Any]:
    """Return a call as a chat completion has it."""
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_the_whole_of_an_answer() -> None:
    """Nothing is missing that a chat client reads, and the SDK of OpenAI takes it as it is."""
    document = answers().whole(message(text("Hello")))

    assert document == {
        "id": "chatcmpl-msg_1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "claude-x",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 2,
            "total_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        },
    }
    assert ChatCompletion.model_validate(document).choices[0].message.content == "Hello"


WEB = {
    "type": "web_search_result_location",
    "url": "https://x.example",
    "title": "X",
    "cited_text": "c",
    "encrypted_index": "e",
}
PAGE = {"type": "page_location", "document_index": 0, "cited_text": "c"}


def citation(start: int, end: int, title: str = "X") -> dict[str, Any]:
    """Return a citation as a chat completion has it."""
    page = {"start_index": start, "end_index": end, "title": title, "url": "https://x.example"}
    return {"type": "url_citation", "url_citation": page}


MESSAGES: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "texts are one text": ([text("a"), text("b")], {"content": "ab"}),
    "nothing said": ([], {"content": ""}),
    "a call alone": (
        [use("t1", "weather", {"city": "Köln", "days": [1, 2]})],
        {"content": None,
         "tool_calls": [function("t1", "weather", '{"city":"Köln","days":[1,2]}')]},
    ),
    "text and calls": (
        [text("Look:"), use("t1", "weather", {}), use("t2", "clock", None)],
        {"content": "Look:",
         "tool_calls": [function("t1", "weather", "{}"), function("t2", "clock", "{}")]},
    ),
    "a custom call": (
        [use("t1", "patch", {"input": "*** Begin"})],
        {"content": None, "tool_calls": [
            {"id": "t1", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}]},
    ),
    "a custom call with another input": (
        [use("t1", "patch", {"text": "x"})],
        {"content": None, "tool_calls": [
            {"id": "t1", "type": "custom", "custom": {"name": "patch", "input": '{"text":"x"}'}}]},
    ),
    "a custom call without input": (
        [use("t1", "patch", {})],
        {"content": None, "tool_calls": [
            {"id": "t1", "type": "custom", "custom": {"name": "patch", "input": ""}}]},
    ),
    "thinking": (
        [{"type": "thinking", "thinking": "Hm.", "signature": "s"}, text("a")],
        {"content": "a", "reasoning_content": "Hm."},
    ),
    "thinking that is kept back": (
        [{"type": "thinking", "thinking": "", "signature": "s"},
         {"type": "redacted_thinking", "data": "d"}, text("a")],
        {"content": "a"},
    ),
    "tools of the provider": (
        [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
         {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}, text("a")],
        {"content": "a"},
    ),
    "citations": (
        [text("See "), text("here", citations=[WEB, {**WEB, "title": None}]), text(".")],
        {"content": "See here.", "annotations": [citation(4, 8), citation(4, 8, "")]},
    ),
    "citations of documents": ([text("a", citations=[PAGE])], {"content": "a"}),
    "no citations": ([text("a", citations=None)], {"content": "a"}),
}  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), MESSAGES.values(), ids=MESSAGES)
def test_a_message(content: list[Any], expected: dict[str, Any]) -> None:
    """Each block becomes what a chat client looks for."""
    document = answers().whole(message(*content))

    assert document["choices"][0]["message"] == {
        "role": "assistant", "refusal": None, **expected,
    }  # fmt: skip
    ChatCompletion.model_validate(document)


@pytest.mark.parametrize(
    ("stop_reason", "calls", "expected"),
    [
        ("end_turn", False, "stop"),
        ("stop_sequence", False, "stop"),
        ("pause_turn", False, "stop"),
        ("max_tokens", False, "length"),
        ("model_context_window_exceeded", False, "length"),
        ("tool_use", True, "tool_calls"),
        ("refusal", False, "content_filter"),
        ("something_new", False, "stop"),
        (None, False, "stop"),
        (["odd"], False, "stop"),
        ("end_turn", True, "tool_calls"),
        ("max_tokens", True, "length"),
        ("refusal", True, "content_filter"),
    ],
)
def test_why_it_stopped(stop_reason: Any, calls: bool, expected: str) -> None:
    """Every reason has OpenAI's word; with calls, `stop` is `tool_calls`."""
    content = [use("t1", "weather", {})] if calls else [text("a")]

    document = answers().whole(message(*content, stop_reason=stop_reason, stop_sequence="END"))

    assert document["choices"][0]["finish_reason"] == expected


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"type": "refusal", "category": "bio", "explanation": "No."}, "No."),
        ({"type": "refusal", "category": None, "explanation": None}, None),
        (None, None),
    ],
)
def test_a_refusal_is_explained(details: Any, expected: str | None) -> None:
    """What the provider says of its refusal is in `refusal`, beside what was already said."""
    document = answers().whole(message(text("I"), stop_reason="refusal", stop_details=details))

    assert document["choices"][0]["message"]["refusal"] == expected
    assert document["choices"][0]["message"]["content"] == "I"
    assert document["choices"][0]["finish_reason"] == "content_filter"


USAGE: dict[str, tuple[Any, Any]] = {
    "plain": ({"input_tokens": 3, "output_tokens": 2}, (3, 2, 0, 0, None)),
    "caches are part of the prompt": (
        {"input_tokens": 3, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20,
         "output_tokens": 2}, (123, 2, 100, 20, None)
    ),
    "thought is part of the answer": (
        {"input_tokens": 3, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 7}},
        (3, 9, 0, 0, 7),
    ),
    "nulls": (
        {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": None,
         "output_tokens_details": None}, (3, 2, 0, 0, None)
    ),
    "never negative, never odd": (
        {"input_tokens": -3, "output_tokens": "2", "cache_read_input_tokens": True},
        (0, 0, 0, 0, None),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spent", "expected"), USAGE.values(), ids=USAGE)
def test_usage(spent: dict[str, Any], expected: tuple[int, int, int, int, int | None]) -> None:
    """OpenAI's prompt includes what caches hold; what is not counted is absent, not 0."""
    usage = answers().whole(message(usage=spent))["usage"]

    prompt, completion, read, written, thought = expected
    assert usage["prompt_tokens"] == prompt
    assert usage["completion_tokens"] == completion
    assert usage["total_tokens"] == prompt + completion
    assert usage["prompt_tokens_details"] == {"cached_tokens": read, "cache_write_tokens": written}
    assert usage.get("completion_tokens_details", {}).get("reasoning_tokens") == thought


@pytest.mark.parametrize("spent", [None, {}, "much"])
def test_usage_that_is_not_told_is_absent(spent: Any) -> None:
    """Unknown is not 0."""
    assert "usage" not in answers().whole(message(usage=spent))


@pytest.mark.parametrize(
    ("tier", "expected"),
    [("standard", "default"), ("priority", "priority"), ("batch", None), (None, None), ([], None)],
)
def test_the_service_tier(tier: Any, expected: str | None) -> None:
    """The tier that served the request has OpenAI's name, if OpenAI has one."""
    document = answers().whole(message(usage={"input_tokens": 1, "service_tier": tier}))

    assert document.get("service_tier") == expected


BLOCK = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "thinking", "tool_use", "other"]) | JSON},
    optional=dict.fromkeys(("text", "thinking", "id", "name", "input", "citations"), JSON),
)  # fmt: skip


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "content": st.lists(BLOCK | JSON, max_size=4) | JSON,
            **dict.fromkeys(("id", "model", "stop_reason", "stop_details", "usage", "type"), JSON),
        },
    )
)
def test_nothing_makes_it_fail(document: dict[str, Any]) -> None:
    """Whatever a provider sends with status 200, the client gets a completion."""
    completion = answers().whole(document)

    (choice,) = completion["choices"]
    assert choice["finish_reason"] in ("stop", "length", "tool_calls", "content_filter")
    for call in choice["message"].get("tool_calls", []):
        assert call["type"] == "custom" or json.loads(call["function"]["arguments"]) is not None
    for count in completion.get("usage", {}).values():
        assert isinstance(count, dict) or count >= 0
    ChatCompletion.model_validate(completion)


def test_an_input_too_deep_to_be_written_is_left_out() -> None:
    """Not even that raises."""
    deep: Any = {}
    for _ in range(10_000):
        deep = {"a": deep}

    document = answers().whole(message(use("t1", "weather", deep)))

    call = document["choices"][0]["message"]["tool_calls"][0]
    assert call["function"]["arguments"] == "{}"
