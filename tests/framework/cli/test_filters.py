"""`filters` and `version`: what is installed."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from typer.testing import CliRunner

import plano_filters.cli  # noqa: F401 - registers the commands
from plano_filters.cli.app import app


def test_filters_are_listed_with_what_they_need_and_provide() -> None:
    """Each has its origin, a summary, and the facts that order it."""
    rows = {row["name"]: row for row in json.loads(_output("filters", "--json"))}

    assert {"alias", "auth", "upstream"} <= set(rows)
    assert rows["alias"]["provides"] == ["Candidates"]
    assert rows["classify"]["may_provide"] == ["Route"]
    assert rows["upstream"]["requires"] == ["Candidates"]
    assert rows["upstream"]["distribution"] == "plano-filters"
    assert rows["upstream"]["summary"].endswith(".")
    assert "attempts" in rows["upstream"]["config"]


def test_filters_are_shown_to_people_too() -> None:
    """Without `--json`, the same in a few lines each."""
    printed = _output("filters")

    assert "requires Candidates" in printed
    assert "plano-filters" in printed


def test_version() -> None:
    """The version is the distribution's."""
    number = version("plano-filters")

    assert _output("version").strip() == number
    assert json.loads(_output("version", "--json")) == {"version": number}


def _output(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_page_of_a_filter() -> None:
    """Its hooks, facts, every option with type, default and text, then its README."""
    printed = _output("docs", "upstream")

    assert "hooks     on_request\nrequires  Candidates\nprovides  Attempts" in printed
    assert "  attempts: int | none = None\n      Tries of one model" in printed
    assert "# upstream" in printed


def test_the_page_of_a_file(tmp_path: Path) -> None:
    """A filter of one file has the same page, less the README."""
    file = tmp_path / "cap.py"
    file.write_text(
        "from typing import Literal\n"
        "from plano_filters import Filter, FilterConfig\n"
        "class CapConfig(FilterConfig):\n"
        "    tokens: int\n"
        '    """Most tokens of an answer."""\n'
        "    side: Literal['left', 'right'] = 'left'\n"
        "class Cap(Filter[CapConfig]):\n"
        '    """Keep answers short."""\n'
        "    config_type = CapConfig\n"
    )

    printed = _output("docs", f"{file}:Cap")

    assert printed.startswith("cap  (one file)\nKeep answers short.\n")
    assert "  tokens: int  (required)\n      Most tokens of an answer." in printed
    assert "  side: left | right = 'left'" in printed
    row = json.loads(_output("docs", f"{file}:Cap", "--json"))
    assert row["schema"]["required"] == ["tokens"]
    assert row["docs"] is None


def test_the_page_of_an_unknown_filter() -> None:
    """Status 2, and what may have been meant."""
    result = CliRunner().invoke(app, ["docs", "upstraem"])

    assert result.exit_code == 2
    assert 'did you mean "upstream"?' in result.stderr
