"""The order of a route's models, and which candidates are left out. Figures are arguments."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plano_builtin_filters.rerank.needs import Needs
from plano_filters import Candidates, Route
from plano_filters.prices.catalog import Ability


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates, as far as they may be reordered."""

    front: tuple[str, ...]
    """Models of the route that was taken. Empty if there is none."""
    all: tuple[str, ...]
    """All candidates, in the order that came in."""
    only: bool
    """Whether one of them must be chosen for good: the client wants no fallback."""


def pool(before: Candidates, route: Route | None) -> Pool:
    """Say what may be reordered.

    A client that wants no fallback has one candidate, the first of its route; then it may be any
    other of the route, too.
    """
    models = route.models if route is not None else ()
    if before.exclusive and before.models and before.models[0] in models:
        return Pool(models, models, only=True)
    return Pool(tuple(m for m in models if m in before.models), before.models, before.exclusive)


def rank(models: Sequence[str], figures: Mapping[str, float | None]) -> tuple[str, ...]:
    """Put models in the order of their figures, the smallest first.

    Equal ones keep their order. Those without a figure, or with one that is no number, come last,
    in their order.
    """
    return tuple(sorted(models, key=lambda model: _key(figures.get(model))))


def _key(figure: float | None) -> tuple[bool, float]:
    known = figure is not None and math.isfinite(figure) and figure >= 0
    return (False, figure) if known and figure is not None else (True, 0.0)


def lacks(needs: Needs, ability: Ability) -> list[str]:
    """Say what of a request a model is known not to take."""
    wanted = (
        (needs.images, ability.images, "images"),
        (needs.tools, ability.tools, "tools"),
        (needs.structured, ability.structured, "structured output"),
    )
    found = [name for needed, able, name in wanted if needed and able is False]
    if needs.tokens is not None and ability.context is not None and needs.tokens > ability.context:
        found.append(f"{needs.tokens} tokens")
    return found


def prune(models: Sequence[str], lacking: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Leave out the models that lack something; if all do, none: one of them has to answer."""
    kept = tuple(model for model in models if not lacking.get(model))
    return kept or tuple(models)


def merge(
    front: Sequence[str], kept: Sequence[str], before: Candidates, *, only: bool
) -> Candidates:
    """Make the new candidates: the route's models in their order, the others behind."""
    found = tuple(dict.fromkeys([*front, *kept]))
    return Candidates(
        found[:1] if only else found, before.requested, before.explicit, before.exclusive
    )


def shown(models: Sequence[str], figures: Mapping[str, float | None], unit: str) -> str:
    """List models with their figures, for a decision."""
    return ", ".join(
        f"{model} unknown" if _key(figures.get(model))[0] else f"{model} {figures[model]:.4g}{unit}"
        for model in models
    )


def otherwise(
    ordered: Sequence[str], figures: Mapping[str, float | None], unit: str, *, prefer: str
) -> list[str]:
    """Say what would have put the second model first; empty if a figure of the two is not known."""
    known = [figures[model] for model in ordered[:2] if not _key(figures.get(model))[0]]
    if len(known) < 2 or known[0] is None or known[1] is None or known[0] <= 0:
        return []
    more, word = known[1] / known[0] - 1, "slower" if prefer == "fastest" else "dearer"
    return [f"{ordered[1]} goes first below {known[0]:.4g}{unit}; it is {more * 100:.0f} % {word}"]


def told(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return the figures as JSON can hold them."""
    return {model: None if _key(one)[0] else one for model, one in figures.items()}


def old(age: float) -> str:
    """Say how old something is, coarsely.

    Args:
        age: Seconds.
    """
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60)):
        if age >= 2 * seconds:
            return f"{age / seconds:.0f} {unit}"
    return f"{age:.0f} s"
