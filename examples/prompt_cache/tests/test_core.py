"""What is the same question, what may be kept, and the memory."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters_prompt_cache.core import (
    OVERHEAD,
    Entry,
    Memory,
    directives,
    key_of,
    whole,
    why_not,
)

BODY = {"model": "main", "messages": [{"role": "user", "content": "Hello"}], "temperature": 0}


def key(
    principal: str = "ann",
    path: str = "/v1/chat/completions?",
    headers: dict[str, str] | None = None,
    **fields: Any,
) -> bytes:
    """Return the key of a question."""
    return key_of(principal, path, headers or {}, {**BODY, **fields}, ("user",))


def test_the_same_question_has_the_same_key() -> None:
    """However its body is ordered, streamed or not, and whatever is ignored."""
    turned = dict(reversed(BODY.items()))

    assert key() == key_of("ann", "/v1/chat/completions?", {}, turned, ("user",))
    assert key() == key(stream=True, stream_options={"include_usage": True}, user="u-1")
    assert key() == key(headers={"user-agent": "x", "x-request-id": "1"})


@pytest.mark.parametrize(
    "other",
    [
        {"principal": "bob"},
        {"path": "/v1/responses?"},
        {"path": "/v1/chat/completions?a=1"},
        {"headers": {"authorization": "Bearer other"}},
        {"headers": {"anthropic-beta": "context-1m"}},
        {"headers": {"x-plano-fallback": "off"}},
        {"model": "other"},
        {"seed": 1},
        {"messages": [{"role": "user", "content": "hello"}]},
    ],
)
def test_another_question_has_another_key(other: dict[str, Any]) -> None:
    """Who asks, where, with which credential, and every field count."""
    assert key() != key(**other)


def test_directives_are_read_as_http_says() -> None:
    """In any case, with spaces and arguments."""
    assert directives("No-Store, max-age=0") == {"no-store", "max-age"}
    assert "no-store" not in directives("")


@pytest.mark.parametrize(
    ("body", "control", "sampled", "kept"),
    [
        ({}, (), False, True),
        ({"temperature": 0}, (), False, True),
        ({"temperature": 0.7}, (), False, False),
        ({"temperature": 0.7}, (), True, True),
        ({}, ("no-store",), True, False),
        ({"background": True}, (), True, False),
        ({"conversation": "conv_1"}, (), True, False),
        ({"conversation": None, "background": False}, (), False, True),
    ],
)
def test_what_goes_past_the_cache(
    body: dict[str, Any], control: tuple[str, ...], sampled: bool, kept: bool
) -> None:
    """What says so, what is meant to differ, and what a provider keeps the state of."""
    assert (why_not(body, control, sampled=sampled) == "") is kept


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"{}", True),
        (b'{"status": "completed", "error": null}', True),
        (b'{"status": "incomplete"}', False),
        (b'{"error": {"message": "gone"}}', False),
        (b"[]", False),
        (b"{", False),
        (b"\xff", False),
    ],
)
def test_what_did_not_come_to_its_end_is_not_kept(body: bytes, kept: bool) -> None:
    """Whatever its status says."""
    assert whole(body) is kept


def test_an_answer_is_forgotten_in_time() -> None:
    """At the end of its time, not before."""
    memory = Memory(10_000, ttl=60)
    memory.put(b"k", Entry(b"answer", stored=100))

    assert memory.get(b"k", 159.9) == Entry(b"answer", 100)
    assert memory.get(b"k", 160, touch=False) is None
    assert len(memory) == 1
    assert memory.get(b"k", 160) is None
    assert (len(memory), memory.bytes) == (0, 0)


def test_the_least_recently_used_goes_first() -> None:
    """A look that is no use does not count."""
    memory = Memory(2 * (OVERHEAD + 1), ttl=60)
    memory.put(b"a", Entry(b"1", 0))
    memory.put(b"b", Entry(b"2", 0))
    memory.get(b"b", 1, touch=False)
    memory.get(b"a", 1)
    memory.put(b"c", Entry(b"3", 1))

    assert [memory.get(name, 1) is not None for name in (b"a", b"b", b"c")] == [True, False, True]


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c", b"d"]), st.integers(0, 3000))))
def test_it_never_takes_more_than_its_room(puts: list[tuple[bytes, int]]) -> None:
    """Whatever is put in, replaced ones and too large ones included."""
    memory = Memory(5000, ttl=60)
    for name, size in puts:
        memory.put(name, Entry(b"x" * size, 0))

        assert memory.bytes <= 5000
        kept = [memory.get(n, 0, touch=False) for n in (b"a", b"b", b"c", b"d")]
        assert memory.bytes == sum(len(one.body) + OVERHEAD for one in kept if one)


def test_what_is_larger_than_the_room_takes_nobodys_place() -> None:
    """It is not kept, and an older answer to its question is gone."""
    memory = Memory(1000, ttl=60)
    memory.put(b"a", Entry(b"1", 0))
    memory.put(b"b", Entry(b"x" * 1000, 0))

    assert memory.get(b"a", 0) is not None
    assert memory.get(b"b", 0) is None
