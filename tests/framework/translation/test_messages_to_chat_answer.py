"""Whole chat completions, as an Anthropic client gets them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st

from plano_filters.translation import Traits
from plano_filters.translation.messages_to_chat import translate
from tests.framework.translation.anthropic_rules import REASONS

ASKED: dict[str, Any] = {"model": "asked", "messages": [{"role": "user", "content": "hi"}]}
ANSWERS = translate(ASKED, Traits()).answers
THINKING = translate(ASKED, Traits(reasoning_content=True)).answers
NO_USAGE = {
    "input_tokens": 0,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 0,
}


def completion(finish: object = "stop", **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "chatcmpl-1", "model": "gpt", "choices": [choice]}


def call(arguments: Any = "{}", call_id: Any = "c1", name: Any = "look") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def use(call_id: str = "c1", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "look", "input": given}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def test_a_whole_answer() -> None:
    """Every field an Anthropic client may read, with what the provider said."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    document = {**completion(content="hello"), "usage": usage}
    before = copy.deepcopy(document)

    message = ANSWERS.whole(document)

    assert message == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "gpt",
        "content": [text("hello")],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 30,
            "cache_read_input_tokens": 60,
            "output_tokens": 7,
            "output_tokens_details": {"thinking_tokens": 5},
        },
    }
    assert document == before
    Message.model_validate(message)


CONTENT: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "text": ({"content": "a"}, [text("a")]),
    "empty-text": ({"content": ""}, []),
    "null-text": ({"content": None}, []),
    "list-of-parts": (
        {"content": [{"type": "thinking", "thinking": []}, text("a"), text("b")]}, [text("ab")]),
    "text-before-calls": ({"content": "a", "tool_calls": [call()]}, [text("a"), use()]),
    "calls-alone": (
        {"content": None, "tool_calls": [call('{"a": 1}'), call("{}", "c2")]},
        [use(a=1), use("c2")]),
    "empty-arguments": ({"tool_calls": [call("")]}, [use()]),
    "null-arguments": ({"tool_calls": [call(None)]}, [use()]),
    "arguments-as-an-object": ({"tool_calls": [call({"a": 1})]}, [use(a=1)]),
    "arguments-that-are-no-json": ({"tool_calls": [call("{a")]}, [use(_raw="{a")]),
    "arguments-nested-without-end": (
        {"tool_calls": [call('{"a":' * 9_999)]}, [use(_raw='{"a":' * 9_999)]),
    "arguments-nested-too-deep-to-write": (
        {"tool_calls": [call('{"a":' * 99 + "1" + "}" * 99)]},
        [use(_raw='{"a":' * 99 + "1" + "}" * 99)]),
    "arguments-that-are-no-object": ({"tool_calls": [call("[1]")]}, [use(_raw="[1]")]),
    "a-call-without-name": ({"tool_calls": [call(name=None), call()]}, [use()]),
    "refusal": ({"content": None, "refusal": "no"}, [text("no")]),
    "reasoning": ({"content": "a", "reasoning_content": "hm"}, [text("a")]),
}  # fmt: skip


@pytest.mark.parametrize(("message", "content"), CONTENT.values(), ids=CONTENT)
def test_a_message_becomes_blocks(message: dict[str, Any], content: list[dict[str, Any]]) -> None:
    """Text first, then a block for each call with its input as an object."""
    assert ANSWERS.whole(completion(**message))["content"] == content


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thoughts_are_kept_for_a_provider_that_wants_them_back(field: str) -> None:
    """The client can return only what it got."""
    content = THINKING.whole(completion(content="a", **{field: "hm"}))["content"]

    assert content == [{"type": "thinking", "thinking": "hm", "signature": ""}, text("a")]


