"""`bench-filter`: a row for each hook, with figures that can be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import plano_filters.cli  # noqa: F401 - registers the commands
from plano_filters.cli.app import app
from plano_filters.errors import ConfigError

FILTER = """\
from plano_filters import Exchange, Filter, FilterConfig, Outcome, Response

class Hoarder(Filter[FilterConfig]):
    async def on_request(self, exchange: Exchange) -> None:
        bytearray(1_000_000)

    async def on_response(self, exchange: Exchange, response: Response) -> None: ...
    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None: ...
"""


def test_each_hook_has_a_row(tmp_path: Path) -> None:
    """Microseconds, and the memory of the hook that takes a megabyte is a megabyte."""
    file = tmp_path / "hoarder.py"
    file.write_text(FILTER)

    told = json.loads(_output(f"{file}:Hoarder", "--requests", "20", "--json"))

    rows = {row["hook"]: row for row in told["hooks"]}
    assert list(rows) == ["on_request", "on_response", "on_complete"]
    assert rows["on_request"]["peak_bytes"] == pytest.approx(1_000_000, rel=0.05)
    assert rows["on_response"]["peak_bytes"] < 10_000
    assert all(0 < row["median_us"] <= row["p95_us"] for row in rows.values())
    assert set(told["statuses"]) == {"200"}


def test_a_filter_stands_behind_those_it_needs() -> None:
    """So `affinity` finds its candidates; people are shown the chain and the answers."""
    printed = _output("affinity", "--requests", "10")

    assert printed.startswith("alias -> affinity -> upstream: ")
    assert "x 200" in printed
    assert "on_request" in printed


def test_options_and_headers_are_the_users(tmp_path: Path) -> None:
    """With a key `auth` lets the request through."""
    key = "sk-1234567890abcdef"
    options = ("--config", f"{{keys: [{{id: a, key: {key}}}]}}", "--requests", "10", "--json")

    refused = json.loads(_output("auth", *options))
    served = json.loads(_output("auth", *options, "--header", f"authorization: Bearer {key}"))

    assert set(refused["statuses"]) == {"401"}
    assert set(served["statuses"]) == {"200"}


def test_a_chain_of_a_file_is_measured_as_it_is(tmp_path: Path) -> None:
    """A filter that is not in it is an error."""
    file = tmp_path / "plano.yaml"
    file.write_text("version: v0.4.0\nlisteners: []\nmodel_providers: [{model: mock/fast}]\n"
                    "filters: [alias, upstream]\n")  # fmt: skip

    assert "alias -> upstream" in _output("alias", "--file", str(file), "--requests", "10")
    result = CliRunner().invoke(app, ["bench-filter", "affinity", "--file", str(file)])
    assert result.exit_code == 2
    assert "not in the chain" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nosuch",), 'no filter "nosuch" is installed'),
        (("alias", "--config", "{fallbck: 1}"), 'did you mean "fallback"'),
        (("alias", "--config", "{"), "expected"),
    ],
)
def test_what_is_wrong_is_said(arguments: tuple[str, ...], says: str) -> None:
    """The same errors as for a configuration."""
    with pytest.raises(ConfigError, match=says):
        CliRunner().invoke(app, ["bench-filter", *arguments], catch_exceptions=False)


def _output(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["bench-filter", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout
