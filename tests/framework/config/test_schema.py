"""The JSON Schema accepts what the loader accepts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from plano_filters.config.schema import document_schema
from plano_filters.registry import Registry
from tests.framework.config.reading import CONFIGS, ENV, read

ALL = sorted(CONFIGS.rglob("*.yaml"))


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    configs = {
        info.name: info.filter.config_type for info in Registry.from_entry_points().describe()
    }
    schema = document_schema(configs)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def messages(validator: Draft202012Validator, text: str) -> list[str]:
    return [error.message for error in validator.iter_errors(yaml.safe_load(text))]


@pytest.mark.parametrize("example", ALL, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_example_is_valid(validator: Draft202012Validator, example: Path) -> None:
    """In whatever shape it is written; what only `--compat warn` accepts is not."""
    text = example.read_text()
    if read(text, env={**ENV, **dict.fromkeys(_variables(text), "x")}).report.errors:
        assert messages(validator, text)
    else:
        assert messages(validator, text) == []


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("listeners: [{name: a, port: $PORT, timeout: $T}]", True),
        ("listeners: [{name: a, port: abc}]", False),
        ("listeners: {egress_traffic: {port: 1, message_format: openai}}", True),
        ("listeners: {egress: {port: 1}}", False),
        ("filters: [alias]", True),
        ("filters: [alias: ]", True),
        ("filters: ['my.own:Filter', {'my.own:Filter': {a: 1}}]", True),
        ("filters: [{use: 'my.own:Filter', config: {a: 1}}]", True),
        ("filters: [{use: upstream, timeout: 3s, config: {attempts: 2}}]", True),
        ("filters: [{use: upstream, config: {attemtps: 2}}]", False),
        ("filters: [upstream: {attempts: 0}]", False),
        ("filters: [upstream: {filters: [alias, {alias: {}}]}]", True),
        ("filters: [upstream: {filters: [{alias: {fallbck: []}}]}]", False),
        ("filters: [{use: alias, timout: 3s}]", False),
        ("filters: [unknown]", False),
        ("filters: [{id: a, url: b, type: http}]", True),
        ("middleware: ['a:B', {'a:B': {}}, {use: 'a:B', options: {c: 1}}]", True),
        ("middleware: ['a.B']", False),
        ("remote_filters: []", False),
        ("routing: {session_max_entries: 10001}", False),
        ("versoin: v0.4.0", False),
    ],
)
def test_the_schema_agrees_with_the_loader(
    validator: Draft202012Validator, text: str, valid: bool
) -> None:
    """Short forms, older shapes and variables are known; mistakes are found."""
    assert (messages(validator, text) == []) is valid


def test_every_key_is_described() -> None:
    """An editor shows at least what each section is for."""
    schema = document_schema({})
    undescribed = [
        name
        for name, part in schema["$defs"].items()
        if not part.get("description") and name not in ("LegacyListeners", "InlinePreference")
    ]
    assert undescribed == []


def _variables(text: str) -> list[str]:
    return re.findall(r"\$\{?([A-Z_]+)\b(?!:-)", text)
