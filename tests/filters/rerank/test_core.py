"""The order of models and what is left out, as tables, then as laws."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.rerank import core
from plano_builtin_filters.rerank.needs import Needs
from plano_filters import Candidates, Route
from plano_filters.prices.catalog import Ability

MODELS = st.lists(st.sampled_from([f"p/{c}" for c in "abcdefgh"]), unique=True, max_size=8)
FIGURE = st.none() | st.floats() | st.sampled_from([0.0, 1.0, 2.0, math.nan, math.inf, -1.0])


@pytest.mark.parametrize(
    ("figures", "order"),
    [
        ({"a": 3.0, "b": 1.0, "c": 2.0}, "bca"),
        ({"a": 1.0, "b": 1.0, "c": 0.5}, "cab"),  # equal ones keep their order
        ({"b": 1.0}, "bac"),  # missing ones come last, in their order
        ({"a": None, "b": math.nan, "c": 9.0}, "cab"),
        ({"a": math.inf, "b": -1.0, "c": 9.0}, "cab"),
        ({}, "abc"),
    ],
)
def test_the_smallest_figure_comes_first(figures: dict[str, float | None], order: str) -> None:
    """What has none comes last."""
    assert "".join(core.rank("abc", figures)) == order


@given(MODELS, st.data())
def test_ranking_is_a_stable_permutation(models: list[str], data: st.DataObject) -> None:
    """Nothing is lost or added; known figures ascend; ties and unknown ones keep their order."""
    figures = {model: data.draw(FIGURE) for model in models}

    ranked = core.rank(models, figures)

    assert sorted(ranked) == sorted(models)
    assert core.rank(ranked, figures) == ranked
    told = core.told(figures)
    known = [told[model] for model in ranked if told[model] is not None]
    assert known == sorted(known, key=float)  # type: ignore[arg-type] # no None is left
    assert [told[model] is None for model in ranked] == sorted(told[m] is None for m in ranked)
    for value in set(told.values()):
        same = [model for model in models if told[model] == value]
        assert [model for model in ranked if told[model] == value] == same


def test_a_routes_models_come_first_and_the_others_stay_behind() -> None:
    """The other candidates keep their order."""
    before = Candidates(("p/a", "p/b", "p/c", "p/d"), "x", explicit=True)

    after = core.merge(("p/b", "p/a"), ("p/a", "p/b", "p/c", "p/d"), before, only=False)

    assert after == Candidates(("p/b", "p/a", "p/c", "p/d"), "x", explicit=True)


def test_without_fallback_any_model_of_the_route_may_be_the_one() -> None:
    """`classify` left the first one; the cheapest may be another."""
    before = Candidates(("p/a",), "x", explicit=True, exclusive=True)
    pool = core.pool(before, Route("r", models=("p/a", "p/b")))

    assert pool == core.Pool(("p/a", "p/b"), ("p/a", "p/b"), only=True)
    assert core.merge(("p/b", "p/a"), pool.all, before, only=True).models == ("p/b",)


def test_without_fallback_and_route_the_candidate_stays() -> None:
    """A route whose models are no candidates changes nothing."""
    before = Candidates(("p/z",), "z", explicit=True, exclusive=True)

    assert core.pool(before, None) == core.Pool((), ("p/z",), only=True)
    assert core.pool(before, Route("r", models=("p/a",))) == core.Pool((), ("p/z",), only=True)


@given(MODELS, MODELS, st.booleans())
def test_no_model_is_invented(models: list[str], route: list[str], exclusive: bool) -> None:
    """Whatever the facts say, the new candidates are old ones, or the route's without fallback."""
    before = Candidates(tuple(models[:1] if exclusive else models), "", False, exclusive)
    pool = core.pool(before, Route("r", models=tuple(route)))

    after = core.merge(pool.front, pool.all, before, only=pool.only)

    assert len(after.models) == len(before.models)
    assert set(after.models) <= set(before.models) | (set(route) if exclusive else set())


@pytest.mark.parametrize(
    ("needs", "ability", "lacking"),
    [
        (Needs(images=True), Ability(images=False), ["images"]),
        (Needs(images=True), Ability(), []),  # unknown means allowed
        (Needs(images=True), Ability(images=True), []),
        (Needs(), Ability(images=False, tools=False, structured=False, context=1), []),
        (Needs(tools=True, structured=True), Ability(tools=False, structured=False),
         ["tools", "structured output"]),
        (Needs(tokens=8193), Ability(context=8192), ["8193 tokens"]),
        (Needs(tokens=8192), Ability(context=8192), []),
    ],
)  # fmt: skip
def test_lacks(needs: Needs, ability: Ability, lacking: list[str]) -> None:
    """Only what is known to be missing counts."""
    assert core.lacks(needs, ability) == lacking


def test_what_lacks_something_is_left_out_unless_all_do() -> None:
    """One of them has to answer."""
    assert core.prune("abc", {"b": ["tools"]}) == ("a", "c")
    assert core.prune("ab", {"a": ["tools"], "b": ["images"]}) == ("a", "b")


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (2e5, "2 d")]
)
def test_ages_are_coarse(seconds: float, said: str) -> None:
    """Nobody needs the seconds of a day."""
    assert core.old(seconds) == said


def test_figures_are_shown_with_their_unit() -> None:
    """In the order of the decision; unknown ones say so."""
    assert core.shown("ab", {"a": 12.5, "b": None}, " USD/M") == "a 12.5 USD/M, b unknown"


@pytest.mark.parametrize(
    ("figures", "prefer", "said"),
    [
        ({"a": 10.0, "b": 11.2}, "cheapest", ["b goes first below 10 USD/M; it is 12 % dearer"]),
        ({"a": 0.5, "b": 1.5}, "fastest", ["b goes first below 0.5 USD/M; it is 200 % slower"]),
        ({"a": 1.0, "b": None}, "cheapest", []),
        ({"a": 0.0, "b": 1.0}, "cheapest", []),
        ({"a": math.nan, "b": 1.0}, "cheapest", []),
    ],
)
def test_what_would_have_put_the_second_model_first(
    figures: dict[str, float | None], prefer: str, said: list[str]
) -> None:
    """How much dearer or slower it is; nothing, if that cannot be said."""
    assert core.otherwise(("a", "b"), figures, " USD/M", prefer=prefer) == said
    assert core.otherwise(("a",), figures, " USD/M", prefer=prefer) == []
