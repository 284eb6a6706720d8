"""`new-filter`: what it writes, and what it refuses."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import plano_filters.cli  # noqa: F401 - registers the commands
from plano_filters.app import check
from plano_filters.cli.app import app
from plano_filters.config import load


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["new-filter", *map(str, arguments)])


def test_one_file_is_a_filter_that_works(tmp_path: Path) -> None:
    """A dozen lines, and a chain that uses them as they are."""
    result = call("greeting_words", "--local", "--out", tmp_path)

    assert result.exit_code == 0, result.output
    assert "plano-filters run --dev" in result.stdout
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["greeting_words.py", "greeting_words.yaml"]
    chain = check(load(tmp_path / "greeting_words.yaml"))
    assert str(chain) == "greeting_words -> alias -> upstream"
    lines = (tmp_path / "greeting_words.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 12


def test_a_distribution_has_all_its_parts(tmp_path: Path) -> None:
    """Project file, package, typing mark, test, page, example, CI; nothing left to fill in."""
    result = call("greeting-words", "--out", tmp_path)

    assert result.exit_code == 0, result.output
    root = tmp_path / "plano-filters-greeting-words"
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert found == {
        ".github/workflows/ci.yml",
        ".gitignore",
        "README.md",
        "chain.yaml",
        "pyproject.toml",
        "src/plano_filters_greeting_words/__init__.py",
        "src/plano_filters_greeting_words/filter.py",
        "src/plano_filters_greeting_words/py.typed",
        "tests/test_greeting_words.py",
    }
    for name in found:
        text = (root / name).read_text()
        assert "$name" not in text
        assert "$kind" not in text
        if name.endswith(".py"):
            ast.parse(text)
    assert (
        "class GreetingWords(Filter[GreetingWordsConfig])"
        in (root / "src/plano_filters_greeting_words/filter.py").read_text()
    )


@pytest.mark.parametrize("name", ["Greeting", "1st", "a b", "class", "_x", "x__y", "", "größe"])
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    """It becomes a key, a module and a class; what cannot be all three is said so."""
    result = call(name, "--out", tmp_path)

    assert result.exit_code == 2
    assert "cannot be the name of a filter" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    """Two filters of one name would stop every gateway of that environment."""
    result = call("alias", "--out", tmp_path)

    assert result.exit_code == 2
    assert 'a filter "alias" is installed already' in result.stderr


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """If one of the files is there, none is touched."""
    (tmp_path / "hello.yaml").write_text("mine")

    result = call("hello", "--local", "--out", tmp_path)

    assert result.exit_code == 2
    assert "is there already; nothing was written" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["hello.yaml"]
    assert (tmp_path / "hello.yaml").read_text() == "mine"
