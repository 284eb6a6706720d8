"""Settings of the whole test run."""

from __future__ import annotations

from hypothesis import settings

# A busy machine must not fail a property: how long an example takes is not what is tested.
settings.register_profile("plano-filters", deadline=None)
settings.load_profile("plano-filters")
