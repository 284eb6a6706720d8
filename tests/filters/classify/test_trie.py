"""Scoring legal answers: the same as trying all of them, with fewer questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from plano_builtin_filters.classify.routers.prompts import TEMPLATES, TemplateName
from plano_builtin_filters.classify.routers.protocol import OTHER
from plano_builtin_filters.classify.routers.trie import (
    NEGLIGIBLE,
    Next,
    Path,
    Trie,
    greedy,
    search,
    tempered,
)

NAMES = st.one_of(
    st.text(min_size=1, max_size=12),
    st.builds(lambda tail: f"code_{tail}", st.text("abc\"'\\é漢🙂 ", max_size=5)),
)
TABLES = st.lists(NAMES, min_size=1, max_size=12, unique=True)
SEEDS = st.integers(0, 2**32 - 1)
TEMPLATE = st.sampled_from(list(TEMPLATES))


def tokens(names: Sequence[str], template: TemplateName = "arch-router") -> list[list[int]]:
    """Return the bytes of the legal answers: a tokenizer for which everything is long."""
    reply = TEMPLATES[template].reply
    return [list(reply(name).encode("utf-8", "surrogatepass")) for name in (*names, OTHER)]


def scores(seed: int, *, spread: float = 3.0) -> Next:
    """Return a model that always answers the same, and otherwise at random."""

    def following(path: Path) -> NDArray[Any]:
        return np.random.default_rng([seed, *path]).normal(0.0, spread, 256)

    return following


def by_hand(answers: list[list[int]], following: Next) -> list[float]:
    """Score each answer alone: the product, over its tokens, of their share among legal ones."""
    found: list[float] = []
    for number, answer in enumerate(answers):
        probability = 0.0 if answer in answers[:number] else 1.0
        for length, token in enumerate(answer):
            legal = sorted({a[length] for a in answers if a[:length] == answer[:length]})
            weights = np.exp(following(tuple(answer[:length]))[legal])
            probability *= weights[legal.index(token)] / weights.sum()
        found.append(float(probability))
    return found


@given(TABLES, TEMPLATE, SEEDS)
def test_the_tree_gives_what_each_answer_alone_would_get(
    names: list[str], template: TemplateName, seed: int
) -> None:
    """Searched to its end, the tree has the probabilities of a calculation answer by answer."""
    answers = tokens(names, template)
    found = search(Trie(answers), scores(seed), exhaustive=True)

    assert found.probabilities == pytest.approx(by_hand(answers, scores(seed)), abs=1e-9)
    assert all(found.exact)


@given(TABLES, TEMPLATE, SEEDS, st.floats(0.1, 20.0))
def test_stopping_early_changes_nothing_that_matters(
    names: list[str], template: TemplateName, seed: int, spread: float
) -> None:
    """The winner and its probability are exact, the runner-up within what is negligible."""
    trie = Trie(tokens(names, template))
    early = search(trie, scores(seed, spread=spread))
    full = search(trie, scores(seed, spread=spread), exhaustive=True)

    best = early.best
    assert early.exact[best]
    assert full.probabilities[best] == pytest.approx(max(full.probabilities))
    for number, exact in enumerate(early.exact):
        if exact:
            assert early.probabilities[number] == pytest.approx(full.probabilities[number])
    second, really = (sorted(found.probabilities)[-2] for found in (early, full))
    assert abs(second - really) <= NEGLIGIBLE
    assert early.passes <= full.passes


@given(TABLES, TEMPLATE, SEEDS)
def test_all_probabilities_sum_to_one(names: list[str], template: TemplateName, seed: int) -> None:
    """Whatever was not looked into has its share too."""
    found = search(Trie(tokens(names, template)), scores(seed))

    assert sum(found.probabilities) == pytest.approx(1)
    assert min(found.probabilities) >= 0


@given(st.sets(st.sampled_from("abcdefghijklmn漢é"), min_size=1), SEEDS)
def test_one_question_is_enough_where_first_tokens_differ(letters: set[str], seed: int) -> None:
    """However long the names are after that."""
    pieces = {letter: 1000 + number for number, letter in enumerate(sorted(letters))}
    answers = [[1, 2, piece, *letter.encode() * 9] for letter, piece in pieces.items()]
    following = scores(seed)

    found = search(Trie([*answers, [1, 2, 999, 3]]), lambda path: np.tile(following(path), 8))

    assert found.passes == 1
    assert all(found.exact)


@given(TABLES, TEMPLATE, SEEDS)
def test_free_generation_agrees_with_the_likeliest_way(
    names: list[str], template: TemplateName, seed: int
) -> None:
    """A model that generates a legal answer generates the one that `greedy` finds."""
    answers = tokens(names, template)
    following = scores(seed)
    known = {tuple(answer[:length]) for answer in answers for length in range(len(answer))}

    def legal(path: Path) -> NDArray[Any]:
        may = {a[len(path)] for a in answers if tuple(a[: len(path)]) == path}
        return np.where(np.isin(np.arange(256), list(may)), following(path), -1e3)

    path: Path = ()
    while path in known:
        path = (*path, int(np.argmax(legal(path))))

    assert answers[greedy(Trie(answers), legal)[0]] == list(path)


@given(TABLES, SEEDS)
def test_only_a_likelier_answer_displaces_the_likeliest_way(names: list[str], seed: int) -> None:
    """The likeliest first token may lead to many answers, none of which is the likeliest."""
    trie = Trie(tokens(names))
    found = search(trie, scores(seed), exhaustive=True)
    way, passes = greedy(trie, scores(seed))

    assert found.probabilities[found.best] >= found.probabilities[way]
    if passes <= 1 or found.probabilities[way] > 0.5:
        assert found.best == way


def test_a_hundred_routes_take_few_questions() -> None:
    """A sure model is asked once for each choice on the way to its answer."""
    names = [f"route number {number}" for number in range(100)]
    answers = tokens(names)
    wanted = answers[57]

    def following(path: Path) -> NDArray[Any]:
        return np.where(np.arange(256) == wanted[len(path)], 20.0, 0.0)

    found = search(Trie(answers), following)

    assert found.best == 57
    assert found.passes == 3  # not "other"; 5; 7
    assert sum(found.probabilities) == pytest.approx(1)


def test_a_branch_that_was_not_looked_into_is_shared_equally() -> None:
    """Its probability is known, and nothing speaks for one of its answers more than for another."""
    trie = Trie([[1, 1], [1, 2], [1, 3], [2]])
    logits = np.log([1.0, 0.03, 0.97, 1.0])

    found = search(trie, lambda path: logits)

    assert found.probabilities == pytest.approx((0.01, 0.01, 0.01, 0.97))
    assert found.exact == (False, False, False, True)
    assert found.passes == 1


def test_a_route_called_other_takes_the_place_of_no_route() -> None:
    """The model has one word for both; whoever gives a route this name means the route."""
    found = search(Trie(tokens(["other", "code"])), scores(1))

    assert found.probabilities[2] == 0
    assert sum(found.probabilities) == pytest.approx(1)


def test_a_single_answer_needs_no_question() -> None:
    """There is nothing to decide."""
    found = search(Trie(tokens(["other"])), scores(1))

    assert (found.probabilities, found.passes) == ((1.0, 0.0), 0)


@pytest.mark.parametrize("answers", [[], [[]], [[1], [1, 2]], [[1, 2], [1]]])
def test_answers_that_cannot_be_told_apart_are_refused(answers: list[list[int]]) -> None:
    """None at all, an empty one, or one that is the beginning of another."""
    with pytest.raises(ValueError, match="answer"):
        Trie(answers)


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_refused(score: float) -> None:
    """As an overflow in half precision gives them: a random route would be the answer."""
    with pytest.raises(ValueError, match="finite"):
        search(Trie([[1], [2]]), lambda path: np.array([0.0, score, 0.0]))


@given(st.lists(st.floats(0.001, 1.0), min_size=2, max_size=20), st.floats(0.2, 5.0))
def test_a_temperature_keeps_order_and_sum(weights: list[float], temperature: float) -> None:
    """It flattens above 1 and sharpens below, and an impossible answer stays impossible."""
    probabilities = [weight / sum(weights) for weight in weights] + [0.0]

    changed = tempered(probabilities, temperature)

    assert sum(changed) == pytest.approx(1)
    assert changed[-1] == 0
    order = np.argsort(probabilities, kind="stable")
    assert (np.diff(np.array(changed)[order]) >= -1e-12).all()
    assert (max(changed) <= max(probabilities) + 1e-12) == (temperature >= 1) or (
        max(changed) == pytest.approx(max(probabilities))
    )
