"""What `routers eval` found out, as one JSON object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from plano_builtin_filters.classify import evaluation
from plano_builtin_filters.classify.commands.base import milliseconds
from plano_builtin_filters.classify.commands.choice import Choice
from plano_builtin_filters.classify.evaluation import Decision

SIDES: Final = {"seen": True, "unseen": False}


def is_seen(source: str, seen: Sequence[str]) -> bool:
    """Say whether a source is one of training, or made from one: `sgd-x-v1` is of `sgd`."""
    return any(source == one or source.startswith(f"{one}-") for one in seen)


def result(
    chosen: Choice, where: str, decisions: Sequence[Decision], seen: Sequence[str] | None
) -> dict[str, Any]:
    """Return what `--json` prints.

    Args:
        chosen: The router.
        where: What runs where.
        decisions: All of them.
        seen: Sources of training data; None if they are not known. Then nothing is told apart.
    """
    times = [one.seconds for one in decisions if one.failed is None]
    ms = {
        f"p{percent}_ms": milliseconds(evaluation.percentile(times, percent))
        for percent in (50, 95, 99)
    }
    return {
        "router": chosen.name,
        "model": chosen.model,
        "where": where,
        **_part(decisions),
        "min_confidence": chosen.config.min_confidence,
        "unsure": sum(one.names[1] == "(unsure)" for one in decisions),
        "failures": dict(Counter(one.failed for one in decisions if one.failed)),
        **ms,
        "warmed": chosen.name != "remote",
        "deadline_ms": milliseconds(chosen.deadline),
        "late": sum(one > chosen.deadline for one in times),
        "trained_on": None if seen is None else list(seen),
        "seen": None if seen is None else _side(decisions, seen, wanted=True),
        "unseen": None if seen is None else _side(decisions, seen, wanted=False),
        "by_source": {
            source: {
                "seen": None if seen is None else is_seen(source, seen),
                **_numbers(inside),
            }
            for source, inside in sorted(evaluation.by(decisions, lambda one: one.source).items())
        },
        "by_tag": _by_tag(decisions, seen),
        "confusion": _confusion(decisions, seen),
    }


def _part(decisions: Sequence[Decision]) -> dict[str, Any]:
    bins = [asdict(one) for one in evaluation.bins(decisions)]
    return {**_numbers(decisions), "calibration": [_rounded(one) for one in bins]}


def _numbers(decisions: Sequence[Decision]) -> dict[str, Any]:
    return _rounded(asdict(evaluation.summary(decisions)))


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: round(value, 4) if isinstance(value, float) else value for key, value in values.items()
    }


def _side(decisions: Sequence[Decision], seen: Sequence[str], *, wanted: bool) -> dict[str, Any]:
    inside = [one for one in decisions if is_seen(one.source, seen) is wanted]
    return {"sources": sorted({one.source for one in inside}), **_part(inside)}


def _by_tag(decisions: Sequence[Decision], seen: Sequence[str] | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for tag in sorted({tag for one in decisions for tag in one.tags}):
        inside = [one for one in decisions if tag in one.tags]
        found[tag] = {**_numbers(inside), "seen": None, "unseen": None}
        if seen is not None:
            for side, wanted in SIDES.items():
                part = [one for one in inside if is_seen(one.source, seen) is wanted]
                found[tag][side] = _numbers(part)
    return found


def _confusion(decisions: Sequence[Decision], seen: Sequence[str] | None) -> list[dict[str, Any]]:
    strange = [one for one in decisions if seen is not None and not is_seen(one.source, seen)]
    unseen = dict(evaluation.confusion(strange))
    return [
        {
            "right": pair[0],
            "given": pair[1],
            "count": count,
            "unseen": None if seen is None else unseen.get(pair, 0),
        }
        for pair, count in evaluation.confusion(decisions)
    ]
