"""`new-filter`: a filter of one's own, ready to run, test and publish.

The files under `distribution/` and `one_file/` are templates: `$name` and the like are replaced, in
their paths too.
"""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from string import Template
from typing import Annotated, Final

import typer

from plano_filters.api import API_VERSION
from plano_filters.cli.app import app
from plano_filters.registry import Registry

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SUFFIX: Final = ".template"


@app.command("new-filter")
def new_filter(
    name: Annotated[str, typer.Argument(help="In snake_case, such as `greeting`.")],
    *,
    local: Annotated[
        bool, typer.Option("--local", help="One file and a chain that uses it, no distribution.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to make it in.")] = Path(),
) -> None:
    """Begin a filter: a distribution with tests, or with --local one file."""
    words = _words(name)
    wanted = "one_file" if local else "distribution"
    place = out if local else out / words["distribution"]
    made = list(_filled(files(__package__) / wanted, words))
    taken = [file for path, _ in made if (file := place / path).exists()]
    if taken:
        raise _refuse(f"{taken[0]} is there already; nothing was written")
    for path, text in made:
        file = place / path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise _refuse(f"cannot write {file}: {error.strerror}") from None
        print(f"wrote {file}")  # noqa: T201
    print(_next_steps(words, place, local=local))  # noqa: T201


def _words(name: str) -> dict[str, str]:
    """Return what the templates say, or refuse a name that cannot be one everywhere."""
    given = name.replace("-", "_")
    if not _NAME.fullmatch(given) or keyword.iskeyword(given):
        raise _refuse(f'"{name}" cannot be the name of a filter: write it like `greeting_words`')
    if given in Registry.from_entry_points().names():
        raise _refuse(f'a filter "{given}" is installed already; choose another name')
    return {
        "name": given,
        "kind": "".join(word.capitalize() for word in given.split("_")),
        "header": given.replace("_", "-"),
        "distribution": f"plano-filters-{given.replace('_', '-')}",
        "package": f"plano_filters_{given}",
        "version": version("plano-filters"),
        "api": API_VERSION,
    }


def _filled(
    folder: Traversable, words: Mapping[str, str], inside: str = ""
) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield the files of a template folder: where they go, and their text."""
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        here = PurePosixPath(inside, Template(entry.name.removesuffix(_SUFFIX)).substitute(words))
        if entry.is_dir():
            yield from _filled(entry, words, str(here))
        elif entry.name.endswith(_SUFFIX):
            yield here, Template(entry.read_text(encoding="utf-8")).substitute(words)


def _next_steps(words: Mapping[str, str], place: Path, *, local: bool) -> str:
    if local:
        return f"\nnow: plano-filters run --dev {place / words['name']}.yaml"
    return (
        f"\nnow: cd {place}\n"
        "     pip install -e '.[test]'\n"
        "     pytest\n"
        "     plano-filters run --dev chain.yaml"
    )


def _refuse(text: str) -> typer.Exit:
    print(f"error: {text}", file=sys.stderr)  # noqa: T201
    return typer.Exit(2)
