"""What is wrong with a routing table, with vectors made up for the purpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from plano_builtin_filters.classify.lint import LONG, check, warnings
from plano_builtin_filters.classify.routers.protocol import RouteOption

TOPICS = ("code", "poem", "tax")


def vectors(texts: Sequence[str]) -> Any:
    """Return a vector for each text: which of three topics it names, and a little of nothing."""
    rows = np.asarray([[*(topic in text for topic in TOPICS), 0.01] for text in texts], float)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def linted(*routes: tuple[str, str]) -> list[str]:
    return warnings([RouteOption(name, description) for name, description in routes], vectors)


def test_a_good_table_has_no_warnings() -> None:
    """Names and descriptions agree, and no two routes are the same."""
    assert linted(("code", "writing code and tests"), ("poems", "writing a poem or two")) == []


@pytest.mark.parametrize(
    ("routes", "said"),
    [
        ([("code", "code")], ['"code": the description is too short to tell it from others']),
        (
            [("code", "")],
            ['"code": the description is too short', '"code": name and description have little'],
        ),
        (
            [("code", "code " * (LONG + 1))],
            [f'"code": the description has {LONG + 1} words, and the embedded router reads about'],
        ),
        (
            [("poems", "writing code and tests")],
            ['"poems": name and description have little in common (similarity 0.00)'],
        ),
        (
            [("code a", "writing code and tests"), ("code b", "reading code and tests")],
            ['"code a" and "code b" say nearly the same (similarity 1.00), so requests will go to'],
        ),
        (
            [("tax a", "a tax form"), ("code", "a code"), ("tax b", "tax advice")],
            ['"tax a" and "tax b" say nearly the same'],
        ),
        (
            [
                ("write code", "new code, poem"),
                ("tax", "a tax form"),
                ("fix code", "code, tax"),
                ("test code", "tests of code"),
            ],
            ['"write code", "tax", "fix code", "test code" are of one domain, and none is for'],
        ),
        (
            [("write code", "new code"), ("fix code", "broken code"), ("code", "anything on code")],
            ['"write code" and "fix code" say', '"write code" and "code" say', '"fix code" and'],
        ),
    ],
)
def test_what_an_operator_should_look_at(routes: list[tuple[str, str]], said: list[str]) -> None:
    """Each warning names the route and the reason."""
    found = linted(*routes)

    assert len(found) == len(said)
    assert all(one.startswith(begin) for one, begin in zip(found, said, strict=True))


@pytest.mark.parametrize("name", ["route_3", "r1", "policy-b", "Option 2", "x"])
def test_an_opaque_name_promises_nothing(name: str) -> None:
    """A name that says nothing does not disagree with its description."""
    assert linted((name, "writing code and tests")) == []


@pytest.mark.parametrize("description", ["编写和调试代码", "コードを書くこと", "코드 작성"])
def test_a_script_without_spaces_has_words(description: str) -> None:
    """A sentence of Chinese is not one word."""
    assert warnings([RouteOption("code", description)]) == []


def test_without_a_model_only_what_can_be_counted_is_looked_at() -> None:
    """Lengths need no encoder, likeness does."""
    routes = [RouteOption("code", "x"), RouteOption("poems", "writing code and tests")]

    assert len(warnings(routes)) == 1


def test_no_routes_have_no_warnings() -> None:
    """An empty table is fine."""
    assert warnings([], vectors) == []


def test_the_bundled_encoder_sees_two_routes_that_are_one() -> None:
    """The real thing: the same words under two names are reported, different ones are not."""
    same = "summaries of long meetings and reports"
    routes = [
        RouteOption("summaries", same),
        RouteOption("digests", same),
        RouteOption("translation", "translating text from one language into another"),
    ]

    found = [one for one in check(routes) if "nearly the same" in one]

    assert len(found) == 1
    assert found[0].startswith('"summaries" and "digests"')
