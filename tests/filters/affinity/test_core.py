"""Keys, values and candidates: tables, and laws that Hypothesis tries to break."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.affinity import core
from plano_filters import Candidates, FilterState, Pin, Route, load_text
from plano_filters.dialect import Dialect
from plano_filters.models import ModelIndex

DOCUMENT = load_text(
    """
version: v0.4.0
listeners: [{name: m, type: model}]
model_providers:
  - {model: openai/gpt-4o, access_key: sk-aaaaaaaa}
  - {model: chatgpt/codex, access_key: sk-aaaaaaaa}
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


@pytest.mark.parametrize(
    ("model", "dialect", "why"),
    [
        ("openai/gpt-4o", "chat", None),
        ("openai/gpt-4o", "responses", None),
        ("groq/any", "chat", None),
        ("chatgpt/codex", "messages", "does not speak messages"),
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


def test_a_model_is_offered_behind_the_others() -> None:
    """Where it stands already it stays; a client that wants no fallback is offered none."""
    before = Candidates(("a/a", "p/p"), "a", explicit=True)
    assert core.offered("p/p", before) == before
    assert core.offered("q/q", before).models == ("a/a", "p/p", "q/q")
    exclusive = Candidates(("a/a",), "a", explicit=True, exclusive=True)
    assert core.offered("p/p", exclusive) is exclusive


@pytest.mark.parametrize(
    ("before", "pinned", "after"),
    [
        (None, None, None),
        (None, "code", Route("code")),
        (Route("code", 0.9), "code", Route("code", 0.9)),
        (Route("chat", 0.9), "code", Route("code")),
        (Route("chat", 0.9), None, None),
    ],
)
def test_a_pin_brings_its_route(
    before: Route | None, pinned: str | None, after: Route | None
) -> None:
    """What the router says of another model is not the route of the pinned one."""
    state = FilterState()
    state.put(Candidates(("a/a",), "a", explicit=True))
    if before is not None:
        state.put(before)
    core.hold(state, Pin("p/p", pinned))

    assert state[Candidates].models == ("p/p", "a/a")
    assert state.get(Route) == after
