"""`filters` and `version`: what is installed."""

from __future__ import annotations

import json
from importlib.metadata import version

from typer.testing import CliRunner

import plano_filters.cli  # noqa: F401 - registers the commands
from plano_filters.cli.app import app


def test_filters_are_listed_with_what_they_need_and_provide() -> None:
    """Each has its origin, a summary, and the facts that order it."""
    rows = {row["name"]: row for row in json.loads(_output("filters", "--json"))}

    assert {"alias", "auth", "upstream"} <= set(rows)
    assert rows["alias"]["provides"] == ["Candidates"]
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
