"""What users write under `remote:`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from plano_filters import FilterConfig

Phase = Literal["request", "response"]


class RemoteConfig(FilterConfig):
    """Which service is asked, and about what. Where it is stands in its definition."""

    filter: str = Field(min_length=1)
    """Id of a remote filter: an entry of `filters` that has a `url`."""

    phases: tuple[Phase, ...] = Field(default=("request",), min_length=1)
    """What it sees: the `request`, the `response`, or both."""
