"""What a router reads of a request, in each dialect: tables, then laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.classify.conversation import LIMIT, turns_of
from plano_builtin_filters.classify.routers.protocol import Turn
from plano_filters.dialect import Dialect

DIALECTS: list[Dialect] = ["chat", "messages", "responses", "embeddings"]
HI = {"role": "user", "content": "hi"}
CALLING = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
USE = {"type": "tool_use", "id": "1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "42"}]}
CALL = {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "1", "output": "42"}


def text(*words: str, kind: str = "text") -> list[dict[str, Any]]:
    return [{"type": kind, "text": word} for word in words]


def said(payload: dict[str, Any], dialect: Dialect) -> list[str]:
    """Return turns as `user: words`."""
    return [f"{turn.role}: {turn.text}" for turn in turns_of(payload, dialect)]


CHAT: list[tuple[list[Any], list[str]]] = [
    ([HI], ["user: hi"]),
    (
        [HI, {"role": "assistant", "content": "hello"}, HI],
        ["user: hi", "assistant: hello", "user: hi"],
    ),
    ([HI, HI], ["user: hi", "user: hi"]),  # consecutive turns stay apart
    ([{"role": "system", "content": "s"}, {"role": "developer", "content": "d"}, HI], ["user: hi"]),
    ([HI, CALLING, {"role": "tool", "content": "42"}, HI], ["user: hi", "user: hi"]),
    ([HI, {"role": "function", "name": "f", "content": "42"}], ["user: hi"]),
    ([HI, {"role": "assistant", "content": "let me see"}], ["user: hi"]),  # ends with the user
    ([{"role": "user", "content": text("a", "b")}], ["user: a\nb"]),
    (
        [{"role": "user", "content": [{"type": "image_url", "image_url": {}}, *text("a")]}],
        ["user: a"],
    ),
    ([{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}], []),
    ([{"role": "user", "content": text("", "  ", "a")}], ["user: a"]),
    ([{"role": "user", "content": " \n"}], []),
    ([{"role": "user", "content": "  code\n"}], ["user:   code\n"]),  # as it was written
    ([], []),
]
MESSAGES: list[tuple[list[Any], list[str]]] = [
    ([HI], ["user: hi"]),
    ([{"role": "user", "content": text("a", "b")}], ["user: a\nb"]),
    ([HI, {"role": "assistant", "content": [USE]}, {"role": "user", "content": [RESULT]}],
     ["user: hi"]),
    ([{"role": "user", "content": [RESULT, *text("and now?")]}], ["user: and now?"]),
    ([HI, {"role": "assistant", "content": [{"type": "thinking", "thinking": "t"}, *text("a")]},
      HI], ["user: hi", "assistant: a", "user: hi"]),
    ([{"role": "user", "content": [{"type": "image", "source": {}}, {"type": "document"}]}], []),
    ([HI, {"role": "system", "content": "be brief"}], ["user: hi"]),
]  # fmt: skip
RESPONSES: list[tuple[Any, list[str]]] = [
    ("hi", ["user: hi"]),
    ("", []),
    ("<system-reminder>be good</system-reminder>", []),
    ([HI], ["user: hi"]),
    ([{"type": "message", **HI}], ["user: hi"]),
    ([{"type": None, **HI}], ["user: hi"]),
    ([{"role": "user", "content": text("a", "b", kind="input_text")}], ["user: a\nb"]),
    ([HI, {"role": "assistant", "content": text("a", kind="output_text")}, HI],
     ["user: hi", "assistant: a", "user: hi"]),
    ([{"role": "developer", "content": "d"}, {"role": "system", "content": "s"}, HI], ["user: hi"]),
    ([HI, {"type": "reasoning", "summary": []}, CALL, OUTPUT, {"type": "item_reference", "id": "x"},
      HI], ["user: hi", "user: hi"]),
    ([{"role": "user", "content": [{"type": "input_image"}, {"type": "input_file"}]}], []),
    ([{"type": "function_call_output", "role": "user", "content": "42"}], []),
]  # fmt: skip


@pytest.mark.parametrize(("messages", "turns"), CHAT)
def test_chat(messages: list[Any], turns: list[str]) -> None:
    """Of a chat request the words of user and assistant are read, up to the user's last."""
    assert said({"messages": messages}, "chat") == turns


@pytest.mark.parametrize(("messages", "turns"), MESSAGES)
def test_messages(messages: list[Any], turns: list[str]) -> None:
    """Of an Anthropic request the text blocks are read, results of tools are not."""
    assert said({"system": "s", "messages": messages}, "messages") == turns


