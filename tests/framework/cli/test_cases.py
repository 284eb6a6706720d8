"""`plano-filters test`: what it prints, writes and returns."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

import plano_filters.cli  # noqa: F401 - registers the commands
from plano_filters.cli.app import app

DOCUMENT = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers: [{model: openai/main, access_key: $KEY_THAT_IS_NOT_SET}]
filters: [alias, upstream]
tests:
  - {name: served, send: Hello, expect: {model: openai/main}}
  - {name: "refused <&\\e>", send: {text: Hello, model: nobody}, expect: {status: 200}}
"""


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["test", *map(str, arguments)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "plano.yaml"
    path.write_text(DOCUMENT)
    return path


def test_a_failure_is_shown_with_its_place(file: Path) -> None:
    """Status 1; no key is needed."""
    result = call(file)

    assert result.exit_code == 1
    assert "ok      served" in result.stdout
    assert "        status: expected 200, got 404" in result.stdout
    assert f"        --> {file}:7" in result.stdout
    assert "1 passed, 1 failed" in result.stdout
    assert "models     1 of 1" in result.stdout


def test_success_is_status_0(file: Path) -> None:
    """Cases can be chosen by a part of their names."""
    result = call(file, "--case", "serv")

    assert result.exit_code == 0, result.output
    assert "1 passed, 0 failed" in result.stdout


def test_for_machines(file: Path) -> None:
    """The same as JSON, and as JUnit's XML, whatever is in a name."""
    junit = file.with_name("junit.xml")

    told = json.loads(call(file, "--json", "--junit", junit).stdout)

    assert [case["passed"] for case in told["cases"]] == [True, False]
    assert told["coverage"]["models"]["touched"] == ["openai/main"]
    suite = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.get("name") for case in suite] == ["served", "refused <&>"]
    failure = suite[1].find("failure")
    assert failure is not None
    assert failure.get("message") == "status: expected 200, got 404"


@pytest.mark.parametrize(
    ("change", "arguments", "says"),
    [
        (("tests:", "#"), (), "has no tests"),
        (("", ""), ("--case", "zzz"), 'no test has "zzz" in its name'),
        (("", ""), ("--junit", "/no/such/place.xml"), "cannot write /no/such/place.xml"),
    ],
)
def test_what_cannot_run_is_status_2(
    file: Path, change: tuple[str, str], arguments: tuple[str, ...], says: str
) -> None:
    """A CI job that tests nothing must not be green."""
    text = DOCUMENT.split("tests:", maxsplit=1)[0] if change[0] else DOCUMENT
    file.write_text(text)

    result = call(file, *arguments)

    assert result.exit_code == 2
    assert says in result.stderr
