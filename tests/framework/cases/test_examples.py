"""The example configurations that carry tests do what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import plano_filters.cli  # noqa: F401 - registers the commands
from plano_filters.cli.app import app

CONFIGS = Path(__file__).parents[3] / "configs"
TESTED = [path for path in CONFIGS.rglob("*.yaml") if "\ntests:" in path.read_text()]


@pytest.mark.parametrize("path", TESTED, ids=lambda path: path.name)
def test_an_example_passes_its_own_tests(path: Path) -> None:
    """Without a key and without a network."""
    result = CliRunner().invoke(app, ["test", str(path)])

    assert result.exit_code == 0, result.output


def test_there_is_an_example() -> None:
    """A reader finds how it is written."""
    assert "gateway.yaml" in [path.name for path in TESTED]
