"""What every part of one translation needs at hand."""

from __future__ import annotations

from dataclasses import dataclass, field

from plano_filters.translation.base import Traits
from plano_filters.translation.messages_to_chat.names import Names


@dataclass(frozen=True, slots=True)
class Job:
    """One request on its way."""

    traits: Traits
    dropped: list[str] = field(default_factory=list)
    """The paths of what the provider has no word for."""
    names: Names = field(default_factory=Names)