@pytest.mark.parametrize(
    ("finish", "message", "reason"),
    [
        ("stop", {"content": "a"}, "end_turn"),
        ("length", {"content": "a"}, "max_tokens"),
        ("tool_calls", {"tool_calls": [call()]}, "tool_use"),
        ("content_filter", {"content": ""}, "refusal"),
        ("stop", {"refusal": "no"}, "refusal"),
        ("stop", {"tool_calls": [call()]}, "tool_use"),
        ("length", {"tool_calls": [call("{")]}, "max_tokens"),
        ("tool_calls", {"content": "a"}, "end_turn"),
        ("tool_calls", {"tool_calls": []}, "end_turn"),
        (None, {"content": "a"}, "end_turn"),
        (None, {"tool_calls": [call()]}, "tool_use"),
        (["odd"], {"content": "a"}, "end_turn"),
    ],
)
def test_the_end_has_anthropics_word(finish: object, message: dict[str, Any], reason: str) -> None:
    """What the answer holds counts for more than the word of the provider."""
    assert ANSWERS.whole(completion(finish, **message))["stop_reason"] == reason


def test_a_refusal_is_explained() -> None:
    """An explanation where Anthropic's clients look for it."""
    details = ANSWERS.whole(completion(refusal="no"))["stop_details"]

    assert details == {"type": "refusal", "category": None, "explanation": "no"}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, {}),
        ({"prompt_tokens": 3, "completion_tokens": 2}, {"input_tokens": 3, "output_tokens": 2}),
        (
            {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 5}},
            {"input_tokens": 0, "cache_read_input_tokens": 5},
        ),
        ({"prompt_tokens": -3, "completion_tokens": True}, {}),
        ({"prompt_tokens": "3", "prompt_tokens_details": 4}, {}),
    ],
)
def test_usage_counts_cached_tokens_once(usage: object, expected: dict[str, int]) -> None:
    """Anthropic's input excludes what came from the cache; nothing is negative."""
    assert ANSWERS.whole({**completion(), "usage": usage})["usage"] == NO_USAGE | expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [("chatcmpl-1", "msg_1"), ("chatcmpl-msg_1", "msg_1"), ("gen-1", "msg_gen-1")],
)
def test_an_answer_has_an_id_like_anthropics(given: str, expected: str) -> None:
    """The id of the provider stays recognisable, and returns to what Anthropic made of it."""
    assert ANSWERS.whole({"id": given})["id"] == expected


@pytest.mark.parametrize("ids", [("", ""), (None, None), ("c1", "c1")])
def test_every_call_has_an_id_of_its_own(ids: tuple[Any, Any]) -> None:
    """Where the provider gave none, or the same one twice."""
    calls = [call(call_id=each) for each in ids]

    blocks = ANSWERS.whole(completion(tool_calls=calls))["content"]

    assert len({block["id"] for block in blocks}) == 2
    assert all(block["id"] for block in blocks)


def test_an_answer_without_a_model_has_the_one_asked_for() -> None:
    """A client reads `model` in any case."""
    assert ANSWERS.whole({"choices": []})["model"] == "asked"


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([
                "choices", "message", "content", "tool_calls", "function", "name", "arguments",
                "id", "usage", "prompt_tokens", "prompt_tokens_details", "cached_tokens", "type",
                "text", "refusal", "finish_reason", "index", "model", "reasoning_content",
            ]),
            inner, max_size=4,
        )
    ),
    max_leaves=20,
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(["id", "model", "usage", "choices"]), ODD)
    | st.lists(ODD, max_size=2).map(lambda odd: completion(tool_calls=odd, content=odd))
    | ODD.map(lambda odd: completion(odd, tool_calls=[call(odd, odd, odd)], refusal=odd))
)
def test_whatever_a_provider_answers_is_a_message(document: dict[str, Any]) -> None:
    """Nothing is raised, and a client's model takes what comes out."""
    message = THINKING.whole(document)

    Message.model_validate(message)
    assert message["stop_reason"] in REASONS
    assert all(block.get("text") != "" for block in message["content"])
    assert all(n >= 0 for n in message["usage"].values() if isinstance(n, int))
