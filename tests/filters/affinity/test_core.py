"""Keys, values and candidates: tables, and laws that Hypothesis tries to break."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.affinity import core
from plano_filters import Candidates, Pin, load_text
from plano_filters.dialect import Dialect
from plano_filters.models import ModelIndex

DOCUMENT = load_text(
    """
version: v0.4.0
listeners: [{name: m, type: model}]
model_providers:
  - {model: openai/gpt-4o, access_key: sk-aaaaaaaa}
  - {model: mistral/small, access_key: sk-aaaaaaaa}
  - {model: "groq/*", access_key: sk-aaaaaaaa}
""",
    env={},
).document
INDEX = ModelIndex.of(DOCUMENT)
WORDS = st.text(max_size=12) | st.text("@#:%!ab", max_size=6)
OWNERS = st.tuples(
    WORDS.filter(bool), WORDS, st.none() | WORDS.filter(bool), st.none() | WORDS
)  # session, tenant, principal, lane


@pytest.mark.parametrize(
    ("key", "written"),
    [
        (core.key("demo-1"), "demo-1"),
        (core.key("demo-1", tenant="acme"), "acme:demo-1"),
        (core.key("demo-1", principal="team-a"), "@team-a:demo-1"),
        (core.key("s", tenant="t", principal="p", lane="openai/m"), "@p:t:s#openai%2Fm"),
        (core.key("a:b@c#d"), "a%3Ab%40c%23d"),
        (core.key("ü\ud800"), "%C3%BC%ED%A0%80"),
        (core.key("implicit:8e76b367cc3a4336"), "implicit%3A8e76b367cc3a4336"),
    ],
)
def test_keys(key: str, written: str) -> None:
    """Ordinary ids stand as they are; what could be taken for a mark is escaped."""
    assert key == written


@given(OWNERS, OWNERS)
def test_no_two_sessions_have_one_key(
    one: tuple[str, str, str | None, str | None], other: tuple[str, str, str | None, str | None]
) -> None:
    """Whatever they call themselves, and whoever they are."""

    def key(session: str, tenant: str, principal: str | None, lane: str | None) -> str:
        return core.key(session, tenant=tenant, principal=principal, lane=lane)

    assert (key(*one) == key(*other)) == (one == other)


def test_a_long_id_has_a_short_key() -> None:
    """Of its own."""
    keys = {core.key("x" * length) for length in (256, 257, 258, 30_000)}

    assert len(keys) == 4
    assert max(map(len, keys)) <= core.LONGEST_PART


@given(st.text(min_size=1, max_size=99), st.none() | st.text(max_size=99))
def test_what_is_written_is_read(model: str, route: str | None) -> None:
    """Any model and route."""
    assert core.decode(core.encode(Pin(model, route))) == Pin(model, route)


@given(st.binary(max_size=99))
def test_any_bytes_are_a_pin_or_none(raw: bytes) -> None:
    """Nothing raises."""
    assert isinstance(core.decode(raw), Pin | None)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"model": ""}',
        b'{"model": 1}',
        b'{"model": "m", "route": 1}',
        b"[" * 4000,
        b'{"model": "m", "route": null' + b" " * 5000 + b"}",
        b"\xff",
    ],
)
def test_what_is_no_pin(raw: bytes) -> None:
    """Whoever can write into Redis can write this."""
    assert core.decode(raw) is None


@pytest.mark.parametrize(
    ("model", "dialect", "why"),
    [
        ("openai/gpt-4o", "chat", None),
        ("openai/gpt-4o", "responses", None),
        ("groq/any", "chat", None),
        ("mistral/small", "responses", "does not speak responses"),
        ("openai/gpt-5", "chat", "is not declared"),
        ("groq/*", "chat", "is not declared"),
        ("groq/", "chat", "is not declared"),
        ("groq", "chat", "is not declared"),
        ("", "chat", "is not declared"),
    ],
)
def test_a_pin_that_does_not_fit(model: str, dialect: Dialect, why: str | None) -> None:
    """Documents change, and a session may change the API it speaks."""
    assert core.unfit(model, dialect, INDEX) == why


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("a/a", "b/b"), ("p/p", "a/a", "b/b")),
        (("a/a", "p/p", "b/b"), ("p/p", "a/a", "b/b")),
        (("p/p",), ("p/p",)),
    ],
)
def test_a_pinned_model_goes_first(before: tuple[str, ...], after: tuple[str, ...]) -> None:
    """The others stay behind it, each once; if the client wants no fallback, they go."""
    assert core.pinned("p/p", Candidates(before, "a", explicit=True)) == Candidates(
        after, "a", explicit=True
    )
    exclusive = Candidates(before, "a", explicit=True, exclusive=True)
    assert core.pinned("p/p", exclusive).models == ("p/p",)
