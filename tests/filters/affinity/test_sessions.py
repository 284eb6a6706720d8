"""Which session a request belongs to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.affinity import sessions
from plano_builtin_filters.affinity.config import ClientKey
from plano_builtin_filters.affinity.conversation import Beginning, beginning_of

RUST = Beginning(
    "You are a senior Rust engineer.", "", "Write a Rust function that reverses a linked list."
)


@pytest.mark.parametrize(
    ("tenant", "key"), [("", "implicit:8e76b367cc3a4336"), ("acme", "implicit:0cce9d8ce93e9820")]
)
def test_planos_vectors(tenant: str, key: str) -> None:
    """The keys that Plano computes for the same conversation."""
    assert sessions.implicit_key(RUST, tenant) == key


@pytest.mark.parametrize("user", ["", RUST.user])
def test_planos_prefix(user: str) -> None:
    """The hash of what the prompts of a conversation begin with: not of what the user says."""
    assert sessions.prefix(Beginning(RUST.system, "", user), "") == "45bddd7259df5e99"


def test_the_vector_from_a_request() -> None:
    """A system message and a user message, however the conversation goes on."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": RUST.system},
        {"role": "user", "content": [{"type": "text", "text": RUST.user}]},
        {"role": "assistant", "content": "fn reverse"},
        {"role": "user", "content": "And a doubly linked one?"},
    ]
    for length in (2, 3, 4):
        began = beginning_of({"messages": messages[:length]}, "chat")
        assert began == RUST


def test_a_long_text_counts_to_its_end() -> None:
    """Two texts that differ in the last letter have two keys, and quickly."""
    long = "x" * 300_000
    one = sessions.implicit_key(Beginning(long + "a", "", "hi"), "")
    other = sessions.implicit_key(Beginning(long + "b", "", "hi"), "")

    assert one != other


@given(st.lists(st.text(max_size=9), min_size=4, max_size=4))
def test_any_text_has_a_key(texts: list[str]) -> None:
    """Sixteen hex digits, the same each time."""
    began, tenant = Beginning(*texts[:3]), texts[3]
    key = sessions.implicit_key(began, tenant)

    assert len(key) == len("implicit:") + 16
    assert key == sessions.implicit_key(began, tenant)


BODY: dict[str, Any] = {
    "prompt_cache_key": "cache-1",
    "metadata": {"user_id": "user-1"},
    "conversation": {"id": "conv-1"},
    "user": 7,
}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ((), None),
        (("prompt_cache_key",), ("prompt_cache_key", "cache-1")),
        (("metadata.user_id",), ("metadata.user_id", "user-1")),
        (("conversation",), ("conversation", "conv-1")),
        (("user", "safety_identifier"), None),
        (("user", "conversation", "prompt_cache_key"), ("conversation", "conv-1")),
        (
            ("x-claude-code-session-id", "prompt_cache_key"),
            ("x-claude-code-session-id", "session-1"),
        ),
    ],
)
def test_a_clients_own_keys(wanted: tuple[ClientKey, ...], found: tuple[str, str] | None) -> None:
    """The first one that is asked for and there; a number is none."""
    headers = {"x-claude-code-session-id": " session-1 "}

    assert sessions.of_client(headers, BODY, wanted) == found


def test_a_conversation_may_be_a_text() -> None:
    """The Responses API takes both."""
    assert sessions.of_client({}, {"conversation": "c"}, ("conversation",)) == ("conversation", "c")
    assert sessions.of_client({}, {"metadata": "m"}, ("metadata.user_id",)) is None
