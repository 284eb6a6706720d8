"""Whatever a chat client says, a Messages API takes it, or the client is told what it cannot."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters import jsonbody
from plano_filters.errors import BadRequest
from plano_filters.translation import Outgoing, Traits
from plano_filters.translation.chat_to_messages import translate
from tests.support import messages_api

TRAITS = st.builds(
    Traits,
    anthropic_version=st.sampled_from(["2023-06-01", "2026-10-21"]),
    max_tokens=st.none() | st.integers(1, 99_999),
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=9)
SOLID = TEXT.map(lambda value: f"x{value}x")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
PART = st.one_of(
    TEXT.map(lambda value: {"type": "text", "text": value}),
    st.sampled_from(["data:image/png;base64,iVBORw0K", "https://x.example/a.png"]).map(
        lambda url: {"type": "image_url", "image_url": {"url": url}}
    ),
    SOLID.map(
        lambda name: {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,JVBERi0x", "filename": name},
        }
    ),
)
TEXTS = st.lists(TEXT.map(lambda value: {"type": "text", "text": value}), max_size=3)
USER = st.builds(
    lambda content: {"role": "user", "content": content}, TEXT | st.lists(PART, max_size=3)
)
SYSTEM = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["system", "developer"]), TEXT | TEXTS,
)  # fmt: skip
SAID = st.builds(lambda content: {"role": "assistant", "content": content}, TEXT | TEXTS)
CALL = st.one_of(
    st.builds(
        lambda name, arguments: {
            "type": "function", "function": {"name": name, "arguments": arguments},
        },
        st.sampled_from(["weather", "clock"]), TEXT | st.just('{"city": "Rome"}'),
    ),
    st.builds(
        lambda text: {"type": "custom", "custom": {"name": "patch", "input": text}}, TEXT
    ),
)  # fmt: skip


@st.composite
def round_of_calls(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw an assistant's calls and what tools and people say to them, in any order."""
    ids = draw(st.lists(TEXT | st.sampled_from(["call:0", "call_0"]), min_size=1, max_size=3,
                        unique=True))  # fmt: skip
    calls = [{"id": id_, **draw(CALL)} for id_ in ids]
    said = draw(st.none() | TEXT)
    results = [{"role": "tool", "tool_call_id": id_, "content": draw(TEXT | TEXTS)} for id_ in ids]
    others = draw(st.lists(USER | SYSTEM, max_size=2))
    answers = draw(st.permutations(results + others))
    return [{"role": "assistant", "content": said, "tool_calls": calls}, *answers]


MESSAGES: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.lists(USER | SYSTEM | SAID, max_size=3) | round_of_calls(), max_size=4
).map(lambda rounds: [message for each in rounds for message in each])
TOOLS = st.lists(
    st.sampled_from(
        [
            {"type": "function", "function": {"name": "weather", "strict": True}},
            {"type": "function", "function": {"name": "clock", "description": "Time."}},
            {"type": "custom", "custom": {"name": "patch"}},
        ]
    ),
    max_size=3,
    unique_by=str,
)
SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "x", "schema": {"type": "object", "properties": {}}},
}
BODY: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"model": st.just("claude"), "messages": MESSAGES},
    optional={
        "tools": TOOLS,
        "tool_choice": st.sampled_from(["auto", "none"]),
        "parallel_tool_calls": st.booleans(),
        "temperature": st.floats(0, 2),
        "top_p": st.floats(0, 1),
        "max_tokens": st.integers(1, 999),
        "stop": TEXT | st.lists(TEXT, max_size=3),
        "reasoning_effort": st.sampled_from(["none", "minimal", "low", "high", "max"]),
        "response_format": st.sampled_from([{"type": "text"}, {"type": "json_object"}, SCHEMA]),
        "user": TEXT,
        "service_tier": st.sampled_from(["auto", "default", "flex"]),
        "stream": st.booleans(),
        "seed": st.integers(),
    },
)


def outcome(body: dict[str, Any], traits: Traits) -> Outgoing | BadRequest:
    """Translate a body, and see that it stays as it is."""
    before = copy.deepcopy(body)
    try:
        made: Outgoing | BadRequest = translate(body, traits)
    except BadRequest as refused:
        made = refused
    assert repr(body) == repr(before)
    return made


def sent(body: dict[str, Any], traits: Traits) -> dict[str, Any] | None:
    """Translate a body; nothing for one in which nobody says anything."""
    made = outcome(body, traits)
    if isinstance(made, Outgoing):
        return made.payload
    assert made.param == "messages"
    assert not any(map(says_something, body["messages"]))
    return None


def says_something(message: dict[str, Any]) -> bool:
    """Say whether there is anything in a message but blank texts."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    return bool(message.get("tool_calls")) or any(
        part["type"] != "text" or part["text"].strip() for part in parts
    )


@given(BODY, TRAITS)
def test_the_api_takes_it(body: dict[str, Any], traits: Traits) -> None:
    """Each field is one that the API knows, and as Anthropic's SDK has it; and it can be sent."""
    payload = sent(body, traits)
    if payload is None:
        return

    of_old = {name: payload.pop(name) for name in ("temperature", "top_p") if name in payload}
    assert messages_api.read(payload) == payload
    assert not of_old or traits.anthropic_version == "2023-06-01"
    assert all(0 <= value <= 1 for value in of_old.values())
    assert len(of_old) < 2
    assert payload["max_tokens"] >= 1
    assert jsonbody.decode(jsonbody.encode(payload)) == payload


