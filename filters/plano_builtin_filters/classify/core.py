"""From probabilities to a decision, and from a decision to candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from plano_builtin_filters.classify.routers.protocol import OTHER, Question, Scores
from plano_filters import Candidates

Outcome = Literal["routed", "other", "unsure"]
SHOWN: Final = 5
"""Probabilities in a decision; with a hundred routes the rest are noise."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What scores mean."""

    outcome: Outcome
    best: str
    """The likeliest answer: a route's name, or `other`."""
    index: int | None
    """Of the best route; None for `other`."""
    confidence: float | None
    """Probability of the best answer; None if the router only named it."""
    runner_up: str | None
    """The second likeliest answer."""
    margin: float | None
    """Probability between the two."""

    def text(self, needed: float) -> str:
        """Say it in a clause.

        Args:
            needed: The least confidence.
        """
        sure = "" if self.confidence is None else f" {self.confidence:.2f}"
        second = ""
        if self.runner_up is not None and self.margin is not None and self.confidence is not None:
            second = f", then {self.runner_up} {self.confidence - self.margin:.2f}"
        if self.outcome == "other":
            return f"no route fits{sure}{second}"
        if self.outcome == "unsure":
            return f"{self.best}{sure} is below {needed:g}{second}"
        return f"{self.best}{sure}{second}"


def judge(question: Question, scores: Scores, needed: float) -> Verdict:
    """Read scores.

    Args:
        question: What was asked.
        scores: What was answered.
        needed: Least probability of a route; not asked of a router that gives none.
    """
    answers = [*zip(scores.routes, question.names, range(len(question.names)), strict=True)]
    ranked = sorted([*answers, (scores.other, OTHER, None)], key=lambda one: -one[0])
    (best, name, index), following = ranked[0], ranked[1]
    told = scores.calibrated
    outcome: Outcome = "routed"
    if index is None:
        outcome = "other"
    elif told and best < needed:
        outcome = "unsure"
    return Verdict(
        outcome,
        name,
        index,
        round(best, 4) if told else None,
        following[1] if told else None,
        round(best - following[0], 4) if told else None,
    )


def otherwise(verdict: Verdict, needed: float) -> list[str]:
    """Say what would have changed a verdict, likeliest first; empty if there are no probabilities.

    What one answer gains the other loses, so the second wins from half way between them.

    Args:
        verdict: With its confidence and margin.
        needed: The least confidence.
    """
    best, margin = verdict.confidence, verdict.margin
    if best is None or margin is None or verdict.runner_up is None:
        return []
    second, half = best - margin, best - margin / 2
    if verdict.outcome == "unsure":
        return [f"{verdict.best} ({best:.2f}) wins from {needed:g}, the min_confidence"]
    wins = half if verdict.runner_up == OTHER else max(half, needed)
    found = [f"{verdict.runner_up} ({second:.2f}) wins above {wins:.2f}"]
    if verdict.outcome == "routed":
        found.append(f"no route is taken with min_confidence above {best:.2f}")
    return found


def routed(models: Sequence[str], before: Candidates) -> Candidates:
    """Put a route's models in front of the candidates.

    Args:
        models: Full names, best first; at least one.
        before: What stood without the route. It stays behind, as a last resort, unless the client
            wants no fallback.
    """
    found = dict.fromkeys(models[:1] if before.exclusive else [*models, *before.models])
    return Candidates(tuple(found), before.requested, before.explicit, before.exclusive)


def shown(question: Question, scores: Scores) -> dict[str, float]:
    """Return the probabilities worth showing, likeliest first; empty if there are none."""
    if not scores.calibrated:
        return {}
    every = {OTHER: scores.other, **dict(zip(question.names, scores.routes, strict=True))}
    ranked = sorted(every.items(), key=lambda one: -one[1])[:SHOWN]
    return {name: round(probability, 4) for name, probability in ranked}
