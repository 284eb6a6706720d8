"""How a conversation begins, and whose turn it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.affinity.conversation import (
    Beginning,
    beginning_of,
    is_user_turn,
    tokens_of,
)
from plano_filters.dialect import Dialect

TOOL_RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "42"}
REMINDER = "<system-reminder>be brief</system-reminder>"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "name", "function"]),
            inner,
            max_size=4,
        )
    ),
)


@pytest.mark.parametrize(
    ("dialect", "payload", "expected"),
    [
        (
            "chat",
            {
                "messages": [
                    {"role": "system", "content": "A"},
                    {"role": "developer", "content": [{"type": "text", "text": "B"}]},
                    {"role": "user", "content": "hi"},
                ],
                "tools": [
                    {"type": "function", "function": {"name": "f"}},
                    {"type": "function", "function": {"name": "g"}},
                ],
            },
            Beginning("A\nB", "f,g", "hi"),
        ),
        (
            "messages",
            {
                "system": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}],
                "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
                "tools": [{"name": "f"}, "broken", {"name": 1}],
            },
            Beginning("A\nB", "f", "hi"),
        ),
        (
            "responses",
            {"instructions": "A", "input": "hi", "tools": [{"type": "function", "name": "f"}]},
            Beginning("A", "f", "hi"),
        ),
        (
            "responses",
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]},
            Beginning("", "", "hi"),
        ),
        ("chat", {"messages": [{"role": "system", "content": "A"}]}, None),
        ("chat", {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, None),
        ("chat", {}, None),
    ],
)
def test_how_a_conversation_begins(
    dialect: Dialect, payload: dict[str, Any], expected: Beginning | None
) -> None:
    """The same parts in every dialect; without words of the user there is nothing to go by."""
    assert beginning_of(payload, dialect) == expected


@pytest.mark.parametrize(
    ("dialect", "newest", "expected"),
    [
        ("chat", {"role": "user", "content": "hi"}, True),
        ("chat", {"role": "user", "content": "  "}, False),
        ("chat", {"role": "user", "content": REMINDER}, False),
        ("chat", {"role": "user", "content": f"{REMINDER} hi"}, True),
        ("chat", {"role": "user", "content": "<system-reminder> hi"}, False),
        ("chat", {"role": "user", "content": [{"type": "image_url"}]}, True),
        ("chat", {"role": "tool", "content": "42"}, False),
        ("chat", {"role": "assistant", "content": "so"}, False),
        ("messages", {"role": "user", "content": [TOOL_RESULT]}, False),
        (
            "messages",
            {"role": "user", "content": [TOOL_RESULT, {"type": "text", "text": REMINDER}]},
            False,
        ),
        (
            "messages",
            {"role": "user", "content": [TOOL_RESULT, {"type": "text", "text": "stop"}]},
            True,
        ),
        ("responses", {"role": "user", "content": "hi"}, True),
        ("responses", {"type": "function_call_output", "output": "42"}, False),
        ("responses", {"type": "message", "role": "user", "content": "hi"}, True),
        ("responses", {"type": "strange", "role": "user", "content": "hi"}, False),
    ],
)
@pytest.mark.parametrize("after", [[], [{"role": "system", "content": "x"}]])
def test_whose_turn_it_is(
    dialect: Dialect, newest: dict[str, Any], expected: bool, after: list[dict[str, Any]]
) -> None:
    """The user's, if something of the user's own is newest; system entries do not count."""
    field = "input" if dialect == "responses" else "messages"
    entries = [{"role": "user", "content": "first"}, newest, *after]

    assert is_user_turn({field: entries}, dialect) is expected


def test_a_text_as_input_is_the_users() -> None:
    """The Responses API takes one."""
    assert is_user_turn({"input": "hi"}, "responses")
    assert not is_user_turn({"input": ""}, "responses")


def test_a_strange_type_is_none() -> None:
    """A list cannot be looked up in a set."""
    entries = [{"role": "user", "content": [{"type": [], "text": "hi"}]}]

    assert beginning_of({"messages": entries}, "chat") is None


@pytest.mark.parametrize(
    ("payload", "tokens"),
    [
        ({}, 0),
        ({"input": "x" * 400, "model": "y" * 400}, 100),
        ({"system": "x" * 40, "messages": [{"content": [{"text": "x" * 40}]}]}, 20),
        ({"messages": [{"content": [{"image_url": {"url": "x" * 4000}}, {"text": "x" * 8}]}]}, 2),
        ({"tools": [{"description": "x" * 40, "strict": True}]}, 10),
    ],
)
def test_how_long_a_prompt_is(payload: dict[str, Any], tokens: int) -> None:
    """A token for four characters of what is text."""
    assert tokens_of(payload) == tokens


@given(JSON, st.sampled_from(["chat", "messages", "responses", "embeddings"]))
def test_nothing_raises(entries: object, dialect: Dialect) -> None:
    """Whatever a client sends."""
    payload = {"messages": entries, "input": entries, "tools": entries, "system": entries}
    beginning_of(payload, dialect)

    assert tokens_of(payload) >= 0
    assert is_user_turn(payload, dialect) in (True, False)
