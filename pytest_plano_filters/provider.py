"""The fixture that needs a running loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import pytest_asyncio

if TYPE_CHECKING:
    from plano_filters.testing import FakeProvider


@pytest_asyncio.fixture
async def mock_provider() -> AsyncGenerator[FakeProvider]:
    """A provider on a loopback port that answers as the mock does, for the time of the test."""
    from plano_filters.testing import mock_provider  # noqa: PLC0415 - see the package

    async with mock_provider() as provider:
        yield provider
