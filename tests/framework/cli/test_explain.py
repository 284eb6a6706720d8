"""`explain`, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import plano_filters.cli  # noqa: F401 - registers the commands
from plano_filters.cli.app import app
from plano_filters.errors import ConfigError

TEXT = """\
version: v0.4.0
model_providers:
  - {model: openai/gpt-4o, access_key: $KEY, default: true}
  - {model: openai/gpt-4o-mini, access_key: $KEY}
  - {model: anthropic/claude-haiku-4-5, access_key: $KEY}
routing_preferences:
  - name: code generation
    description: writing new functions, scripts, tests or boilerplate
    models: [openai/gpt-4o, openai/gpt-4o-mini]
    selection_policy: {prefer: cheapest}
  - name: creative writing
    description: stories, poems, slogans and other imaginative text
    models: [anthropic/claude-haiku-4-5]
filters: [alias, affinity, {classify: {deadline: 60s}}, rerank, upstream]
"""
NEVER_STARTS = """\
from contextlib import asynccontextmanager

from plano_filters import Filter, FilterConfig


class NeverStarts(Filter[FilterConfig]):
    @asynccontextmanager
    async def lifespan(self):
        raise RuntimeError("no licence")
        yield
"""
PROMPT = "Write a Python function that sorts a list of numbers."


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "plano.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def call(*arguments: str | Path, stdin: str | None = None) -> Result:
    given = [str(part) for part in arguments]
    return CliRunner().invoke(app, ["explain", *given], input=stdin, env={"KEY": "very-secret"})


def test_a_text_is_taken_through_the_chain(file: Path) -> None:
    """Each filter with its decision and what it changed, the models, and what would differ."""
    result = call(PROMPT, "--config", file, "--model", "gpt-4o")
    lines = result.stdout.splitlines()

    assert result.exit_code == 0, result.output
    assert lines[0] == "POST /v1/chat/completions  gpt-4o"
    assert [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "] == [
        "alias", "affinity", "classify", "rerank",
    ]  # fmt: skip
    assert "would ask  openai/gpt-4o-mini, then openai/gpt-4o" in lines
    assert any(line.startswith("route      code generation 0.") for line in lines)
    assert any(line.startswith("runner-up  ") for line in lines)
    assert any("wins above 0." in line for line in lines)
    assert any("openai/gpt-4o goes first below" in line and "% dearer" in line for line in lines)
    assert "Candidates: openai/gpt-4o, openai/gpt-4o-mini -> " in result.stdout
    assert "very-secret" not in result.output
    assert PROMPT not in result.output


def test_json_has_the_same(file: Path) -> None:
    """For machines: steps, verdict, and what would have changed it."""
    found = json.loads(call(PROMPT, "--config", file, "--json").stdout)

    assert [step["filter"] for step in found["steps"]] == [
        "alias",
        "affinity",
        "classify",
        "rerank",
    ]
    assert found["verdict"]["models"][0] == "openai/gpt-4o-mini"
    assert found["verdict"]["route"] == "code generation"
    assert found["otherwise"]


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages", "/routing/v1/messages"])
def test_a_text_is_written_in_the_dialect_of_the_path(file: Path, path: str) -> None:
    """The router reads it there, too."""
    result = call("Write a haiku about snow.", "--config", file, "--path", path, "--json")
    found = json.loads(result.stdout)

    assert found["path"] == path
    assert found["verdict"]["route"] == "creative writing"


def test_a_decision_may_be_none(file: Path) -> None:
    """What the decision endpoint would say stands beside whom the gateway would ask."""
    options = ("--config", file, "--path", "/routing/v1/chat/completions")
    known = call("Hello there!", *options).stdout.splitlines()
    foreign = call("Hello there!", *options, "--model", "my-own").stdout.splitlines()

    assert "would say  none" in known
    assert any(line.startswith("would ask  openai/gpt-4o, then ") for line in known)
    assert "would say  none" in foreign
    assert "would ask  no model of this gateway" in foreign


def test_a_body_comes_from_a_file_or_from_stdin(file: Path, tmp_path: Path) -> None:
    """With headers, and with another model if one is given."""
    body = json.dumps({"model": "x", "messages": [], "routing_preferences": []})
    (tmp_path / "body.json").write_text(body)
    options = ("--config", file, "--header", "x-plano-fallback: off", "--model", "gpt-4o", "--json")
    from_file = json.loads(call("--body", tmp_path / "body.json", *options).stdout)
    from_stdin = json.loads(call("--body", "-", *options, stdin=body).stdout)

    assert from_file["verdict"] == from_stdin["verdict"]
    assert from_file["verdict"]["models"] == ["openai/gpt-4o"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("x", "--model", "gpt-5"), 'refused    404 model_not_found: the model "gpt-5" is not'),
        (("x", "--path", "/v1/nowhere"), "refused    404 not_found: no such endpoint"),
        (("--body", "-"), "refused    400 invalid_json"),
    ],
)
def test_a_request_that_would_be_refused_has_status_1(
    file: Path, arguments: tuple[str, ...], says: str
) -> None:
    """And says who would refuse it, and why."""
    result = call(*arguments, "--config", file, stdin="{")

    assert result.exit_code == 1
    assert says in result.stdout
    assert "not reached" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("x", "--body", "-"),
        ("x", "--header", "no-colon"),
        ("x", "--header", "a: b\nc"),
        ("--body", "no-such-file"),
        ("x", "--compat", "maybe"),
    ],
)
def test_wrong_usage_has_status_2(file: Path, arguments: tuple[str, ...]) -> None:
    """Nothing is started then."""
    result = call(*arguments, "--config", file)

    assert result.exit_code == 2
    assert "Error" in result.output


def test_a_wrong_configuration_is_located(file: Path) -> None:
    """As `validate` says it."""
    file.write_text(TEXT.replace("alias,", "alais,"), encoding="utf-8")
    result = call("x", "--config", file)

    assert isinstance(result.exception, ConfigError)
    assert f"{file}:14:" in str(result.exception)
    assert 'did you mean "alias"?' in str(result.exception)


def test_a_filter_that_does_not_start_has_status_1(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reason is told, without a traceback."""
    (tmp_path / "never_starts.py").write_text(NEVER_STARTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    file.write_text(
        TEXT.replace("[alias,", '["never_starts:NeverStarts", alias,'), encoding="utf-8"
    )
    result = call("x", "--config", file)

    assert result.exit_code == 1
    assert result.stderr == "error: the gateway cannot start: no licence\n"
