"""Accuracies, calibration and fits, against numbers that were worked out by hand."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.classify import evaluation
from plano_builtin_filters.classify.evaluation import Decision

Scored = tuple[list[list[float]], list[int]]


def decision(
    talk: int,
    turn: int,
    gold: int | None,
    taken: int | None,
    *,
    confidence: float | None = 0.5,
    source: str = "a",
    answer: int | str | None = "taken",
    failed: str | None = None,
) -> Decision:
    """Make a decision; the likeliest answer is the one that was taken, unless given."""
    best = taken if isinstance(answer, str) else answer
    names = (str(gold), str(best))
    return Decision(
        talk, turn, source, (), gold, best, taken, confidence, names, failed=failed
    )  # fmt: skip


def test_turns_spans_and_conversations_are_counted_apart() -> None:
    """One wrong turn spoils its span and its conversation, and nothing else."""
    found = evaluation.summary(
        [
            decision(1, 0, 0, 0),
            decision(1, 2, 0, 0),  # a span of two, right
            decision(1, 4, 1, 1),
            decision(1, 6, 1, 2),  # a span of two, wrong at its end
            decision(1, 8, 0, 0),  # back to the first route: a span of its own
            decision(2, 0, 3, 3),
        ]
    )

    assert (found.decisions, found.conversations) == (6, 2)
    assert found.turn_accuracy == pytest.approx(5 / 6)
    assert found.span_accuracy == pytest.approx(3 / 4)
    assert found.conversation_accuracy == pytest.approx(1 / 2)


def test_spans_follow_the_turns_and_not_the_order_of_decisions() -> None:
    """Decisions may come in any order."""
    mixed = [decision(1, 4, 0, 0), decision(1, 0, 0, 0), decision(1, 2, 1, 0)]

    assert evaluation.summary(mixed).span_accuracy == pytest.approx(2 / 3)


def test_other_has_recall_and_precision() -> None:
    """Recall asks those that fit no route, precision those that took none."""
    found = evaluation.summary(
        [
            decision(1, 0, None, None),
            decision(2, 0, None, None),
            decision(3, 0, None, 1),  # should have taken none
            decision(4, 0, 2, None),  # should have taken one
            decision(5, 0, 2, 2),
        ]
    )

    assert found.other_recall == pytest.approx(2 / 3)
    assert found.other_precision == pytest.approx(2 / 3)


def test_shares_of_nothing_are_none() -> None:
    """No decisions have no accuracy, and a set without `other` has no recall of it."""
    nothing = evaluation.summary([])
    routed = evaluation.summary([decision(1, 0, 0, 0)])

    assert (nothing.turn_accuracy, nothing.span_accuracy, nothing.ece) == (None, None, None)
    assert (routed.other_recall, routed.other_precision) == (None, None)


def test_a_question_without_an_answer_is_wrong() -> None:
    """Also where no route was right: nobody found that out. It has no place in the calibration."""
    failed = decision(1, 0, None, None, confidence=None, failed="deadline")

    assert not failed.right
    assert evaluation.summary([failed]).turn_accuracy == 0
    assert evaluation.summary([failed]).ece is None
    assert evaluation.confusion([failed]) == []


def test_an_unsure_answer_counts_as_what_traffic_does_and_is_calibrated_as_given() -> None:
    """Abstaining is right where no route fits, and wrong where one does."""
    lucky = decision(1, 0, None, None, answer=3, confidence=0.2)
    unlucky = decision(2, 0, 3, None, answer=3, confidence=0.2)

    assert (lucky.right, unlucky.right) == (True, False)
    (bin_,) = [one for one in evaluation.bins([lucky, unlucky]) if one.count]
    assert bin_.accuracy == pytest.approx(1 / 2)


def test_the_calibration_error_is_the_weighted_gap() -> None:
    """0.95 twice, right once; 0.65 twice, right both times: (2 x 0.45 + 2 x 0.35) / 4."""
    found = [
        decision(1, 0, 0, 0, confidence=0.95),
        decision(2, 0, 0, 1, confidence=0.95),
        decision(3, 0, 0, 0, confidence=0.65),
        decision(4, 0, 0, 0, confidence=0.65),
    ]

    table = evaluation.bins(found)
    assert [one.count for one in table] == [0, 0, 0, 0, 0, 0, 2, 0, 0, 2]
    assert evaluation.ece(table) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("confidence", "place"), [(0.0, 0), (0.0999, 0), (0.1, 1), (0.55, 5), (0.999, 9), (1.0, 9)]
)
def test_a_confidence_has_one_bin(confidence: float, place: int) -> None:
    """Bins hold their lower bound, and the last one both."""
    table = evaluation.bins([decision(1, 0, 0, 0, confidence=confidence)])

    assert [one.count for one in table].index(1) == place


def test_confusions_are_counted_with_the_most_frequent_first() -> None:
    """Right answers are none."""
    found = [
        decision(1, 0, 0, 1),
        decision(2, 0, 0, 1),
        decision(3, 0, None, 1),
        decision(4, 0, 1, 1),
    ]

    assert evaluation.confusion(found) == [(("0", "1"), 2), (("None", "1"), 1)]


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 50, None),
        ([3.0], 99, 3.0),
        ([4.0, 1.0, 3.0, 2.0], 50, 2.5),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 95, 4.8),
        ([1.0, 2.0], 100, 2.0),
    ],
)
def test_percentiles(values: list[float], percent: float, expected: float | None) -> None:
    """Between two neighbours, as far as the percentile is."""
    found = evaluation.percentile(values, percent)

    assert found == (None if expected is None else pytest.approx(expected))


def test_the_loss_is_the_logarithm_of_what_was_right() -> None:
    """Odds of 3 to 1, twice right and once wrong."""
    rows = [[log(3.0), 0.0]] * 3

    expected = (2 * log(4 / 3) + log(4)) / 3
    assert evaluation.nll(rows, [0, 0, -1]) == pytest.approx(expected)
    assert evaluation.probabilities([log(3.0), 0.0]) == pytest.approx([3 / 4, 1 / 4])
    assert evaluation.probabilities([log(9.0), 0.0], 2.0) == pytest.approx([3 / 4, 1 / 4])
    assert evaluation.probabilities([log(9.0), 0.0], 2.0, log(9.0)) == pytest.approx([0.5, 0.5])


def test_a_temperature_is_found() -> None:
    """Right 3 times of 4 with logits of log 9 means that they are twice too large."""
    rows = [[log(9.0), 0.0]] * 4

    assert evaluation.fit_temperature(rows, [0, 0, 0, 1]) == pytest.approx(2.0, abs=0.01)


def test_an_offset_is_found_with_the_temperature() -> None:
    """Both groups of scores have the odds of the data with these two numbers, and no others."""
    rows = [[2.0, 0.0]] * 8 + [[0.0, 2.0]] * 8
    golds = [0, 0, 0, 0, 0, 0, -1, -1, 0, -1, -1, -1, -1, -1, -1, -1]

    temperature, offset = evaluation.fit_both(rows, golds)

    # log odds of `other`: (offset - 2) / T = log(2/6) and (offset + 2) / T = log(7)
    right = 4 / (log(7) - log(1 / 3))
    assert temperature == pytest.approx(right, rel=0.01)
    assert offset == pytest.approx(right * log(7) - 2, abs=0.01)


score = st.floats(-20, 20).map(lambda one: round(one, 3))


@st.composite
def scored(draw: st.DrawFn) -> Scored:
    """Draw some questions' logits, and what was right."""
    rows = draw(st.lists(st.lists(score, min_size=2, max_size=5), min_size=1, max_size=12))
    return rows, [draw(st.integers(-1, len(row) - 1)) for row in rows]