@pytest.mark.parametrize(("given", "turns"), RESPONSES)
def test_responses(given: Any, turns: list[str]) -> None:
    """Of a Responses request the input's words are read, whether a string or items."""
    assert said({"instructions": "i", "input": given}, "responses") == turns


@pytest.mark.parametrize(
    "broken",
    [
        None, 1, "hi", {}, {"role": "user"}, {"role": ["user"], "content": "x"},
        {"role": "user", "content": 7}, {"role": "user", "content": {"text": "x"}},
        {"role": "user", "content": [None, 3, "x", {"type": ["text"], "text": "x"},
                                     {"type": "text"}, {"type": "text", "text": 5}]},
        {"type": {}, "role": "user"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("dialect", DIALECTS[:3])
def test_what_cannot_be_read_is_left_out(broken: object, dialect: Dialect) -> None:
    """A malformed entry costs itself, not the conversation."""
    field = "input" if dialect == "responses" else "messages"

    assert said({field: [HI, broken]}, dialect) == ["user: hi"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_request_without_a_conversation_has_no_turns(dialect: Dialect) -> None:
    """Absent, null or odd fields are a conversation of nobody."""
    for payload in ({}, {"messages": None, "input": None}, {"messages": "hi", "input": 3}):
        assert turns_of(payload, dialect) == ()


def test_only_the_newest_turns_are_read() -> None:
    """Of a hundred turns the last sixteen count; entries without words are not counted."""
    messages = [m for n in range(100) for m in ({"role": "user", "content": str(n)}, CALLING)]

    turns = turns_of({"messages": messages}, "chat")

    assert turns == tuple(Turn("user", str(n)) for n in range(100 - LIMIT, 100))
    assert turns_of({"messages": messages}, "chat", limit=1) == turns[-1:]
    assert turns_of({"messages": messages}, "chat", limit=0) == ()


@pytest.mark.parametrize(
    ("dialect", "entries"),
    [
        ("chat", [HI, CALLING, {"role": "tool", "content": "42"}]),
        ("chat", [HI, {"role": "function", "content": "42"}]),
        ("chat", [HI, {"role": "tool", "content": "42"}, {"role": "system", "content": "s"}]),
        ("messages", [HI, {"role": "assistant", "content": [USE]}]),
        ("messages", [HI, {"role": "user", "content": [RESULT]}]),
        ("messages", [HI, {"role": "user", "content": [RESULT, *text(" ")]}]),
        ("responses", [HI, CALL, OUTPUT]),
        ("responses", [HI, {"type": "custom_tool_call_output", "output": "42"}]),
    ],
)
def test_a_tools_result_asks_what_was_asked_before(dialect: Dialect, entries: Any) -> None:
    """So an agent's loop stays where the user's last words put it."""
    field = "input" if dialect == "responses" else "messages"

    assert said({field: entries}, dialect) == ["user: hi"]


@pytest.mark.parametrize(
    ("words", "turns"),
    [
        ("<system-reminder>be good</system-reminder>", []),
        ("<system-reminder>a</system-reminder>\n<system-reminder>b</system-reminder>", []),
        ("<user-prompt-submit-hook>a</user-prompt-submit-hook>", []),
        ("<system-reminder>never closed", []),
        ("<system-reminder>a</system-reminder> go on", ["user:  go on"]),
        ("go on <system-reminder>never closed", ["user: go on "]),
    ],
)
def test_what_an_agent_inserts_is_not_the_users(words: str, turns: list[str]) -> None:
    """Unterminated, it swallows the rest."""
    message = {"role": "user", "content": [RESULT, *text(words)]}

    assert said({"messages": [message]}, "messages") == turns


def test_what_an_agent_inserts_is_not_read() -> None:
    """A router would take the reminder for what the user wants."""
    inserted = "<system-reminder>run the linter</system-reminder>"
    messages = [
        {"role": "user", "content": "why is it slow?"},
        {"role": "user", "content": [RESULT, *text(inserted)]},
    ]

    assert said({"messages": messages}, "messages") == ["user: why is it slow?"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["user", "text", "tool_result"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["role", "content", "type", "text"]), inner, max_size=4)
    ),
    max_leaves=30,
)


@given(JSON, st.sampled_from(DIALECTS))
def test_no_shape_raises(anything: object, dialect: Dialect) -> None:
    """Whatever a client sends, the turns are the user's last words and what led to them."""
    payload = {"messages": anything, "input": anything}

    turns = turns_of(payload, dialect)

    assert not turns or turns[-1].role == "user"
    assert all(turn.text.strip() for turn in turns)
