"""`explain`: what a gateway would do with a request, and why. No provider is asked."""

from __future__ import annotations

import asyncio
import json as json_
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from plano_filters.app import Service
from plano_filters.changes import Change
from plano_filters.cli.app import app
from plano_filters.cli.serve import CompatOption, Json, as_json, read
from plano_filters.config import Loaded
from plano_filters.dialect import operation_for
from plano_filters.explain import DEFAULT_PATH, Explanation, Step, request_of
from plano_filters.messages import Request

_SIGNS: Final = {"added": "+", "changed": "~", "removed": "-"}


@app.command()
def explain(
    text: Annotated[str | None, typer.Argument(help="What the user says.")] = None,
    *,
    body: Annotated[
        Path | None, typer.Option("--body", help="Instead, a file with a JSON body; - is stdin.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="The configuration; else config.yaml here.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="The model it names.")] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", metavar="NAME:VALUE", help="A header; may be repeated."),
    ] = None,
    path: Annotated[str, typer.Option("--path", help="The endpoint.")] = DEFAULT_PATH,
    compat: CompatOption = "strict",
    json: Json = False,
) -> None:
    """Say what would be done with a request: each filter's decisions, the models, and why.

    The filters run as when they serve, and keep nothing. Exit status 0, or 1 for a request that
    would be refused.
    """
    if (text is None) == (body is None):
        raise typer.BadParameter("give a text, or --body", param_hint="TEXT")
    raw = _body_of(text, path) if text is not None else _read(body or Path("-"))
    request = _request(_with_model(raw, model), path, header or ())
    loaded, _ = read(config, compat)
    try:
        found = asyncio.run(_explained(loaded, request))
    except _NotStarted as error:
        print(f"error: the gateway cannot start: {error}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(1) from None
    print(as_json(found.to_dict()) if json else "\n".join(lines_of(found)))  # noqa: T201
    if found.verdict.result == "refused":
        raise typer.Exit(1)


class _NotStarted(Exception):
    """A filter could not start."""


async def _explained(loaded: Loaded, request: Request) -> Explanation:
    service = Service(loaded)
    context = service.lifespan()
    try:
        await context.__aenter__()
    except Exception as error:
        raise _NotStarted(str(error) or type(error).__name__) from error
    try:
        return await service.explain(request)
    finally:
        await context.__aexit__(None, None, None)


def _body_of(text: str, path: str) -> bytes:
    """Return the body of a request in which the user says a text, in the dialect of the path."""
    if operation_for(path, {}).dialect in ("responses", "embeddings"):
        return json_.dumps({"input": text}).encode()
    return json_.dumps({"messages": [{"role": "user", "content": text}]}).encode()


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="--body") from None


def _with_model(body: bytes, model: str | None) -> bytes:
    if model is None:
        return body
    try:
        given = json_.loads(body)
    except ValueError:
        return body  # the gateway says what is wrong with it
    return json_.dumps({**given, "model": model}).encode() if isinstance(given, dict) else body


def _request(body: bytes, path: str, given: Sequence[str]) -> Request:
    headers: dict[str, str] = {}
    for one in given:
        name, colon, value = one.partition(":")
        if not colon:
            raise typer.BadParameter("write it as NAME:VALUE", param_hint="--header")
        headers[name.strip()] = value.strip()
    try:
        return request_of(body, path=path, headers=headers)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--header") from None


def lines_of(found: Explanation) -> Iterator[str]:
    """Write an explanation for people."""
    yield f"POST {found.path}  {found.requested or 'no model named'}"
    for step in found.steps:
        yield from _step(step)
    for name in found.not_reached:
        yield f"  {name:<12}{'':>10}  not reached"
    yield ""
    yield from _verdict(found)
    for number, text in enumerate(found.otherwise):
        yield f"{'' if number else 'otherwise':<11}{text}"


def _step(step: Step) -> Iterator[str]:
    action = "" if step.action == "continue" else f"[{step.action}] "
    action += "then: " if step.phase == "forward" else ""
    texts = [one.text for one in step.decisions] or [step.error or ""]
    yield f"  {step.filter:<12}{step.seconds * 1000:>7.2f} ms  {action}{texts[0]}".rstrip()
    for text in [*texts[1:], *map(_change, step.changes)]:
        yield " " * 24 + text


def _change(change: Change) -> str:
    before, after = _value(change.before), _value(change.after)
    values = f"{before} -> {after}" if before and after else before or after
    kind = "" if change.kind in ("fact", "request") else f"{change.kind} "
    return f"{_SIGNS[change.how]} {kind}{change.name}" + (f": {values}" if values else "")


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return " ".join(
            f"{one:.2f}" if isinstance(one, float) else str(one)
            for one in value.values()
            if one is not None
        )
    return ""


def _verdict(found: Explanation) -> Iterator[str]:
    verdict = found.verdict
    if verdict.result == "refused":
        yield f"refused    {verdict.status} {verdict.code}: {verdict.message}"
        return
    if verdict.result == "answered":
        yield f"answered   by {verdict.by}, {verdict.status}"
        return
    if operation_for(found.path, {}).deciding:
        yield f"would say  {', '.join(verdict.decision)}"
    first, *others = verdict.models or ("no model of this gateway",)
    yield f"would ask  {first}" + (f", then {', '.join(others)}" if others else "")
    if verdict.route is not None:
        sure = "" if verdict.confidence is None else f" {verdict.confidence:.2f}"
        yield f"route      {verdict.route}{sure}"
    if verdict.runner_up is not None:
        yield f"runner-up  {verdict.runner_up}"
    if verdict.pinned:
        yield "session    came with a model"
