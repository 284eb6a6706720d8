"""From probabilities to a decision, from a decision to candidates: tables, then laws."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from plano_builtin_filters.classify.core import SHOWN, Outcome, judge, otherwise, routed, shown
from plano_builtin_filters.classify.routers.protocol import (
    OTHER,
    Question,
    RouteOption,
    Scores,
    Turn,
)
from plano_filters import Candidates

A, B, C = "openai/a", "anthropic/b", "groq/c"


def asked(*names: str) -> Question:
    return Question((Turn("user", "hi"),), tuple(RouteOption(name, "") for name in names))


TWO = asked("code", "poems")


@pytest.mark.parametrize(
    ("routes", "other", "needed", "outcome", "text"),
    [
        ((0.7, 0.2), 0.1, 0.0, "routed", "code 0.70, then poems 0.20"),
        ((0.7, 0.2), 0.1, 0.7, "routed", "code 0.70, then poems 0.20"),
        ((0.2, 0.75), 0.05, 0.5, "routed", "poems 0.75, then code 0.20"),
        ((0.6, 0.1), 0.3, 0.0, "routed", "code 0.60, then other 0.30"),
        ((0.6, 0.1), 0.3, 0.61, "unsure", "code 0.60 is below 0.61, then other 0.30"),
        ((0.2, 0.1), 0.7, 0.0, "other", "no route fits 0.70, then code 0.20"),
        ((0.2, 0.1), 0.7, 0.9, "other", "no route fits 0.70, then code 0.20"),
        ((1.0, 0.0), 0.0, 1.0, "routed", "code 1.00, then poems 0.00"),
    ],
)
def test_judge(
    routes: tuple[float, ...], other: float, needed: float, outcome: Outcome, text: str
) -> None:
    """The likeliest answer wins; a route must also be as likely as is asked of it."""
    verdict = judge(TWO, Scores(routes, other), needed)

    assert verdict.outcome == outcome
    assert verdict.text(needed) == text


def test_the_margin_is_between_the_two_best() -> None:
    """A decision has who was second, and by how much, whatever order the routes stand in."""
    verdict = judge(asked("a", "b", "c"), Scores((0.1, 0.25, 0.6), 0.05), 0.0)

    assert (verdict.best, verdict.index, verdict.confidence) == ("c", 2, 0.6)
    assert (verdict.runner_up, verdict.margin) == ("b", 0.35)


def test_a_route_may_be_named_other() -> None:
    """The user's own `other` is a route with models; that none fits is something else."""
    question = asked("code", OTHER)

    theirs = judge(question, Scores((0.1, 0.7), 0.2), 0.0)
    none = judge(question, Scores((0.1, 0.2), 0.7), 0.0)

    assert (theirs.outcome, theirs.best, theirs.index) == ("routed", OTHER, 1)
    assert (none.outcome, none.best, none.index) == ("other", OTHER, None)


@pytest.mark.parametrize(
    ("routes", "other", "outcome", "text"),
    [
        ((0.0, 1.0), 0.0, "routed", "poems"),
        ((0.0, 0.0), 1.0, "other", "no route fits"),
    ],
)
def test_a_router_that_only_names_a_route(
    routes: tuple[float, ...], other: float, outcome: Outcome, text: str
) -> None:
    """Its word counts whatever confidence is asked for, and no number is made up."""
    scores = Scores(routes, other, calibrated=False)
    verdict = judge(TWO, scores, needed=0.99)

    assert (verdict.outcome, verdict.text(0.99)) == (outcome, text)
    assert (verdict.confidence, verdict.runner_up, verdict.margin) == (None, None, None)
    assert shown(TWO, scores) == {}


def test_only_the_likeliest_are_shown() -> None:
    """Of a hundred routes a decision shows the few that matter, the best first."""
    question = asked(*(f"r{n}" for n in range(100)))
    weights = tuple(n / 4950 for n in range(100))

    found = shown(question, Scores(weights, 0.0))

    assert list(found) == ["r99", "r98", "r97", "r96", "r95"]
    assert len(found) == SHOWN


