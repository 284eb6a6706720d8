"""The effective document can be looked at without showing a credential."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from plano_filters.compile import compile_chain
from plano_filters.config import Duration, Loaded
from plano_filters.config.show import as_yaml, effective
from plano_filters.registry import Registry
from tests.framework.config.reading import CONFIGS, EXAMPLES, PROVIDERS, read

LITERALS = """\
version: v0.4.0
model_providers:
  - {model: openai/gpt-4o, access_key: topsecret-1, headers: {x-team: topsecret-2}}
routing: {session_cache: {type: redis, url: 'redis://me:topsecret-3@host'}}
filters:
  - auth: {keys: [{id: team-a, key: topsecret-4}, {id: team-b, key: $OPENAI_API_KEY}]}
  - upstream: {first_byte_timeout: 3s}
"""


def test_defaults_are_filled_in() -> None:
    """What the file leaves out is written out."""
    shown = effective(read(PROVIDERS).document)

    assert shown["listeners"] == [
        {
            "type": "model",
            "name": "egress_traffic",
            "address": "0.0.0.0",
            "port": 12000,
            "timeout": "300s",
            "input_filters": [],
            "output_filters": [],
        }
    ]
    assert [entry["use"] for entry in shown["filters"]] == [
        "alias", "affinity", "classify", "rerank", "upstream",
    ]  # fmt: skip
    assert shown["model_providers"][0]["name"] == "openai/gpt-4o"


def test_credentials_are_references_or_stars() -> None:
    """A variable is named; what stands in clear is not shown, wherever it stands."""
    text = as_yaml(read(LITERALS).document)
    shown = yaml.safe_load(text)

    assert "topsecret" not in text
    assert "openai-key" not in text
    assert shown["model_providers"][0]["access_key"] == "***"
    assert shown["filters"][0]["config"]["keys"] == [
        {"id": "team-a", "key": "***"},
        {"id": "team-b", "key": "$OPENAI_API_KEY"},
    ]
    assert shown["filters"][1]["config"] == {"first_byte_timeout": "3s"}


class Inner(BaseModel):
    """A part of a config."""

    of: str
    every: Duration = 600.0


class Config(BaseModel):
    """A config of the kinds of values that filters have."""

    keys: tuple[Inner, ...] = ()
    inner: Inner | None = None
    wait: Duration = 0.025
    path: Path = Path("/nowhere")
    label: str | None = None


def test_the_defaults_of_a_filter_are_filled_in() -> None:
    """What stands in the file stays as it is written, variables included; the rest is added."""
    text = PROVIDERS + "filters: [{'a:B': {inner: {of: $OPENAI_API_KEY}, keys: [{of: me}]}}]\n"
    document = read(text).document
    config = Config.model_validate(document.filters[0].config)

    (entry,) = effective(document, {"a:B": config})["filters"]

    assert (entry["use"], entry["id"]) == ("a:B", "a:B")
    assert entry["config"] == {
        "keys": [{"of": "***"}],
        "inner": {"of": "$OPENAI_API_KEY", "every": "600s"},
        "wait": "0.025s",
        "path": "/nowhere",
    }


def test_a_config_that_cannot_be_written_is_shown_as_it_stands() -> None:
    """A plugin may keep what it likes in its config."""

    class Odd(BaseModel):
        thing: Any = object()
        n: int = 1

    document = read(PROVIDERS + "filters: [{'a:B': {n: 2}}]\n").document

    (entry,) = effective(document, {"a:B": Odd(n=2)})["filters"]

    assert entry["config"] == {"n": 2}


def test_what_is_shown_can_be_loaded() -> None:
    """The output is a document that means the same."""
    for example in [*EXAMPLES, *CONFIGS.glob("*.yaml"), *CONFIGS.glob("filters/*.yaml")]:
        loaded = read(example.read_text(), compat="warn")
        again = read(as_yaml(loaded.document, _configs(loaded)))

        configs = _configs(again)
        again.report.raise_errors()
        assert effective(again.document, configs) == effective(loaded.document, _configs(loaded))
        assert not {problem.message for problem in again.report.warnings} - {
            problem.message for problem in loaded.report.warnings
        }


def _configs(loaded: Loaded) -> dict[str, BaseModel]:
    return compile_chain(loaded.document, Registry.from_entry_points(), loaded.report).configs


def test_what_is_shown_is_plain_data() -> None:
    """JSON can write it."""
    assert json.loads(json.dumps(effective(read(PROVIDERS).document)))
