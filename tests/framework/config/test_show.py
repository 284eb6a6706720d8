"""The effective document can be looked at without showing a credential."""

from __future__ import annotations

import json

import yaml

from plano_filters.config.show import as_yaml, effective
from tests.framework.config.reading import EXAMPLES, PROVIDERS, read

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
    assert [entry["use"] for entry in shown["filters"]] == ["alias", "upstream"]
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


def test_what_is_shown_can_be_loaded() -> None:
    """The output is a document that means the same."""
    for example in EXAMPLES:
        loaded = read(example.read_text(), compat="warn")
        again = read(as_yaml(loaded.document))

        again.report.raise_errors()
        assert effective(again.document) == effective(loaded.document)


def test_what_is_shown_is_plain_data() -> None:
    """JSON can write it."""
    assert json.loads(json.dumps(effective(read(PROVIDERS).document)))
