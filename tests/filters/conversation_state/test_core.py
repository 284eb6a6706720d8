"""What goes on in a conversation, as tables and as laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.conversation_state import core
from plano_builtin_filters.conversation_state.core import Kept

TEXT = st.text(st.characters(codec=None))
"""Lone surrogates included, as JSON may have them."""
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("given", "items"),
    [
        ("hi", [{"type": "message", "role": "user", "content": "hi"}]),
        (None, []),
        ([], []),
        ([{"role": "user"}, 7], [{"role": "user"}, 7]),
        ({"role": "user"}, None),
        (7, None),
        (True, None),
    ],
)
def test_what_input_means(given: object, items: list[Any] | None) -> None:
    """Text is what the user says; anything but text and a list is no input."""
    assert core.items_of(given) == items


@pytest.mark.parametrize(
    ("payload", "items", "whole"),
    [
        ({}, [], True),
        ({"conversation": None, "prompt": None}, [{"role": "user", "content": "x"}], True),
        ({"conversation": {"id": "conv_1"}}, [], False),
        ({"prompt": {"id": "pmpt_1"}}, [], False),
        ({}, [{"type": "item_reference", "id": "msg_1"}], False),
        ({}, [{"id": "msg_1"}], False),
        ({}, [{"id": "msg_1", "role": "user", "content": "x"}], True),
        ({}, [{"id": "fc_1", "type": "function_call"}], True),
        ({}, ["no item"], True),
    ],
)
def test_a_request_says_its_conversation_or_refers_to_it(
    payload: dict[str, Any], items: list[Any], whole: bool
) -> None:
    """What refers to items of the provider's says only a part."""
    assert core.is_whole(payload, items) is whole


CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
THOUGHT = {"type": "reasoning", "summary": []}
WORDS = {"type": "message", "role": "assistant", "content": []}


@pytest.mark.parametrize(
    ("item", "kept", "kept_by_provider"),
    [
        ({**WORDS, "id": "msg_1"}, WORDS, WORDS),
        ({**WORDS, "status": "incomplete"}, ..., ...),
        ({**CALL, "id": "fc_1", "status": "completed"}, {**CALL, "status": "completed"}, ...),
        ({**CALL, "id": "fc_1", "status": "incomplete"}, None, None),
        ({**THOUGHT, "id": "rs_1"}, THOUGHT, None),
        (SEARCH, SEARCH, SEARCH),
        ("no item", "no item", "no item"),
    ],
)
def test_what_of_an_answer_goes_on(item: Any, kept: Any, kept_by_provider: Any) -> None:
    """Without ids that only one provider can look up, and without what nobody can use."""
    kept = item if kept is ... else kept
    kept_by_provider = kept if kept_by_provider is ... else kept_by_provider

    for wanted, provider_keeps in ((kept, False), (kept_by_provider, True)):
        made = list(core.portable([item], provider_keeps=provider_keeps))
        assert made == ([] if wanted is None else [wanted])


@given(st.lists(VALUES), st.none() | TEXT)
def test_what_is_written_down_is_read_again(items: list[Any], by: str | None) -> None:
    """Whatever the items are."""
    assert core.decode(core.encode(Kept(items, by))) == Kept(items, by)


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{}", b'{"items": {}}', b'{"items": [], "by": 7}', b"\xff", b"[" * 100_000],
)
def test_a_foreign_value_is_no_conversation(raw: bytes) -> None:
    """Nor does it raise."""
    assert core.decode(raw) is None


PART = st.text("ab\0,[]\"'", max_size=4)


@given(*(st.tuples(PART, st.none() | PART, PART) for _ in range(2)))
def test_no_two_have_one_key(
    one: tuple[str, str | None, str], other: tuple[str, str | None, str]
) -> None:
    """Whatever clients call themselves and their responses; nobody is a principal of no name."""

    def key(response_id: str, principal: str | None, tenant: str) -> str:
        return core.key(response_id, principal=principal, tenant=tenant)

    assert (key(*one) == key(*other)) is (one == other)
    assert key(*one).isalnum()
