"""What users write under `alias:`."""

from __future__ import annotations

from typing import Literal

from plano_filters import FilterConfig

Fallback = Literal["preferences", "default", "first"]


class AliasConfig(FilterConfig):
    """Which models may stand in for the one a client asked for."""

    fallback: tuple[Fallback, ...] = ("preferences", "default", "first")
    """Where further candidates come from, in this order: the other models of the preferences that
    list the model, the default model, the first declared one. Empty: only the model itself."""
