"""What the commands share: the application, its parts that tests replace, errors, progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn, Protocol

import typer

from plano_builtin_filters.classify.config import ClassifyConfig
from plano_builtin_filters.classify.routers.embedded import BUNDLED, EmbeddedModel
from plano_builtin_filters.classify.routers.manifest import Kind
from plano_builtin_filters.classify.routers.protocol import Question, RouterFailed
from plano_builtin_filters.classify.wiring import Wiring, wire
from plano_filters import ConfigError, FactoryContext

app = typer.Typer(
    help="Router models: list, export, measure, calibrate and try them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
RouterOption = Annotated[
    str | None, typer.Option("--router", help="embedded, onnx or remote; default: by the model.")
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="DIR", help="Of embedded and onnx: the directory of a model."),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="A gateway's configuration, for its router and its options."),
]
Cases = Annotated[Path, typer.Argument(help="Conversations with right answers, one a line.")]


class Scorer(Protocol):
    """A model in this process whose scores can be seen before they are probabilities."""

    def load(self) -> None:
        """Read the files.

        Raises:
            RouterFailed: They are missing or corrupt.
        """

    def logits(self, questions: Sequence[Question]) -> list[list[float]]:
        """Return the scores of each question's routes, and last that of `other`."""


class _Causal:
    """Scores of a causal model: the logarithms of its probabilities, before any temperature."""

    def __init__(self, directory: Path) -> None:
        from plano_builtin_filters.classify.routers.onnx import OnnxModel  # noqa: PLC0415 - numpy

        self._model = OnnxModel(directory)

    def load(self) -> None:
        self._model.load()

    def logits(self, questions: Sequence[Question]) -> list[list[float]]:
        from math import log  # noqa: PLC0415

        found = [self._model.search(question).probabilities for question in questions]
        return [[log(max(one, 1e-30)) for one in row] for row in found]


def scorer(directory: Path, kind: Kind) -> Scorer:
    """Return the model of a directory."""
    return EmbeddedModel(directory) if kind == "encoder" else _Causal(directory)


@dataclass(frozen=True, slots=True)
class Kit:
    """What the commands work with; tests pass their own as the context's object."""

    wire: Callable[[ClassifyConfig, FactoryContext], Wiring] = wire
    scorer: Callable[[Path, Kind], Scorer] = scorer
    bundled: Path = BUNDLED

    @classmethod
    def of(cls, ctx: typer.Context) -> Kit:
        """Return the one that was passed in, or the real one."""
        return ctx.obj if isinstance(ctx.obj, cls) else cls()


class WrongInput(Exception):
    """A file or an option is wrong; the message says which and where."""


@contextmanager
def reported() -> Iterator[None]:
    """Turn expected failures into one line on stderr. Status 2: wrong input; 1: no answer."""
    try:
        yield
    except WrongInput as error:
        stop(str(error), 2)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201
        raise typer.Exit(2) from None
    except RouterFailed as error:
        stop(str(error), 1)


def stop(message: str, status: int) -> NoReturn:
    """Print an error in one line and end the command."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(status) from None


@contextmanager
def progress(label: str, total: float) -> Iterator[Callable[[float, str], None]]:
    """Show a bar on stderr while something runs, if that is a terminal.

    Yields:
        Call it with how much is done now, of `total`, and with what is being done.
    """
    if not sys.stderr.isatty():
        yield lambda done, step: None
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import, and seldom wanted
    from rich.progress import Progress  # noqa: PLC0415

    # drawn seldom: what is measured meanwhile shares the interpreter with it
    with Progress(console=Console(stderr=True), transient=True, refresh_per_second=2) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done, step: bar.update(task, completed=done, description=step)


def print_json(value: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(value, indent=2, ensure_ascii=False))  # noqa: T201


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Align rows of cells: the first column to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def milliseconds(seconds: float | None) -> float | None:
    """Return milliseconds, rounded to microseconds."""
    return None if seconds is None else round(seconds * 1000, 3)
