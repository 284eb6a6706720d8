"""What may stand under `rerank:`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from plano_builtin_filters.rerank import RerankConfig
from plano_filters.config import load_text


def test_nothing_needs_to_be_said() -> None:
    """Every option has a default."""
    config = RerankConfig()

    assert (config.capabilities, config.statistic, config.explore) == (True, "ewma", 0.05)


@pytest.mark.parametrize(
    "wrong",
    [
        {"explore": 1.5}, {"min_samples": 0}, {"half_life": "0s"}, {"statistic": "p99"},
        {"prefer": "cheapest"},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    """And so is what `model_metrics_sources` or a preference says."""
    with pytest.raises(ValidationError):
        RerankConfig.model_validate(wrong)


@pytest.mark.parametrize("prefer", ["cheapest", "fastest"])
def test_no_source_needs_to_be_declared(prefer: str) -> None:
    """Prices are bundled and times are measured, so a preference alone is a whole document."""
    loaded = load_text(
        "version: v0.4.0\nmodel_providers: [{model: mock/a}]\n"
        "routing_preferences:\n- {name: a, description: b, models: [mock/a], "
        f"selection_policy: {{prefer: {prefer}}}}}\n",
        env={},
    )

    assert [*loaded.report.errors, *loaded.report.warnings] == []
    assert [one.use for one in loaded.document.filters][-2:] == ["rerank", "upstream"]
