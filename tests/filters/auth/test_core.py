"""Finding and comparing credentials."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.auth.core import Credential, KeyRing, credentials, looks_like_jwt


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=8), min_size=1, max_size=5), st.text())
def test_a_key_opens_for_its_holder_and_nobody_else(keys: dict[str, str], other: str) -> None:
    """Whatever the keys are."""
    if len(set(keys.values())) < len(keys):
        return
    ring = KeyRing(keys.items())

    for holder, key in keys.items():
        assert ring.holder(key) == holder
    if other not in keys.values():
        assert ring.holder(other) is None


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([("a", "short")], "shorter than 8"),
        ([("a", "k" * 10), ("a", "l" * 10)], 'two keys have the id "a"'),
        ([("a", "k" * 10), ("b", "k" * 10)], '"b" and "a" have the same key'),
    ],
)
def test_a_ring_that_is_a_mistake_is_refused(keys: list[tuple[str, str]], says: str) -> None:
    """And never with the key in the message."""
    with pytest.raises(ValueError, match=says) as caught:
        KeyRing(keys)
    assert "kkk" not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "only", "expected"),
    [
        ({"authorization": "Bearer abc"}, None, [("abc", "authorization")]),
        ({"authorization": "bearer  abc "}, None, [("abc", "authorization")]),
        ({"authorization": "abc"}, None, [("abc", "authorization")]),
        ({"authorization": "Bearer "}, None, []),
        ({"x-api-key": "abc"}, None, [("abc", "x-api-key")]),
        (
            {"x-api-key": "b", "authorization": "Bearer a"},
            None,
            [("a", "authorization"), ("b", "x-api-key")],
        ),
        ({"x-api-key": "b", "authorization": "Bearer a"}, "X-API-Key", [("b", "x-api-key")]),
        ({"x-gateway-key": "g"}, "x-gateway-key", [("g", "x-gateway-key")]),
        ({}, None, []),
    ],
)
def test_credentials_are_found(
    headers: dict[str, str], only: str | None, expected: list[tuple[str, str]]
) -> None:
    """Both SDKs' headers, or the one that was configured."""
    assert credentials(headers, only) == [Credential(*one) for one in expected]


@pytest.mark.parametrize(
    ("text", "answer"), [("eyA.b.c", True), ("sk.a.b", False), ("ey.a", False)]
)
def test_a_token_is_told_from_a_key(text: str, answer: bool) -> None:
    """So that a wrong key does not get a lecture about tokens."""
    assert looks_like_jwt(text) is answer
