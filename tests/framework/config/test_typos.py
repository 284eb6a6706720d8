"""Misspell every key and every word of the examples: each is named where it stands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from _pytest.mark import ParameterSet

from plano_filters.compile import compile_chain
from plano_filters.config import Path
from plano_filters.config.problems import Problem
from plano_filters.config.source import Source, parse
from plano_filters.config.unsupported import UNSUPPORTED
from plano_filters.registry import Registry
from tests.framework.config.reading import EXAMPLES, read

WORDS = ("type", "provider", "prefer", "on_error", "version", "transport", "message_format")
"""Keys whose values are one of a few words."""
FREE = ("model_aliases", "headers", "static", "options", "exporters", "agents")
"""Parts whose keys are the user's own, or which are not read."""


def drop(word: str) -> str:
    middle = len(word) // 2
    return word[:middle] + word[middle + 1 :]


def double(word: str) -> str:
    middle = len(word) // 2
    return word[:middle] + word[middle] + word[middle:]


def swap(word: str) -> str:
    for at in range(len(word) // 2, 0, -1):
        if word[at] != word[at - 1]:
            return word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]
    return double(word)


def replace(word: str) -> str:
    return word[:-1] + ("x" if word[-1] != "x" else "z")


MUTATIONS = (swap, drop, double, replace)


def mutations() -> Iterator[ParameterSet]:
    """Yield text, and the line, column, word and correction of its mistake."""
    turn = 0
    for example in EXAMPLES:
        text = example.read_text()
        source = parse(text, "plano.yaml")
        read_here = [path for path in source.keys if not ignored(path, source)]
        keys = [(p, str(p[-1]), source.keys[p]) for p in read_here if len(str(p[-1])) > 1]
        words = [
            (path, str(value_at(source, path)), source.values[path])
            for path in read_here
            if path[-1] in WORDS and path in source.values
        ]
        for path, word, (line, column, length) in [*keys, *words]:
            turn += 1
            typo = MUTATIONS[turn % len(MUTATIONS)](word)
            lines = text.splitlines()
            lines[line] = lines[line][:column] + typo + lines[line][column + length :]
            where = "-".join(str(part) for part in path)
            yield pytest.param(
                "\n".join(lines), line + 1, column + 1, word, id=f"{example.stem}-{where}-{typo}"
            )


def ignored(path: Path, source: Source) -> bool:
    """Say whether a key is the user's own, or in a part that is not served."""
    listener = value_at(source, path[:2]) if path[0] == "listeners" else None
    of_agents = isinstance(listener, dict) and listener.get("type") == "agent"
    return of_agents or path[0] in UNSUPPORTED or any(part in FREE for part in path[:-1])


def value_at(source: Source, path: Path) -> object:
    value = source.tree
    for part in path:
        value = value[part]
    return value


CASES = list(mutations())


def problems_of(text: str) -> list[Problem]:
    loaded = read(text, compat="warn")
    compile_chain(loaded.document, Registry.from_entry_points(), loaded.report)
    return loaded.report.sorted(loaded.report.errors)


@pytest.mark.parametrize(("text", "line", "column", "word"), CASES)
def test_a_typo_is_named_where_it_stands(text: str, line: int, column: int, word: str) -> None:
    """At its line and column, with the word that was meant."""
    told = [
        (problem.position.line, problem.position.column)
        for problem in problems_of(text)
        if problem.position and f'did you mean "{word}"?' in f"{problem.message} {problem.hint}"
    ]
    assert told == [(line, column)]


def test_there_are_enough_typos() -> None:
    """The examples give more than a hundred."""
    assert len(CASES) > 100
