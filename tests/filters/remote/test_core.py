"""What a service's answer means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.remote import core

BEFORE = {"model": "a", "messages": [1], "temperature": 1, "stream": True, "user": "u"}


@pytest.mark.parametrize(
    ("after", "fields", "removed", "text"),
    [
        (BEFORE, {}, (), "let the request pass"),
        ({**BEFORE, "messages": [2]}, {"messages": [2]}, (), "changed messages"),
        ({**BEFORE, "n": 1}, {"n": 1}, (), "changed n"),
        (
            {k: v for k, v in BEFORE.items() if k != "user"},
            {},
            ("user",),
            "changed user (removed)",
        ),
        (
            {**BEFORE, "model": "b", "routing_preferences": []},
            {},
            (),
            "let the request pass; not its to change: model, routing_preferences",
        ),
        (
            {"messages": [2], "temperature": True, "user": "u"},
            {"messages": [2], "temperature": True},
            (),
            "changed messages, temperature; not its to change: model, stream",
        ),
    ],
)
def test_a_change_is_what_differs(
    after: dict[str, Any], fields: dict[str, Any], removed: tuple[str, ...], text: str
) -> None:
    """Field by field; the model, the stream and the routes are not the service's to change."""
    made = core.change(BEFORE, after)

    assert (made.fields, made.removed, made.text) == (fields, removed, text)


def test_a_decision_names_a_few_fields() -> None:
    """A client may send thousands, with names of any length."""
    made = core.change({f"{number}{'x' * 100}": 1 for number in range(20)}, {"n": 1})

    assert len(made.text) < 500
    assert made.text.endswith(" and 13 more")
    assert [len(name) for name in made.names] == [1, *[core.LONGEST_NAME] * 7]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
BODIES = st.dictionaries(st.sampled_from(["messages", "n", "user", "tools"]), JSON)


@given(BODIES, BODIES)
def test_a_change_leads_to_the_other_body(before: dict[str, Any], after: dict[str, Any]) -> None:
    """What is changed and removed, done to the old body, gives the new one."""
    made = core.change(before, after)
    result = {k: v for k, v in {**before, **made.fields}.items() if k not in made.removed}

    assert result == after


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (b'{"a":1,"b":[2]}', b'{ "b": [2], "a": 1 }', True),
        (b'{"a":1}', b'{"a":true}', False),
        (b'{"a":1}', b"no json", False),
        (b"[DONE]", b"[DONE]", True),
    ],
)
def test_the_same_json_may_be_written_in_many_ways(before: bytes, after: bytes, same: bool) -> None:
    """Space and order mean nothing."""
    assert core.same(before, after) is same


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"not here", "not here"),
        (b'{"detail": "no"}', "no"),
        (b'{"detail": {"error": "content_blocked", "message": "Blocked: hack"}}', "Blocked: hack"),
        (b'{"error": {"message": "no", "type": "x"}}', "no"),
        (b'{"error": "no"}', "no"),
        (b'{"detail": [{"msg": "field required"}]}', '{"detail": [{"msg": "field required"}]}'),
        (b"", ""),
        (b"\xff", "\ufffd"),
    ],
)
def test_what_a_refusal_says(body: bytes, said: str) -> None:
    """FastAPI, OpenAI and plain texts are understood; else the client reads all of it."""
    assert core.refusal(body)[0] == said


def test_a_long_refusal_is_cut() -> None:
    """A page of HTML is no message."""
    text, whole = core.refusal(b"x" * 10_000)

    assert len(text) == core.LONGEST_TEXT
    assert whole is None
    assert core.refusal(b'{"detail": "no"}')[1] == {"detail": "no"}


@pytest.mark.parametrize(
    ("reply", "taken"),
    [
        (b"", b""),
        (b" \n", b""),
        (b"data: a\n\n", b"data: a\n\n"),
        (b"data: a", b"data: a\n\n"),
        (b"data: a\n", b"data: a\n\n"),
        (b"event: x\r\ndata: a\r\n\r\n", b"event: x\r\ndata: a\r\n\r\n"),
        (b"data: a\n\n: comment", b"data: a\n\n: comment\n\n"),
        (b'{"error": "no"}', None),
        (b"data: a\n\n<html>", None),
        (b"<html>\n\ndata: a\n\n", None),
    ],
)
def test_a_part_of_a_stream_is_events(reply: bytes, taken: bytes | None) -> None:
    """It always ends with a blank line, so that nothing is glued to what follows."""
    assert core.events(reply) == taken


def test_events_mean_the_same_however_they_are_written() -> None:
    """What a service merely wrote anew is not a change."""
    before = b'data: {"a":1}\n\ndata: [DONE]\n\n'

    assert core.same_events(before, b'data: {"a": 1}\r\n\r\ndata: [DONE]\r\n\r\n')
    assert not core.same_events(before, b'data: {"a":1}\n\n')
    assert not core.same_events(before, b'data: {"a":2}\n\ndata: [DONE]\n\n')


@given(JSON)
def test_only_an_object_is_an_object(value: Any) -> None:
    """Arrays, numbers and texts are none."""
    assert core.is_json_object(json.dumps(value).encode()) is isinstance(value, dict)
