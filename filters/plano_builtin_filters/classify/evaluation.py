"""How good a router is, in numbers: from decisions to accuracies, calibration and temperatures.

*Turn*: the share of right decisions. *Span*: of maximal runs of decisions with one right answer
that are right throughout. *Conversation*: of conversations that are right throughout. The names
are those of arXiv 2506.16655. Nothing here does I/O; shares of nothing are None.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import exp, floor, log, sqrt
from typing import Final, TypeVar

BINS: Final = 10
Logits = Sequence[Sequence[float]]
"""The scores of one question's routes, and last that of `other`."""
_GRID: Final = tuple(10 ** (step / 8) for step in range(-16, 17))
"""Temperatures from 0.01 to 100, where a fit begins."""
_TOLERANCE: Final = 1e-4
"""Of a temperature, as a share, and of an offset; its effect is a hundred times less."""
_GAIN: Final = 1e-7
"""Nats. A round that gains less was the last one."""
_ROUNDS: Final = 50
_GOLDEN: Final = (sqrt(5) - 1) / 2
KeyT = TypeVar("KeyT", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Decision:
    """One answer of a router, and what would have been right. Routes by index; None: no route."""

    conversation: int
    turn: int
    """The index of the user's message in its conversation."""
    source: str
    tags: tuple[str, ...]
    gold: int | None
    answer: int | None
    """The likeliest."""
    taken: int | None
    """The route that traffic would have taken; None also if the answer was too unsure."""
    confidence: float | None
    """Of the answer. None if the router only named it."""
    names: tuple[str, str]
    """Of the right answer and of the given one, to show."""
    seconds: float = 0.0
    failed: str | None = None
    """Why there was no answer. Then the decision is wrong, whatever was right."""

    @property
    def right(self) -> bool:
        """Whether traffic went where it should."""
        return self.failed is None and self.taken == self.gold


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers with a confidence between two bounds."""

    low: float
    high: float
    count: int
    confidence: float | None
    """Their mean."""
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What is said about any set of decisions. Shares from 0 to 1."""

    decisions: int
    conversations: int
    turn_accuracy: float | None
    span_accuracy: float | None
    conversation_accuracy: float | None
    other_recall: float | None
    """Of the requests that fit no route, those that took none."""
    other_precision: float | None
    """Of the requests that took no route, those that fit none."""
    ece: float | None
    """The expected calibration error: by how much confidence and accuracy differ, on average."""


def summary(decisions: Sequence[Decision]) -> Summary:
    """Summarise decisions. Those of one conversation are taken in the order of its turns."""
    talks = list(by(decisions, lambda one: one.conversation).values())
    spans = [span for talk in talks for span in _spans(talk)]
    fits_none = [one for one in decisions if one.gold is None]
    took_none = [one for one in decisions if one.taken is None and one.failed is None]
    return Summary(
        decisions=len(decisions),
        conversations=len(talks),
        turn_accuracy=share(one.right for one in decisions),
        span_accuracy=share(all(one.right for one in span) for span in spans),
        conversation_accuracy=share(all(one.right for one in talk) for talk in talks),
        other_recall=share(one.right for one in fits_none),
        other_precision=share(one.right for one in took_none),
        ece=ece(bins(decisions)),
    )


def by(
    decisions: Iterable[Decision], key: Callable[[Decision], KeyT]
) -> dict[KeyT, list[Decision]]:
    """Group decisions, in order of first appearance."""
    groups: dict[KeyT, list[Decision]] = {}
    for one in decisions:
        groups.setdefault(key(one), []).append(one)
    return groups


def share(values: Iterable[bool]) -> float | None:
    """Return the share of true values; None of none."""
    given = list(values)
    return sum(given) / len(given) if given else None


def bins(decisions: Iterable[Decision], count: int = BINS) -> list[Bin]:
    """Sort answers by confidence into bins of equal width; 1.0 belongs to the last.

    The likeliest answer is what counts, also where it was too unsure to be taken.
    """
    sorted_in: list[list[tuple[float, bool]]] = [[] for _ in range(count)]
    for one in decisions:
        if one.confidence is not None and one.failed is None:
            place = min(max(floor(one.confidence * count), 0), count - 1)
            sorted_in[place].append((one.confidence, one.answer == one.gold))
    return [
        Bin(
            low=place / count,
            high=(place + 1) / count,
            count=len(inside),
            confidence=sum(sure for sure, _ in inside) / len(inside) if inside else None,
            accuracy=share(right for _, right in inside),
        )
        for place, inside in enumerate(sorted_in)
    ]


def ece(table: Sequence[Bin]) -> float | None:
    """Return the mean of |confidence - accuracy| over the bins, weighted by their counts."""
    total = sum(one.count for one in table)
    if not total:
        return None
    gaps = (
        one.count * abs(one.confidence - one.accuracy)
        for one in table
        if one.confidence is not None and one.accuracy is not None
    )
    return sum(gaps) / total


def confusion(decisions: Iterable[Decision]) -> list[tuple[tuple[str, str], int]]:
    """Count the wrong pairs (right answer, given one), the most frequent first."""
    counted = Counter(one.names for one in decisions if one.failed is None and not one.right)
    return sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return a percentile, with linear interpolation between neighbours; None of no values."""
    if not values:
        return None
    ranked = sorted(values)
    place = (len(ranked) - 1) * percent / 100
    low = floor(place)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (ranked[high] - ranked[low]) * (place - low)


def probabilities(
    logits: Sequence[float], temperature: float = 1.0, offset: float = 0.0
) -> list[float]:
    """Return the softmax of (logits, `offset` added to the last one) / temperature."""
    scaled = _scaled(logits, 1 / temperature, offset / temperature)
    top = max(scaled)
    odds = [exp(one - top) for one in scaled]
    total = sum(odds)
    return [one / total for one in odds]


def nll(
    logits: Logits, golds: Sequence[int], temperature: float = 1.0, offset: float = 0.0
) -> float:
    """Return the mean negative logarithm of the probability of what was right, in nats.

    Args:
        logits: A row for each question.
        golds: The column that was right; -1 for the last one, `other`.
        temperature: What the scores are divided by.
        offset: Added to the score of `other` before.
    """
    return _loss(logits, golds, 1 / temperature, offset / temperature)


def fit_temperature(logits: Logits, golds: Sequence[int], offset: float = 0.0) -> float:
    """Find the temperature with the least `nll`: a grid, then golden section inside it.

    It never does worse than 1.0, and no temperature changes which answer is the likeliest.
    """
    grid = min(_GRID, key=lambda one: nll(logits, golds, one, offset))
    step = _GRID[1] / _GRID[0]

    def loss(at: float) -> float:
        return nll(logits, golds, exp(at), offset)

    found = exp(_golden(loss, log(grid / step), log(grid * step)))
    return min((1.0, grid, found), key=lambda one: nll(logits, golds, one, offset))


def fit_both(logits: Logits, golds: Sequence[int]) -> tuple[float, float]:
    """Find the temperature and the offset of `other` with the least `nll`.

    In the inverse temperature and the scaled offset the loss is convex, so that going along one
    and then the other arrives at the least one.

    Returns:
        Temperature and offset. They never do worse than 1.0 and 0.0.
    """
    inverse, scaled = 1 / fit_temperature(logits, golds), 0.0

    def across(at: float) -> float:
        return _loss(logits, golds, inverse, at)

    def along(at: float) -> float:
        return _loss(logits, golds, exp(at), scaled)

    reach = max((max(row) - min(row) for row in logits), default=0.0)
    best = (across(scaled), inverse, scaled)
    for _ in range(_ROUNDS):
        width = max(reach * inverse, 1.0)
        scaled = _golden(across, -width, width)
        inverse = exp(_golden(along, log(inverse) - 1, log(inverse) + 1))
        loss = across(scaled)
        if loss > best[0] - _GAIN:
            break
        best = (loss, inverse, scaled)
    return 1 / best[1], best[2] / best[1]


def _spans(talk: Sequence[Decision]) -> list[list[Decision]]:
    ordered = sorted(talk, key=lambda one: one.turn)
    return [list(span) for _, span in groupby(ordered, key=lambda one: one.gold)]


def _scaled(logits: Sequence[float], inverse: float, scaled: float) -> list[float]:
    rows = [one * inverse for one in logits]
    rows[-1] += scaled
    return rows


def _loss(logits: Logits, golds: Sequence[int], inverse: float, scaled: float) -> float:
    """Return the mean NLL of logits * inverse, with `scaled` added to the last one."""
    total = 0.0
    for row, gold in zip(logits, golds, strict=True):
        scores = _scaled(row, inverse, scaled)
        top = max(scores)
        total += top + log(sum(exp(one - top) for one in scores)) - scores[gold]
    return total / len(golds) if golds else 0.0


def _golden(loss: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function with one valley is least, by golden section."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > _TOLERANCE:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(right)
    return (low + high) / 2
