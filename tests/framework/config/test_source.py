"""YAML is read strictly, and every key and value has a place."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters.config import Problem
from plano_filters.config.source import MAX_BYTES, parse
from plano_filters.errors import ConfigError


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, "plano.yaml")
    problem = caught.value.problems[0]
    assert isinstance(problem, Problem)
    where = f"{problem.position.line}:{problem.position.column} " if problem.position else ""
    return where + problem.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.2.0", "0.2.0"),
        ("v0.4.0", "v0.4.0"),
        ("12000", 12000),
        ("-1", -1),
        ("0.5", 0.5),
        ("'12000'", "12000"),
        ("true", True),
        ("False", False),
        ("yes", "yes"),  # YAML 1.1 would make it a boolean
        ("off", "off"),
        ("12:30", "12:30"),  # and this a number to the base of 60
        ("0o17", "0o17"),
        ("017", "017"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("~", None),
        ("", None),
        (".inf", ".inf"),
        ("9" * 5000, "9" * 5000),  # longer than Python reads as a number
    ],
)
def test_scalars_are_read_as_yaml_1_2_does(text: str, value: object) -> None:
    """Only true and false are booleans, only decimal digits numbers."""
    assert parse(f"key: {text}", "plano.yaml").tree == {"key": value}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", '3:1 the key "a" is already on line 1'),
        ("a: &x 1\nb: 2", "1:4 YAML anchors and aliases are not allowed; write the value out"),
        ("a: *x", "1:4 YAML anchors and aliases are not allowed; write the value out"),
        ("a: 1\n---\nb: 2", "2:1 only one YAML document is allowed"),
        ("a: " + "[" * 40 + "]" * 40, "1:35 nested deeper than 32 levels"),
        ("? [a]\n: 1", "1:3 a key must be text"),
        ("- a", "1:1 plano.yaml must be a mapping of keys to values"),
        ("", "plano.yaml is empty"),
        ("# nothing", "plano.yaml is empty"),
    ],
)
def test_what_is_no_plain_mapping_is_refused(text: str, message: str) -> None:
    """Doubles, anchors, bottomless nesting and the like are errors with a place."""
    assert refused(text) == message


def test_a_syntax_error_has_a_place() -> None:
    """A mapping that breaks off is reported where it breaks off."""
    assert refused("a: 1\nb: [1, 2\nc: 3").startswith("3:2 not valid YAML: ")


def test_a_huge_file_is_refused() -> None:
    """More than a mebibyte is no configuration."""
    assert refused("a: " + "x" * MAX_BYTES) == f"plano.yaml is larger than {MAX_BYTES} bytes"


def test_a_path_is_located_at_its_key_or_its_value() -> None:
    """Positions count from 1 and fall back to the nearest part around."""
    source = parse("top:\n  - {name: x, port: 12}\n", "plano.yaml")

    places = {
        (path, on_key): (found.line, found.column, found.length)
        for path, on_key in [
            (("top", 0, "port"), False),
            (("top", 0, "port"), True),
            (("top", 0, "missing"), False),
        ]
        if (found := source.locate(path, on_key=on_key))
    }

    assert places == {
        (("top", 0, "port"), False): (2, 21, 2),
        (("top", 0, "port"), True): (2, 15, 4),
        (("top", 0, "missing"), False): (2, 5, 19),
    }


def test_a_moved_part_is_located_where_it_stood() -> None:
    """Moves compose: what moved twice still leads to the file."""
    source = parse("old: [{key: 1}]", "plano.yaml")
    source.moved(("newer",), ("old",))
    source.moved(("newest", 3), ("newer", 0))

    found = source.locate(("newest", 3, "key"))

    assert found is not None
    assert (found.line, found.column) == (1, 13)


@given(st.text())
def test_any_text_is_a_mapping_or_a_config_error(text: str) -> None:
    """No text makes the parser fail in another way."""
    with contextlib.suppress(ConfigError):
        assert isinstance(parse(text, "plano.yaml").tree, dict)
