"""The options of `classify`: what stands without a word, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from plano_builtin_filters.classify.config import DEADLINES, ClassifyConfig


def test_nothing_has_to_be_said() -> None:
    """Without options the document chooses the router, and every route counts."""
    config = ClassifyConfig()

    assert (config.router, config.model, config.deadline) == (None, None, None)
    assert config.min_confidence == 0.0
    assert config.threads == 1


def test_each_router_has_a_deadline() -> None:
    """A small encoder is given less time than a causal model on a CPU."""
    assert DEADLINES["embedded"] < DEADLINES["remote"] < DEADLINES["onnx"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("300ms", 0.3), ("2s", 2.0), ("1m", 60.0), ("0.5s", 0.5), (2, 2.0)]
)
def test_a_deadline_has_a_unit(text: Any, seconds: float) -> None:
    """Durations are written as everywhere in the document."""
    assert ClassifyConfig.model_validate({"deadline": text}).deadline == seconds


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("router", "magic"), ("router", ""), ("min_confidence", -0.1), ("min_confidence", 1.1),
        ("min_confidence", "high"), ("deadline", "0s"), ("deadline", "-1s"), ("queue", 0),
        ("threads", -1), ("device", "tpu"), ("template", "llama"), ("max_tokens", 255),
        ("cache_entries", -1), ("kv_cache_bytes", -1), ("sha256", "abc"), ("sha256", "g" * 64),
        ("sha256", "0" * 65), ("minimum_confidence", 0.5),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused(option: str, value: object) -> None:
    """Each option says what it takes, and a name that nobody knows is an error."""
    with pytest.raises(ValidationError) as caught:
        ClassifyConfig.model_validate({option: value})

    assert caught.value.errors()[0]["loc"] == (option,)


def test_equal_configurations_are_equal() -> None:
    """Two chains that say the same, one of them by default, share what they make of it."""
    said = ClassifyConfig(queue=64, threads=1)

    assert (said, hash(said)) == (ClassifyConfig(), hash(ClassifyConfig()))
