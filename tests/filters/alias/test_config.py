"""The options of `alias`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from plano_builtin_filters.alias import AliasConfig


def test_every_source_of_fallbacks_is_on_by_default() -> None:
    """A document without options has the documented order."""
    assert AliasConfig().fallback == ("preferences", "default", "first")


def test_an_unknown_source_is_refused() -> None:
    """A typing mistake does not silently turn fallback off."""
    with pytest.raises(ValidationError):
        AliasConfig(fallback=("defaults",))  # type: ignore[arg-type]