@pytest.mark.parametrize(
    ("models", "before", "exclusive", "after"),
    [
        ((A,), (B, C), False, (A, B, C)),
        ((C, A), (A, B), False, (C, A, B)),  # no model twice, the route's order counts
        ((A, B), (A, B), False, (A, B)),
        ((A, B), (C,), True, (A,)),  # no fallback was asked for
    ],
)
def test_routed(
    models: tuple[str, ...], before: tuple[str, ...], exclusive: bool, after: tuple[str, ...]
) -> None:
    """The models of a route come first, what stood before stays behind as fallback."""
    found = routed(models, Candidates(before, "fast", True, exclusive))

    assert found == Candidates(after, "fast", explicit=True, exclusive=exclusive)


SHARES = st.lists(st.floats(1e-6, 1), min_size=2, max_size=12).map(
    lambda weights: [weight / sum(weights) for weight in weights]
)


@given(SHARES, st.floats(0, 1))
def test_a_verdict_follows_from_the_probabilities(shares: list[float], needed: float) -> None:
    """Whatever they are: the best is the best, the margin is no less than nothing."""
    *routes, other = shares
    question = asked(*(f"r{n}" for n in range(len(routes))))
    verdict = judge(question, Scores(tuple(routes), other), needed)

    assert verdict.confidence == round(max(shares), 4)
    assert verdict.margin is not None
    assert verdict.margin >= 0
    assert verdict.runner_up != verdict.best
    assert (verdict.index is None) == (verdict.outcome == "other")
    assert verdict.outcome != "routed" or max(routes) >= max(needed, other)
    assert json.dumps(shown(question, Scores(tuple(routes), other)))


MODELS = st.lists(st.sampled_from([A, B, C, "vllm/d"]), min_size=1, unique=True)


@given(MODELS, MODELS, st.booleans())
def test_a_route_loses_no_candidate(models: list[str], before: list[str], exclusive: bool) -> None:
    """Nothing is there twice, the route's models lead, and unless forbidden nobody is left out."""
    found = routed(models, Candidates(tuple(before), "", False, exclusive)).models

    assert len(set(found)) == len(found)
    assert found[0] == models[0]
    if exclusive:
        assert found == (models[0],)
    else:
        assert found[: len(models)] == tuple(models)
        assert set(found) == {*models, *before}


AB = asked("a", "b")


@pytest.mark.parametrize(
    ("routes", "other", "needed", "said"),
    [
        (
            (0.6, 0.3), 0.1, 0.0,
            ["b (0.30) wins above 0.45", "no route is taken with min_confidence above 0.60"],
        ),
        ((0.6, 0.1), 0.3, 0.0, ["other (0.30) wins above 0.45", ...]),
        ((0.6, 0.3), 0.1, 0.5, ["b (0.30) wins above 0.50", ...]),
        ((0.3, 0.1), 0.6, 0.0, ["a (0.30) wins above 0.45"]),
        ((0.41, 0.2), 0.39, 0.5, ["a (0.41) wins from 0.5, the min_confidence"]),
    ],
)  # fmt: skip
def test_what_would_have_changed_a_verdict(
    routes: tuple[float, ...], other: float, needed: float, said: list[object]
) -> None:
    """The second answer wins from half way between them, or from the least confidence."""
    found = otherwise(judge(AB, Scores(routes, other), needed), needed)

    assert [
        text for text, wanted in zip(found, said, strict=True) if wanted not in (text, ...)
    ] == []


def test_a_router_without_probabilities_has_no_otherwise() -> None:
    """It only names a route."""
    assert otherwise(judge(AB, Scores((1.0, 0.0), 0.0, calibrated=False), 0.0), 0.0) == []


@given(st.lists(st.integers(1, 100), min_size=3, max_size=3), st.sampled_from([0.0, 0.3, 0.6]))
def test_the_second_answer_wins_where_it_is_said_to(shares: list[int], needed: float) -> None:
    """Past that probability it does, short of it it does not; what it gains the best loses."""
    known = dict(zip(("a", "b", "other"), (share / sum(shares) for share in shares), strict=True))
    before = judge(AB, Scores((known["a"], known["b"]), known["other"]), needed)
    assume(before.outcome != "unsure")
    second = str(before.runner_up)
    wins = float(otherwise(before, needed)[0].rpartition(" ")[2])
    for at, expected in ((wins + 0.02, True), (wins - 0.02, False)):
        moved = {**known, second: at, before.best: known[before.best] - (at - known[second])}
        if min(moved.values()) >= 0 and max(moved, key=lambda name: moved[name]) in (
            second,
            before.best,
        ):
            after = judge(AB, Scores((moved["a"], moved["b"]), moved["other"]), needed)
            assert (after.best == second and after.outcome != "unsure") == expected
