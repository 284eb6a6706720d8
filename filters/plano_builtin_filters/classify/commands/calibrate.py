"""`routers calibrate`: fits what makes confidences true, and writes it beside the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from plano_builtin_filters.classify import evaluation
from plano_builtin_filters.classify.commands import base, cases, report
from plano_builtin_filters.classify.commands.result import is_seen
from plano_builtin_filters.classify.evaluation import Decision
from plano_builtin_filters.classify.routers import manifest
from plano_builtin_filters.classify.routers.manifest import Manifest
from plano_builtin_filters.classify.routers.protocol import Scores

OFFSET: Final = "other_offset"
"""The setting of a model whose score of `other` can be moved."""
DIGITS: Final = 4
_AT_ONCE: Final = 8
"""Questions scored together."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One question and its scores as the model gives them."""

    case: cases.Case
    asked: cases.Asked
    logits: list[float]

    def decided(self, temperature: float, offset: float) -> Decision:
        """Judge it at some temperature."""
        odds = evaluation.probabilities(self.logits, temperature, offset)
        return cases.decided(self.case, self.asked, Scores(tuple(odds[:-1]), odds[-1]))

    @property
    def gold(self) -> int:
        """The column that is right; -1 for `other`."""
        return -1 if self.asked.gold is None else self.asked.gold


@base.app.command()
def calibrate(
    ctx: typer.Context,
    file: base.Cases,
    *,
    model: Annotated[Path, typer.Option("--model", metavar="DIR", help="Directory of a model.")],
    other_offset: Annotated[
        float | None,
        typer.Option(
            help="Add this to the score of `other`, and fit the temperature alone: a higher one "
            "finds more requests that no route fits, and leaves more unrouted that one does."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing.")] = False,
    json: base.Json = False,
) -> None:
    """Fit a model's temperature on conversations, and write it into its manifest."""
    kit = base.Kit.of(ctx)
    with base.reported():
        read = cases.read(file)
        if not (model / manifest.NAME).is_file():
            raise base.WrongInput(f"{model} has no {manifest.NAME} that could be written to")
        before = manifest.read(model)
        if other_offset is not None and before.kind != "encoder":
            raise base.WrongInput("--other-offset is for models of kind encoder")
        manifest.verify(model, before)
        after, told = fitted(before, _scored(kit, model, before, read), other_offset)
        sha256 = None if dry_run else manifest.write(model, after, after.files)
    told |= {"written": not dry_run, "sha256": sha256}
    if json:
        base.print_json(told)
        return
    print(_text(told))  # noqa: T201
    done = "nothing was written" if dry_run else f"wrote {model / manifest.NAME}, sha256 {sha256}"
    print(done)  # noqa: T201


def fitted(
    before: Manifest, scored: Sequence[Scored], chosen: float | None = None
) -> tuple[Manifest, dict[str, Any]]:
    """Fit a manifest's temperature, and the offset of `other` where it has one.

    Args:
        before: The manifest.
        scored: What the model gives.
        chosen: The offset, if it is not to be fitted.

    Returns:
        The new manifest, and what is better with it, on the same conversations.
    """
    logits, golds = [one.logits for one in scored], [one.gold for one in scored]
    settings = dict(before.settings)
    if chosen is not None:
        logits = [[*row[:-1], row[-1] + chosen] for row in logits]
        temperature = evaluation.fit_temperature(logits, golds)
        settings[OFFSET] = chosen
    elif OFFSET in settings:
        temperature, offset = evaluation.fit_both(logits, golds)
        settings[OFFSET] = round(offset, DIGITS)
    else:
        temperature = evaluation.fit_temperature(logits, golds)
    temperature = float(f"{temperature:.{DIGITS + 1}g}")
    after = before.model_copy(update={"temperature": temperature, "settings": settings})
    sources = before.settings.get("trained_on")
    seen = [str(one) for one in sources] if isinstance(sources, list) else None
    return after, {
        "model": before.name,
        "decisions": len(scored),
        "before": _measured(before, scored, seen),
        "after": _measured(after, scored, seen),
    }


def _scored(
    kit: base.Kit, directory: Path, described: Manifest, read: Sequence[cases.Case]
) -> list[Scored]:
    """Score every question of some cases.

    Raises:
        RouterFailed: The model cannot be loaded, or cannot score one of them.
    """
    model = kit.scorer(directory, described.kind)
    model.load()
    todo = [(case, asked) for case in read for asked in case.asked]
    found: list[Scored] = []
    with base.progress("asking", len(todo)) as show:
        for start in range(0, len(todo), _AT_ONCE):
            part = todo[start : start + _AT_ONCE]
            rows = model.logits([asked.question for _, asked in part])
            found += [Scored(*one, row) for one, row in zip(part, rows, strict=True)]
            show(len(found), "asking")
    return found


def _measured(
    described: Manifest, scored: Sequence[Scored], seen: Sequence[str] | None
) -> dict[str, Any]:
    """Return how true the confidences are with a manifest, seen and unseen sources apart."""
    given = described.settings.get(OFFSET)
    offset = float(given) if isinstance(given, int | float) else 0.0
    temperature = described.temperature
    decisions = [one.decided(temperature, offset) for one in scored]
    told: dict[str, Any] = {
        "temperature": temperature,
        OFFSET: offset if OFFSET in described.settings else None,
        "nll": evaluation.nll(
            [one.logits for one in scored], [one.gold for one in scored], temperature, offset
        ),
        **_shares(decisions),
    }
    for side, wanted in (("seen", True), ("unseen", False)):
        told[side] = None
        if seen is not None:
            inside = [one for one in decisions if is_seen(one.source, seen) is wanted]
            told[side] = _shares(inside)
    return told


def _shares(decisions: Sequence[Decision]) -> dict[str, Any]:
    found = evaluation.summary(decisions)
    return {
        "ece": found.ece,
        "turn_accuracy": found.turn_accuracy,
        "other_recall": found.other_recall,
    }


def _text(told: dict[str, Any]) -> str:
    rows = [["", "before", "after"]]
    before, after = told["before"], told["after"]
    rows += [
        [key, *(report.number(one[key], DIGITS) for one in (before, after))]
        for key in ("temperature", OFFSET, "nll")
    ]
    for side in ("", "seen", "unseen"):
        pair = [one[side] if side else one for one in (before, after)]
        if pair[0] is None:
            continue
        of = f", {side}" if side else ""
        rows.append([f"ECE{of}", *(report.number(one["ece"], DIGITS) for one in pair)])
        rows.append([f"turn{of}", *(report.percent(one["turn_accuracy"]) for one in pair)])
        rows.append([f"other recall{of}", *(report.percent(one["other_recall"]) for one in pair)])
    note = "Both are measured on the conversations it was fitted on."
    return f"{told['model']}, {told['decisions']} decisions\n{base.columns(rows)}\n{note}"