@given(BODY, TRAITS)
def test_the_turns_are_in_order(body: dict[str, Any], traits: Traits) -> None:
    """Roles alternate from a user on; results lead the turn after their calls; none is blank."""
    payload = sent(body, traits)
    if payload is None:
        return

    turns = payload["messages"]
    seen: set[str] = set()
    asked: list[str] = []
    for number, turn in enumerate(turns):
        assert turn["role"] == ("assistant" if number % 2 else "user")
        blocks = turn["content"]
        assert blocks
        answered = [b["tool_use_id"] for b in blocks[: len(asked)] if b["type"] == "tool_result"]
        assert sorted(answered) == sorted(asked)
        assert all(b["type"] != "tool_result" for b in blocks[len(asked) :])
        assert all(b["text"].strip() for b in blocks if b["type"] == "text")
        asked = [b["id"] for b in blocks if b["type"] == "tool_use"]
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", id_) for id_ in asked)
        assert seen.isdisjoint(asked)
        assert len(set(asked)) == len(asked)
        seen.update(asked)
    assert not asked
    assert payload.get("tools") or not seen
    last = turns[-1]["content"][-1]
    if turns[-1]["role"] == "assistant":
        assert last["text"] == last["text"].rstrip()


@given(BODY, TRAITS)
def test_nothing_that_was_said_is_lost(body: dict[str, Any], traits: Traits) -> None:
    """Each text is in the request, in order, by whom it was said."""
    payload = sent(body, traits)
    if payload is None:
        return

    for role in ("user", "assistant"):
        said = texts(m for m in body["messages"] if m["role"] == role)
        got = texts(m for m in payload["messages"] if m["role"] == role)
        assert [text.rstrip() for text in got if text != "Begin."] == [
            text.rstrip() for text in said if text.strip()
        ]
    system = payload.get("system", "")
    for text in texts(m for m in body["messages"] if m["role"] in ("system", "developer")):
        assert not text.strip() or text in system


def texts(messages: Any) -> list[str]:
    """Return all texts of some messages."""
    found: list[str] = []
    for message in messages:
        content = message["content"]
        if isinstance(content, str):
            found.append(content)
        else:
            found += [part["text"] for part in content or () if part["type"] == "text"]
    return found


NAMES = st.sampled_from(
    [
        "role", "content", "type", "text", "image_url", "file", "file_data", "tool_calls",
        "tool_call_id", "function", "custom", "name", "arguments", "input", "id", "url",
        "cache_control", "prompt_cache_breakpoint", "refusal", "audio", "messages", "tools",
        "tool_choice", "allowed_tools", "mode", "parameters", "format", "grammar", "n", "stop",
        "response_format", "json_schema", "schema", "properties", "items", "anyOf", "temperature",
        "reasoning_effort", "thinking", "user", "modalities", "stream_options", "max_tokens",
        "parallel_tool_calls", "service_tier", "description", "strict", "ttl", "budget_tokens",
    ]
)  # fmt: skip
WORDS = st.sampled_from(
    [
        "user", "assistant", "tool", "system", "text", "image_url", "file", "function", "custom",
        "auto", "required", "json_schema", "object", "allowed_tools", "grammar", "ephemeral",
        "data:image/png;base64,x", "data:text/plain;base64,x", "data:,", "enabled",
    ]
)  # fmt: skip
GARBAGE = st.recursive(
    JSON | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a body, and put something else in some of its places."""
    body = copy.deepcopy(draw(BODY))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = body
        while True:
            keys = list(place) if isinstance(place, dict) else range(len(place))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            inner = place[key]
            if not isinstance(inner, dict | list) or not inner or draw(st.booleans()):
                place[key] = draw(GARBAGE)
                break
            place = inner
    return body


@given(damaged() | st.dictionaries(NAMES, GARBAGE), TRAITS)
def test_nothing_makes_it_fail(body: dict[str, Any], traits: Traits) -> None:
    """Whatever the body, it is translated, or refused with the name of the field at fault."""
    made = outcome(body, traits)

    if isinstance(made, BadRequest):
        assert made.param
    else:
        assert len(set(made.dropped)) == len(made.dropped)
        assert jsonbody.encode(made.payload)


@pytest.mark.parametrize("kind", ["[", '{"a":'])
def test_arguments_nested_without_end_are_told_as_text(kind: str) -> None:
    """A call of old cannot make the gateway fail when it writes the request."""
    arguments = kind * 100_000
    call = {"id": "a", "function": {"name": "f", "arguments": arguments}}
    body = {
        "messages": [
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "a", "content": "x"},
        ]
    }

    turns = translate(body, Traits()).payload["messages"]

    assert turns[1]["content"][0]["input"] == {"_raw": arguments}
