"""What may stand under `upstream:`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from plano_builtin_filters.upstream import UpstreamConfig


def test_the_defaults() -> None:
    """The four deadlines, the retries and the signs of life have values that suit most."""
    config = UpstreamConfig()

    assert config.model_dump() == {
        "attempts": None,
        "backoff_base": "0.025s",
        "backoff_cap": "0.25s",
        "retry_after_cap": "2s",
        "connect_timeout": None,
        "first_byte_timeout": "120s",
        "idle_timeout": "60s",
        "total_timeout": None,
        "keep_alive": "15s",
        "filters": (),
    }


@pytest.mark.parametrize(
    "config",
    [
        {"attempts": 0},
        {"attempts": 11},
        {"first_byte_timeout": "0s"},
        {"idle_timeout": "soon"},
        {"keep_alive": -1},
        {"retries": 3},
        {"filters": "auth"},
        {"filters": [3]},
    ],
)
def test_nonsense_is_refused(config: dict[str, Any]) -> None:
    """Values out of range and unknown keys are errors before anything starts."""
    with pytest.raises(ValidationError):
        UpstreamConfig.model_validate(config)


def test_nested_filters_have_the_short_forms() -> None:
    """A name, a name with its config, and the long form, as in the chain itself."""
    config = UpstreamConfig.model_validate(
        {"filters": ["one", {"two": {"a": 1}}, {"use": "three", "id": "3"}]}
    )

    assert [(entry.use, entry.id, entry.config) for entry in config.filters] == [
        ("one", "", {}),
        ("two", "", {"a": 1}),
        ("three", "3", {}),
    ]
