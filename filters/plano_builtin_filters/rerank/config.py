"""What users write under `rerank:`. Where figures come from is `model_metrics_sources`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from plano_filters import FilterConfig
from plano_filters.config import Duration

Statistic = Literal["ewma", "p95"]


class RerankConfig(FilterConfig):
    """How models are ordered, and which are left out."""

    capabilities: bool = True
    """Leave out models that are known not to take what the request has: images, tools, a JSON
    schema, or more tokens than their context."""

    statistic: Statistic = "ewma"
    """`self`: which figure of the measured times to first byte counts. `ewma`: the mean, newer ones
    weighing more. `p95`: what 95 of 100 stay below."""

    half_life: Duration = Field(default=600.0, gt=0)
    """`self`: the age at which a measurement weighs half. Providers are slow for minutes or hours,
    not for days."""

    min_samples: int = Field(default=5, ge=1)
    """`self`: measurements, by weight, below which a model's time is not known."""

    explore: float = Field(default=0.05, ge=0, le=1)
    """`self`: share of the requests for the fastest model that go first to one whose time is not
    known. Without it, a model that was slow once would never be measured again."""
