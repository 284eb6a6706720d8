"""`graph`: the chain of a configuration, drawn."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from plano_filters.chain import Link
from plano_filters.cli.app import app
from plano_filters.cli.config import compiled
from plano_filters.cli.drawing import Row, as_svg, as_text
from plano_filters.cli.serve import CompatOption, File
from plano_filters.config import Document
from plano_filters.registry import hooks_of

MODELS: Final = 12
"""More models than that are only counted."""


@app.command()
def graph(
    file: File = None,
    *,
    compat: CompatOption = "strict",
    svg: Annotated[Path | None, typer.Option("--svg", help="Write a picture here.")] = None,
) -> None:
    """Draw the chain of a configuration: the way of a request, who sees what, the facts."""
    loaded, chain = compiled(file, compat)
    loaded.report.raise_errors()
    rows, document = list(_rows(chain.links)), loaded.document
    if svg is None:
        print(as_text(rows, _source(document), _sinks(document)))  # noqa: T201
        return
    try:
        svg.write_text(as_svg(rows, _source(document), _sinks(document)), encoding="utf-8")
    except OSError as error:
        print(f"error: cannot write {svg}: {error.strerror}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(2) from None
    print(f"wrote {svg}")  # noqa: T201


def _rows(links: Iterable[Link], depth: int = 0) -> Iterator[Row]:
    for entry in links:
        envelope = [f"timeout {entry.timeout:g} s"] if entry.timeout is not None else []
        envelope += ["on error: skip"] if entry.on_error == "skip" else []
        kind = type(entry.filter)
        yield Row(
            id=entry.id,
            name=kind.__name__,
            hooks=hooks_of(kind),
            requires=[fact.__name__ for fact in kind.requires],
            provides=[fact.__name__ for fact in kind.provides],
            envelope=envelope,
            terminal=entry.terminal,
            depth=depth,
        )
        yield from _rows(entry.nested, depth + 1)


def _source(document: Document) -> str:
    places = [f"{one.name} {one.address}:{one.port}" for one in document.listeners]
    return ", ".join(places)


def _sinks(document: Document) -> list[str]:
    names = [entry.model for entry in document.model_providers]
    rest = len(names) - MODELS
    return names if rest <= 0 else [*names[:MODELS], f"and {rest} more"]
