"""Durations and credentials."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from plano_filters.config import Duration, Secret
from plano_filters.config.types import Expanded, format_duration, parse_duration


class Sample(BaseModel):
    wait: Duration = 1.0
    key: Secret | None = None


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("30s", 30.0), ("500ms", 0.5), ("5m", 300.0), ("1h", 3600.0), ("1.5 s", 1.5), ("7", 7.0)],
)
def test_durations(given: str, seconds: float) -> None:
    """A number with a unit becomes seconds."""
    assert parse_duration(given) == seconds
    assert Sample.model_validate({"wait": given}).wait == seconds


@pytest.mark.parametrize("given", ["30 seconds", "", "s", "-1s", "1d", True, [1]])
def test_what_is_no_duration_is_refused(given: object) -> None:
    """Other units, signs and types are errors."""
    with pytest.raises(ValidationError):
        Sample.model_validate({"wait": given})


def test_durations_are_written_as_they_are_read() -> None:
    """What a dump writes can be loaded."""
    assert format_duration(0.5) == "0.5s"
    assert Sample(wait=300).model_dump() == {"wait": "300s", "key": None}


def test_a_secret_is_never_written_out() -> None:
    """Its text is in no repr and no dump; its reference is."""
    literal = Sample.model_validate({"key": "abc"})
    expanded = Sample.model_validate({"key": Expanded("abc", "$KEY")})

    assert literal.key is not None
    assert literal.key.reveal() == "abc"
    assert "abc" not in f"{literal!r} {literal.key} {literal.model_dump_json()}"
    assert expanded.model_dump(mode="json")["key"] == "$KEY"
    assert literal.key == expanded.key
    assert len({literal.key, expanded.key}) == 1


def test_a_secret_is_text() -> None:
    """A number is refused without being shown."""
    with pytest.raises(ValidationError, match="must be a string"):
        Sample.model_validate({"key": 12345})