@given(scored())
def test_a_fit_never_raises_the_loss(data: Scored) -> None:
    """Whatever the data, the fitted numbers are at least as good as none."""
    rows, golds = data
    plain = evaluation.nll(rows, golds)

    temperature = evaluation.fit_temperature(rows, golds)
    assert evaluation.nll(rows, golds, temperature) <= plain + 1e-9
    both = evaluation.fit_both(rows, golds)
    assert evaluation.nll(rows, golds, *both) <= evaluation.nll(rows, golds, temperature) + 1e-9


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=8), st.floats(0.1, 50))
def test_a_temperature_changes_no_answer(row: list[float], temperature: float) -> None:
    """The order of probabilities is that of the logits, and they sum to 1."""
    odds = evaluation.probabilities(row, temperature)

    assert sum(odds) == pytest.approx(1)
    assert odds[row.index(max(row))] == max(odds)


@given(
    st.lists(st.tuples(st.none() | st.floats(0, 1), st.booleans(), st.integers(0, 3)), max_size=40)
)
def test_laws_of_a_summary(drawn: list[tuple[float | None, bool, int]]) -> None:
    """Shares and the calibration error are between 0 and 1; no answer is lost from the bins."""
    found = [
        decision(talk, turn, 0, 0 if right else 1, confidence=confidence)
        for turn, (confidence, right, talk) in enumerate(drawn)
    ]

    told = evaluation.summary(found)
    counted = sum(one.count for one in evaluation.bins(found))
    assert counted == sum(confidence is not None for confidence, _, _ in drawn)
    shares = (told.turn_accuracy, told.span_accuracy, told.conversation_accuracy, told.ece)
    assert all(one is None or 0 <= one <= 1 for one in shares)
    if told.turn_accuracy is not None and told.conversation_accuracy is not None:
        assert (told.conversation_accuracy == 1) == (told.turn_accuracy == 1)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 100))
def test_a_percentile_lies_among_its_values(values: list[float], percent: float) -> None:
    """Never below the least, nor above the largest."""
    found = evaluation.percentile(values, percent)

    assert found is not None
    assert min(values) - 1e-6 <= found <= max(values) + 1e-6
