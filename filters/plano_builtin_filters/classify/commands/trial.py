"""`routers try` and `routers lint`: one question, and what is wrong with a routing table."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from plano_builtin_filters.classify import lint as linter
from plano_builtin_filters.classify.commands import base, choice, report
from plano_builtin_filters.classify.conversation import turns_of
from plano_builtin_filters.classify.core import Verdict, judge
from plano_builtin_filters.classify.routers.embedded import EmbeddedModel
from plano_builtin_filters.classify.routers.protocol import (
    OTHER,
    Question,
    RouteOption,
    RouterFailed,
    Scores,
)
from plano_filters import Document

EXAMPLE: Final = (
    RouteOption("code", "writing, explaining, reviewing and fixing program code"),
    RouteOption("creative writing", "stories, poems, slogans and other invented texts"),
    RouteOption("translation", "turning a text into another language"),
    RouteOption("mathematics", "calculations, equations, proofs and word problems"),
    RouteOption("travel", "planning trips: flights, hotels, visas and what to see"),
)
_ASSISTANT: Final = "assistant:"
_WIDTH: Final = 30
"""Characters of the longest bar."""


@base.app.command("try")
def try_(
    ctx: typer.Context,
    prompt: Annotated[str, typer.Argument(help="What the user says last.")],
    *,
    turn: Annotated[
        list[str] | None,
        typer.Option("--turn", help='An earlier turn, oldest first; "assistant: ..." is a reply.'),
    ] = None,
    route: Annotated[
        list[str] | None,
        typer.Option("--route", metavar='"NAME: DESCRIPTION"', help="A route; may be repeated."),
    ] = None,
    config: base.ConfigOption = None,
    router: base.RouterOption = None,
    model: base.ModelOption = None,
    json: base.Json = False,
) -> None:
    """Ask a router about one prompt: with the routes of a configuration, or some given here."""
    with base.reported():
        document = choice.document_of(config)
        routes = _routes(route or (), document)
        question = _question(prompt, turn or (), routes)
        chosen = choice.choose(base.Kit.of(ctx), document, router=router, model=model)
        scores, seconds, where = asyncio.run(_ask(chosen, question))
    needed = chosen.config.min_confidence
    verdict = judge(question, scores, needed)
    if json:
        told = _told(question, scores, verdict, needed)
        told |= {"router": chosen.name, "model": chosen.model, "where": where}
        base.print_json({**told, "ms": base.milliseconds(seconds)})
        return
    if not route and not document.routing_preferences:
        print("an example's routes; give your own with --config or --route\n", file=sys.stderr)  # noqa: T201
    print(_text(question, scores, verdict, needed))  # noqa: T201
    print(f"{where}, {seconds * 1000:.1f} ms")  # noqa: T201


@base.app.command()
def lint(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A gateway's configuration.")],
    *,
    json: base.Json = False,
) -> None:
    """Say what may go wrong with a configuration's routing preferences. Status 0 with warnings."""
    with base.reported():
        document = choice.document_of(file)
    options = _preferences(document)
    vectors, problem = _vectors(base.Kit.of(ctx).bundled) if options else (None, None)
    found = linter.warnings(options, vectors)
    if json:
        base.print_json({"routes": len(options), "warnings": found, "not_measured": problem})
        return
    for warning in found:
        print(f"warning: {warning}")  # noqa: T201
    if problem is not None:
        print(f"what only a model can see was left out: {problem}", file=sys.stderr)  # noqa: T201
    print(f"{len(options)} routes, {len(found)} warning{'' if len(found) == 1 else 's'}")  # noqa: T201


async def _ask(chosen: choice.Choice, question: Question) -> tuple[Scores, float, str]:
    async with chosen.opened() as router:
        if chosen.name != "remote":
            await choice.warm(router, question.routes)
        scores, seconds = await choice.ask(router, question)
        return scores, seconds, router.describe()


def _preferences(document: Document) -> tuple[RouteOption, ...]:
    return tuple(RouteOption(one.name, one.description) for one in document.routing_preferences)


def _routes(given: Sequence[str], document: Document) -> tuple[RouteOption, ...]:
    """Return the routing table: of the command line, of the document, or the example.

    Raises:
        WrongInput: A route has no name, or the name of another.
    """
    found = []
    for text in given:
        name, colon, description = text.partition(":")
        if not colon or not name.strip() or not description.strip():
            raise base.WrongInput(f'--route: "{text}" is not "name: description"')
        found.append(RouteOption(name.strip(), description.strip()))
    if len({one.name for one in found}) < len(found):
        raise base.WrongInput("--route: two have the same name")
    return tuple(found) or _preferences(document) or EXAMPLE


def _question(prompt: str, earlier: Sequence[str], routes: tuple[RouteOption, ...]) -> Question:
    messages: list[dict[str, Any]] = []
    for text in earlier:
        reply = text.lower().startswith(_ASSISTANT)
        said = text[len(_ASSISTANT) :].strip() if reply else text
        messages.append({"role": "assistant" if reply else "user", "content": said})
    if not prompt.strip():
        raise base.WrongInput("the prompt is empty")
    messages.append({"role": "user", "content": prompt})
    return Question(turns_of({"messages": messages}, "chat"), routes)


def _told(question: Question, scores: Scores, verdict: Verdict, needed: float) -> dict[str, Any]:
    routes = dict(zip(question.names, scores.routes, strict=True))
    return {
        "outcome": verdict.outcome,
        "route": verdict.best if verdict.outcome == "routed" else None,
        "best": verdict.best,
        "confidence": verdict.confidence,
        "runner_up": verdict.runner_up,
        "margin": verdict.margin,
        "min_confidence": needed,
        "routes": {name: round(one, 6) for name, one in routes.items()},
        OTHER: round(scores.other, 6),
        "calibrated": scores.calibrated,
    }


def _text(question: Question, scores: Scores, verdict: Verdict, needed: float) -> str:
    rows = [*zip(question.names, scores.routes, strict=True), ("(no route)", scores.other)]
    lines = []
    for name, probability in sorted(rows, key=lambda row: -row[1]):
        bar = "#" * round(probability * _WIDTH)
        lines.append([name, f"{probability:.4f}", bar.ljust(_WIDTH)])
    table = base.columns(lines)
    margin = "" if verdict.margin is None else f", margin {report.number(verdict.margin, 4)}"
    return f"{verdict.text(needed)}{margin}\n\n{table}\n"


def _vectors(bundled: Path) -> tuple[linter.Vectors | None, str | None]:
    """Return what makes vectors of texts, or why there is nothing that does."""
    model = EmbeddedModel(bundled)
    try:
        model.load()
    except RouterFailed as error:
        return None, str(error)
    return model.vectors, None
