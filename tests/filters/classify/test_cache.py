"""Decisions that were made before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.classify.cache import DecisionCache
from plano_builtin_filters.classify.routers.protocol import (
    Question,
    Role,
    RouteOption,
    Scores,
    Turn,
)

SCORES = Scores((0.75,), 0.25)


def asked(
    text: str = "hi", description: str = "writing code", session: str | None = None
) -> Question:
    return Question((Turn("user", text),), (RouteOption("code", description),), session)


def test_the_same_question_has_the_same_answer() -> None:
    """Routes and conversation decide; which session asks does not."""
    cache = DecisionCache(4)
    cache.put(asked(session="one"), SCORES)

    assert cache.get(asked()) == cache.get(asked(session="two")) == SCORES
    assert cache.get(asked("ho")) is None
    assert cache.get(asked(description="reading code")) is None


def test_what_was_not_asked_for_the_longest_time_is_forgotten() -> None:
    """A question that is repeated stays."""
    cache = DecisionCache(2)
    cache.put(asked("a"), SCORES)
    cache.put(asked("b"), SCORES)
    cache.get(asked("a"))
    cache.put(asked("c"), SCORES)

    assert [cache.get(asked(text)) is None for text in "abc"] == [False, True, False]


def test_an_answer_that_is_given_again_is_new() -> None:
    """Two requests that asked the same at once leave one answer, the second one."""
    cache = DecisionCache(2)
    again = Scores((0.5,), 0.5)
    for question, scores in (("a", SCORES), ("b", SCORES), ("a", again), ("c", SCORES)):
        cache.put(asked(question), scores)

    assert cache.get(asked("a")) == again
    assert cache.get(asked("b")) is None


def test_a_cache_of_nothing_remembers_nothing() -> None:
    """With no entries every question is asked."""
    cache = DecisionCache(0)
    cache.put(asked(), SCORES)

    assert cache.get(asked()) is None


def test_no_conversation_is_kept() -> None:
    """A cache holds digests: prompts would be many megabytes, and are nobody's business."""
    cache = DecisionCache(4)
    cache.put(asked("a prompt that nobody else may see" * 1000), SCORES)

    assert "prompt" not in repr(vars(cache))
    assert len(repr(vars(cache))) < 1000


def test_half_a_surrogate_pair_is_a_question_like_others() -> None:
    """JSON can carry what UTF-8 cannot, and two such texts are two questions."""
    cache = DecisionCache(4)
    cache.put(asked("\ud83d"), SCORES)

    assert cache.get(asked("\ud83d")) == SCORES
    assert cache.get(asked("\ud83e")) is None


TEXTS = st.text(st.sampled_from("ab:\0"), max_size=3)
ROLES: list[Role] = ["user", "assistant"]
TURNS = st.lists(st.builds(Turn, st.sampled_from(ROLES), TEXTS), min_size=1, max_size=3).map(tuple)
ROUTES = st.lists(st.builds(RouteOption, TEXTS, TEXTS), min_size=1, max_size=3).map(tuple)
QUESTIONS = st.builds(Question, TURNS, ROUTES)


@given(QUESTIONS, QUESTIONS)
def test_different_questions_never_meet(one: Question, other: Question) -> None:
    """However texts and parts are cut, only an equal question finds the answer."""
    cache = DecisionCache(4)
    cache.put(one, SCORES)

    same = (one.turns, one.routes) == (other.turns, other.routes)
    assert (cache.get(other) is not None) == same
