"""The options of `auth`, and what they refuse."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from pydantic import ValidationError

from plano_builtin_filters.auth import AuthConfig
from plano_filters.app import check
from plano_filters.config import load_text
from plano_filters.errors import ConfigError

JWT = {"issuer": "https://id", "audience": "gw", "jwks_url": "https://id/keys"}


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, "nobody could pass"),
        ({"keys": []}, "nobody could pass"),
        ({"keys": [{"id": "", "key": "k" * 20}]}, "at least 1 character"),
        ({"keys": [{"id": "a"}]}, "key"),
        ({"keys": [{"id": "a", "key": "k" * 20 + "\n"}]}, "nobody could send it"),
        ({"keys": [{"id": "a", "key": " " + "k" * 20}]}, "nobody could send it"),
        ({"keys": [{"id": "a", "key": "kkkkkkkkkk\nkkkkkkkkkk"}]}, "nobody could send it"),
        ({"jwt": {**JWT, "algorithms": ["HS256"]}}, "asymmetric"),
        ({"jwt": {**JWT, "algorithms": ["none"]}}, "asymmetric"),
        ({"jwt": {**JWT, "jwks_url": "id.example/keys"}}, "must be a URL"),
        ({"jwt": {**JWT, "jwks_url": "file:///keys"}}, "must be a URL"),
        ({"jwt": {"issuer": "i", "audience": "a"}}, "one of jwks_url and jwks_file"),
        ({"jwt": {**JWT, "jwks_file": "/k"}}, "one of jwks_url and jwks_file"),
        ({"jwt": {"jwks_url": "https://u", "audience": "a"}}, "issuer"),
        ({"key": "x"}, "key"),
    ],
)
def test_a_gateway_that_could_not_be_meant_is_refused(config: dict[str, Any], says: str) -> None:
    """Before it starts, and with a reason."""
    with pytest.raises(ValidationError, match=says):
        AuthConfig.model_validate(config)


def test_it_cannot_be_skipped() -> None:
    """Skipped when it fails, it would let everybody in."""
    document = """
        model_providers: [{model: mock/fast, default: true}]
        filters:
          - {use: auth, on_error: skip, config: {keys: [{id: a, key: abcdefghijklmnopqrst}]}}
          - upstream
    """
    loaded = load_text(textwrap.dedent(document), name="gateway.yaml", env={})

    with pytest.raises(ConfigError, match=r'"auth" is a guard and cannot be skipped') as raised:
        check(loaded)
    assert "gateway.yaml:4:27" in str(raised.value)


def test_the_reason_does_not_show_the_key() -> None:
    """Neither does the error of pydantic's, as the document reports it."""
    with pytest.raises(ValidationError) as raised:
        AuthConfig.model_validate({"keys": [{"id": "a", "key": "very-secret\n"}]})

    (error,) = raised.value.errors(include_input=False, include_context=False)
    assert "very-secret" not in str(error)


def test_a_key_is_never_shown() -> None:
    """Not in the repr, not in a dump."""
    config = AuthConfig.model_validate({"keys": [{"id": "a", "key": "sk-very-secret"}]})

    assert "very-secret" not in repr(config)
    assert "very-secret" not in config.model_dump_json()
