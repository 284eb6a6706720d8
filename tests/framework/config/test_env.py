"""Variables and files are put into values, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from plano_filters.config import Report
from plano_filters.config.env import expand, read_dotenv
from plano_filters.config.types import Expanded
from tests.framework.config.reading import PROVIDERS, errors_of, read

HINT = "(export NONE=..., or put it into a .env file beside this one)"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A", "1"),
        ("${A}", "1"),
        ("x${A}y$B.", "x1y2."),
        ("${NONE:-default}", "default"),
        ("${NONE:-}", ""),
        ("${A:-default}", "1"),
        ("${EMPTY:-default}", "default"),
        ("$$A", "$A"),
        ("costs $5", "costs $5"),
        ("$LOOP", "$A"),  # what a variable holds is not read again
    ],
)
def test_expand(text: str, value: str) -> None:
    """Every form of a variable is replaced by its value."""
    report = Report()

    made = expand({"key": [text]}, {"A": "1", "B": "2", "EMPTY": "", "LOOP": "$A"}, report)

    assert made == {"key": [value]}
    assert report.errors == []


def test_an_expanded_value_remembers_its_reference() -> None:
    """A dump can say where a value came from."""
    made = expand({"key": "$A"}, {"A": "1"}, Report())["key"]

    assert isinstance(made, Expanded)
    assert made.reference == "$A"


def test_every_missing_variable_is_named_at_its_place() -> None:
    """All are reported at once; empty ones too."""
    text = "model_providers:\n  - {model: $A, access_key: '${B}'}\n  - {model: x/$EMPTY}\n"
    report = read(text, env={"EMPTY": ""}).report

    found = {(p.position.line, p.position.column, p.message) for p in report.errors if p.position}

    assert {
        (2, 13, "the environment variable A is not set"),
        (2, 29, "the environment variable B is not set"),
        (3, 13, "the environment variable EMPTY is empty"),
    } <= found


def test_a_missing_variable_leads_to_no_further_error() -> None:
    """A key that is not set is one error, and the rest of the document is checked as it stands."""
    assert errors_of(PROVIDERS + "overrides: {upstream_tls_ca_path: $NONE}") == [
        f"5:35 the environment variable NONE is not set {HINT}"
    ]


def test_a_missing_variable_in_a_typed_place_is_reported_once() -> None:
    """That an unset variable is no number follows from its not being set."""
    assert errors_of(PROVIDERS + "listeners: [{name: a, port: $NONE}]") == [
        f"5:29 the environment variable NONE is not set {HINT}"
    ]


def test_numbers_and_booleans_may_be_variables() -> None:
    """A value is typed after it is expanded."""
    text = PROVIDERS + "listeners: [{name: a, port: $PORT, timeout: $T}]\n"
    text += "routing: {override_explicit: $NO}\n"
    env = {"PORT": "8080", "T": "5s", "NO": "false", "OPENAI_API_KEY": "a"}
    env["ANTHROPIC_API_KEY"] = "b"

    loaded = read(text, env=env)

    loaded.report.raise_errors()
    assert loaded.document.listeners[0].port == 8080
    assert loaded.document.listeners[0].timeout == 5.0
    assert loaded.document.routing.override_explicit is False


def test_a_file_gives_a_value(tmp_path: Path) -> None:
    """`file:/path` is the file's text without white space around it."""
    (tmp_path / "key").write_text("  abc\n")
    report = Report()

    made = expand({"access_key": f"file:{tmp_path}/key"}, {}, report)

    assert made == {"access_key": "abc"}
    assert made["access_key"].reference == f"file:{tmp_path}/key"
    assert report.errors == []


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\xfa"])
def test_a_file_that_gives_nothing_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    """A file that is missing, empty or not text is named."""
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    report = Report()

    expand({"access_key": f"file:{tmp_path}/key"}, {}, report)

    assert [str(tmp_path) in problem.message for problem in report.errors] == [True]


def test_an_address_may_be_a_file() -> None:
    """`url: file:/...` is an address, and stays one."""
    assert expand({"url": "file:/prices.json"}, {}, Report()) == {"url": "file:/prices.json"}


def test_dotenv(tmp_path: Path) -> None:
    """Names, quotes, comments and `export` are understood; nothing is executed."""
    (tmp_path / ".env").write_text(
        "# keys\nA=1\nexport B = 'two words'\nC=\"x # y\"\nD=z # why\nbroken\nE=$(rm)\n"
    )

    assert read_dotenv(tmp_path / ".env") == {
        "A": "1",
        "B": "two words",
        "C": "x # y",
        "D": "z",
        "E": "$(rm)",
    }
    assert read_dotenv(tmp_path / "none") == {}
