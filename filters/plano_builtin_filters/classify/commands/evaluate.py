"""`routers eval`: how often a router is right, how well it knows that, and how long it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from plano_builtin_filters.classify.commands import base, cases, choice, plot, report
from plano_builtin_filters.classify.commands.result import result
from plano_builtin_filters.classify.evaluation import Decision
from plano_builtin_filters.classify.routers.protocol import Router, RouterFailed

Seen = Annotated[
    list[str] | None,
    typer.Option("--seen", metavar="SOURCE", help="A source of training data; may be repeated."),
]
Tick = Callable[[], None]


@base.app.command("eval")
def evaluate(
    ctx: typer.Context,
    file: base.Cases,
    *,
    router: base.RouterOption = None,
    model: base.ModelOption = None,
    config: base.ConfigOption = None,
    min_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Below it, no route is taken.")
    ] = None,
    seen: Seen = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the first N conversations.")
    ] = None,
    plotted: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.svg", help="Draw the calibration.")
    ] = None,
    json: base.Json = False,
) -> None:
    """Measure a router on conversations whose right answers are known, one question at a time."""
    with base.reported():
        read = cases.read(file, limit)
        chosen = choice.choose(
            base.Kit.of(ctx),
            choice.document_of(config),
            router=router,
            model=model,
            options={"min_confidence": min_confidence},
        )
        decisions, where = _run(chosen, read)
        told = result(chosen, where, decisions, tuple(seen) if seen else chosen.trained_on)
        if plotted is not None:
            _save(plotted, plot.svg(told))
    if json:
        base.print_json(told)
    else:
        print(report.text(told))  # noqa: T201


def _run(chosen: choice.Choice, read: Sequence[cases.Case]) -> tuple[list[Decision], str]:
    async def run(tick: Tick) -> tuple[list[Decision], str]:
        async with chosen.opened() as router:
            found = await measure(
                router,
                read,
                needed=chosen.config.min_confidence,
                warmed=chosen.name != "remote",  # asking one early costs money
                tick=tick,
            )
            return found, router.describe()

    done = 0
    total = sum(len(case.asked) for case in read)
    with base.progress("asking", total) as show:

        def tick() -> None:
            nonlocal done
            done += 1
            show(done, "asking")

        return asyncio.run(run(tick))


async def measure(
    router: Router, read: Sequence[cases.Case], *, needed: float, warmed: bool, tick: Tick
) -> list[Decision]:
    """Ask every question of some cases, one at a time.

    Args:
        router: Started.
        read: Cases.
        needed: Least probability of a route that is taken.
        warmed: Whether a question that is not counted comes before a new routing table.
        tick: Called after each answer.

    Raises:
        RouterFailed: The router is not there at all. Other failures are noted and count as wrong.
    """
    found: list[Decision] = []
    table = None
    for case in read:
        if warmed and case.routes != table:
            table = case.routes
            try:
                await choice.warm(router, table)
            except RouterFailed as failure:
                if failure.reason == "unavailable":
                    raise
        for asked in case.asked:
            try:
                scores, seconds = await choice.ask(router, asked.question)
                found.append(cases.decided(case, asked, scores, needed, seconds))
            except RouterFailed as failure:
                if failure.reason == "unavailable" and all(one.failed for one in found):
                    raise
                found.append(cases.undecided(case, asked, failure.reason))
            tick()
    return found


def _save(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise base.WrongInput(f"cannot write {file}: {error.strerror}") from None
