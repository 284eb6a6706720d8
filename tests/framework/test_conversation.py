"""Conversations in three dialects: the same entries, parts and texts, and none from anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters.conversation import (
    entries,
    instructions,
    parts_within,
    prompt_texts,
    says_something,
    tool_names,
    without_inserted,
)
from plano_filters.dialect import Dialect

DIALECTS: list[Dialect] = ["chat", "messages", "responses", "embeddings"]
CHAT = {
    "messages": [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "why?"}, {"type": "image_url"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "42"},
    ],
    "tools": [{"type": "function", "function": {"name": "f"}}],
}
MESSAGES = {
    "system": [{"type": "text", "text": "be"}, {"type": "text", "text": "brief"}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "why?"}, {"type": "image"}]},
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "so"}, {"type": "tool_use", "id": "1"}],
        },
        {"role": "user", "content": [{"type": "tool_result", "content": "42"}]},
    ],
    "tools": [{"name": "f", "input_schema": {}}],
}
RESPONSES = {
    "instructions": "be brief",
    "input": [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "why?"}, {"type": "input_image"}],
        },
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "output": "42"},
        {"type": "item_reference", "id": "x"},
    ],
    "tools": [{"type": "function", "name": "f"}],
}


def shown(payload: dict[str, Any], dialect: Dialect) -> list[tuple[str, str, list[str]]]:
    """Return entries as role, kind, and kinds of parts."""
    return [
        (entry.role, entry.kind, [part.kind for part in entry.parts()])
        for entry in entries(payload, dialect)
    ]


def test_chat() -> None:
    """Instructions and tool results are messages of their own role."""
    assert shown(CHAT, "chat") == [
        ("developer", "message", ["text"]),
        ("user", "message", ["text", "image"]),
        ("assistant", "message", []),
        ("tool", "tool_result", ["text"]),
    ]
    assert instructions(CHAT, "chat") == ""
    assert list(tool_names(CHAT)) == ["f"]


def test_messages() -> None:
    """Instructions stand beside the messages, calls and results within them."""
    assert shown(MESSAGES, "messages") == [
        ("user", "message", ["text", "image"]),
        ("assistant", "message", ["thinking", "tool_call"]),
        ("user", "message", ["tool_result"]),
    ]
    assert instructions(MESSAGES, "messages") == "be\nbrief"
    assert list(tool_names(MESSAGES)) == ["f"]


def test_responses() -> None:
    """Calls, results and thinking are items between the messages."""
    assert shown(RESPONSES, "responses") == [
        ("user", "message", ["text", "image"]),
        ("", "thinking", []),
        ("", "tool_call", []),
        ("", "tool_result", []),
        ("", "other", []),
    ]
    assert instructions(RESPONSES, "responses") == "be brief"
    assert list(tool_names(RESPONSES)) == ["f"]


def test_a_string_is_a_message_of_the_user_where_the_api_takes_one() -> None:
    """The Responses API does; the others have a list."""
    assert shown({"input": "hi"}, "responses") == [("user", "message", ["text"])]
    assert shown({"messages": "hi"}, "chat") == shown({"messages": "hi"}, "messages") == []


def test_the_texts_of_an_entry() -> None:
    """Texts of every type are joined; what is no string, or no text, is left out."""
    content = [
        {"type": "text", "text": "a"},
        {"type": "input_text", "text": "b"},
        {"type": "output_text", "text": "c"},
        {"type": "text", "text": 5},
        {"type": "image", "text": "no"},
        {"type": [], "text": "no"},
        {"text": "no"},
        "no",
    ]
    (entry,) = entries({"messages": [{"role": "user", "content": content}]}, "chat")

    assert entry.text == "a\nb\nc"
    assert [part.text for part in entry.parts()] == ["a", "b", "c", None, None, None, None]


def test_the_end_of_a_history_is_read_alone() -> None:
    """Whoever wants the newest entry touches no other."""

    class Watched(list[Any]):
        touched = 0

        def __reversed__(self) -> Iterator[Any]:
            for place in range(len(self) - 1, -1, -1):
                self.touched += 1
                yield self[place]

    history = Watched({"role": "user", "content": str(n)} for n in range(1000))
    newest = next(entries({"messages": history}, "chat", newest_first=True))

    assert newest.text == "999"
    assert history.touched == 1


def test_what_the_model_reads() -> None:
    """Texts wherever they stand, tools' too; nothing of images, signatures and other fields."""
    payload = {
        "model": "m",
        "system": "a",
        "messages": [
            {"content": [{"text": "b"}, {"image_url": {"url": "no"}}, {"signature": "no"}]},
            {"content": [{"type": "tool_result", "content": ["c"]}]},
        ],
        "tools": [{"description": "d"}],
        "metadata": {"user": "no"},
    }

    assert sorted(prompt_texts(payload)) == ["a", "b", "c", "d", "tool_result"]


def test_parts_are_found_however_deep() -> None:
    """An image that a tool returned is an image of the conversation."""
    inner = {"type": "tool_result", "content": [{"type": "image", "source": {"data": "A"}}]}
    output = {"type": "function_call_output", "output": [{"type": "input_image"}]}

    for payload in ({"messages": [{"content": [inner]}]}, {"input": [output]}):
        assert "image" in [part.kind for part in parts_within(payload)]
    assert list(parts_within({"tools": [{"type": "image"}]})) == []


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("go on", "go on"),
        ("<system-reminder>a</system-reminder> go on", " go on"),
        ("a<user-prompt-submit-hook>b</user-prompt-submit-hook>c", "ac"),
        ("go on <system-reminder>never closed", "go on "),
        ("<system-reminder>a</system-reminder><system-reminder>b</system-reminder>", ""),
        ("<user-prompt-submit-hook><system-reminder></user-prompt-submit-hook> x", ""),
        ("</system-reminder>", "</system-reminder>"),
    ],
)
def test_what_an_agent_inserts_is_taken_out(text: str, own: str) -> None:
    """The rest stays as it was written."""
    assert without_inserted(text) == own


def test_white_space_says_nothing() -> None:
    """Only what a reader would see counts."""
    assert [says_something(text) for text in ("", " \n\t", " a ")] == [False, False, True]


NAMES = ["role", "content", "type", "text", "name", "function", "messages", "input", "tools"]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["user", "text", "message", "function_call", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=30,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([*NAMES, "system", "instructions"]), JSON, max_size=5))
def test_no_body_is_too_strange(payload: dict[str, Any]) -> None:
    """Whatever a client sends, all of it can be asked for, and backwards is the reverse."""
    for dialect in DIALECTS:
        read = list(entries(payload, dialect))
        assert list(entries(payload, dialect, newest_first=True)) == read[::-1]
        assert isinstance(instructions(payload, dialect), str)
        texts = {part.text for entry in read for part in entry.parts()} - {None}
        assert texts <= set(prompt_texts(payload))
        assert all(isinstance(entry.text, str) for entry in read)
        assert len(shown(payload, dialect)) == len(read)
    assert all(isinstance(name, str) for name in tool_names(payload))
    assert all(part.kind for part in parts_within(payload))
