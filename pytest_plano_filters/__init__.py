"""The pytest plugin: what `plano_filters.testing` has, as fixtures.

A package of its own, and every import late: pytest loads this in each run of each project in whose
environment plano-filters is installed, and most of those have nothing to do with it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from plano_filters import Exchange
    from plano_filters.testing import FakeClock, RunningChain


def pytest_configure(config: pytest.Config) -> None:
    """Add the fixture that runs in the test's loop, where pytest-asyncio has one for it."""
    if config.pluginmanager.hasplugin("asyncio"):
        from pytest_plano_filters import provider  # noqa: PLC0415

        config.pluginmanager.register(provider, "plano-filters-provider")


@pytest.fixture
def fake_clock() -> FakeClock:
    """Time that passes only when somebody sleeps, and then at once."""
    from plano_filters.testing import FakeClock  # noqa: PLC0415

    return FakeClock()


@pytest.fixture
def make_exchange() -> Callable[..., Exchange]:
    """`plano_filters.testing.make_exchange`."""
    from plano_filters.testing import make_exchange  # noqa: PLC0415

    return make_exchange


@pytest.fixture
def gateway_chain(
    fake_clock: FakeClock,
) -> Callable[..., AbstractAsyncContextManager[RunningChain]]:
    """`plano_filters.testing.chain`, with the test's `fake_clock` for its clock."""
    from plano_filters.testing import chain  # noqa: PLC0415

    return partial(chain, clock=fake_clock)


@pytest.fixture
def faults() -> ModuleType:
    """`plano_filters.testing.faults`, the fault zoo."""
    from plano_filters.testing import faults  # noqa: PLC0415

    return faults
