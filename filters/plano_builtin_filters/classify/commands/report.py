"""What `routers eval` found out, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from plano_builtin_filters.classify.commands.base import columns

_SHARES: Final = (
    "turn_accuracy", "span_accuracy", "conversation_accuracy", "other_recall", "other_precision",
)  # fmt: skip
_HEAD: Final = ("", "decisions", "turn", "span", "conv.", "other rec.", "other prec.", "ECE")
_PAIRS: Final = 15
"""Confusions that are shown."""
_WIDTH: Final = 40
"""Characters of a plot."""
Told = Mapping[str, Any]


def text(told: Told) -> str:
    """Write the report of `result.result`."""
    parts = [
        f"{told['where']}: {told['decisions']} decisions in {told['conversations']} conversations",
        _sides(told),
        _sources(told),
        _tags(told),
        *_calibration(told),
        _confusion(told),
        _times(told),
    ]
    return "\n\n".join(part for part in parts if part)


def percent(share: float | None) -> str:
    """Write a share: `81.3 %`, or a dash for none."""
    return "-" if share is None else f"{share * 100:.1f} %"


def number(value: float | None, digits: int = 3) -> str:
    """Write a number, or a dash for none."""
    return "-" if value is None else f"{value:.{digits}f}"


def _row(name: str, part: Told) -> list[str]:
    shares = [percent(part[key]) for key in _SHARES]
    return [name, str(part["decisions"]), *shares, number(part["ece"])]


def _sides(told: Told) -> str:
    rows = [list(_HEAD), _row("all", told)]
    note = "The sources of the training data are not known; name them with --seen."
    if told["seen"] is not None:
        rows += [_row("seen", told["seen"]), _row("unseen", told["unseen"])]
        sources = ", ".join(told["trained_on"]) or "none of these sources"
        note = f"Seen: trained on {sources}, and what is made from them."
    if told["min_confidence"]:
        note += f"\n{told['unsure']} answers below {told['min_confidence']:g} take no route."
    if told["failures"]:
        failures = ", ".join(f"{count} {reason}" for reason, count in told["failures"].items())
        note += f"\nNot answered, and so counted as wrong: {failures}."
    return f"{columns(rows)}\n\n{note}"


def _sources(told: Told) -> str:
    rows = [["by source", *_HEAD[1:], ""]]
    for name, part in told["by_source"].items():
        side = {True: "seen", False: "unseen", None: ""}[part["seen"]]
        rows.append([*_row(name, part), side])
    return columns(rows)


def _tags(told: Told) -> str:
    rows = [["by tag", "decisions", "turn", "turn, seen", "turn, unseen"]]
    for name, part in told["by_tag"].items():
        sides = [part[side] and part[side]["turn_accuracy"] for side in ("seen", "unseen")]
        shares = [percent(one) for one in (part["turn_accuracy"], *sides)]
        rows.append([name, str(part["decisions"]), *shares])
    return columns(rows) if told["by_tag"] else ""


def _calibration(told: Told) -> list[str]:
    """Write a table and a plot for all, the seen and the unseen."""
    if told["ece"] is None:
        return ["This router tells no confidences, so there is no calibration."]
    parts = [("all", told), ("seen", told["seen"]), ("unseen", told["unseen"])]
    return [
        _bins(name, part["calibration"], part["ece"])
        for name, part in parts
        if part is not None and part["ece"] is not None
    ]


def _bins(name: str, bins: list[Told], ece: float) -> str:
    rows = [[f"calibration, {name}", "answers", "confidence", "right"]]
    plots = ["(#: right, |: confidence)"]
    for one in bins:
        share = f"{one['low']:.1f} to {one['high']:.1f}"
        mean, right = number(one["confidence"]), number(one["accuracy"])
        rows.append([share, str(one["count"]), mean, right])
        plots.append(_bar(one["accuracy"], one["confidence"]))
    lines = zip(columns(rows).splitlines(), plots, strict=True)
    table = "\n".join(f"{line}  {plot}".rstrip() for line, plot in lines)
    return f"{table}\nECE {ece:.3f}"


def _bar(accuracy: float | None, confidence: float | None) -> str:
    if accuracy is None or confidence is None:
        return ""
    marks = ["#"] * round(accuracy * _WIDTH)
    marks += [" "] * (_WIDTH + 1 - len(marks))
    marks[round(confidence * _WIDTH)] = "|"
    return "".join(marks).rstrip()


def _confusion(told: Told) -> str:
    if not told["confusion"]:
        return ""
    rows = [["most confused", "", "times", "unseen"]]
    for one in told["confusion"][:_PAIRS]:
        unseen = "-" if one["unseen"] is None else str(one["unseen"])
        rows.append([one["right"], f"-> {one['given']}", str(one["count"]), unseen])
    return columns(rows)


def _times(told: Told) -> str:
    times = ", ".join(f"p{p} {number(told[f'p{p}_ms'], 2)} ms" for p in (50, 95, 99))
    how = "each routing table read before, not counted" if told["warmed"] else "nothing warmed up"
    late = f"{told['late']} took longer than the {told['deadline_ms']:g} ms that traffic waits"
    return f"One question at a time ({how}): {times}; {late}."
