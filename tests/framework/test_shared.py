"""Resources that chains of one process use together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from plano_filters.shared import Shared


class Counted:
    """A resource that counts its starts and stops."""

    def __init__(self, *, failing: bool = False) -> None:
        self.started = 0
        self.stopped = 0
        self._failing = failing

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        if self._failing:
            raise OSError("no such disk")
        async with asyncio.timeout(None):  # a cancel scope, which must not change tasks
            self.started += 1
            yield
            self.stopped += 1


async def test_two_users_of_a_key_share_one_resource() -> None:
    """It starts with the first and stops after the last, whichever task that is."""
    shared, made = Shared(), Counted()
    entered, leave = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with shared.use("key", lambda: made):
            entered.set()
            await leave.wait()

    user = asyncio.create_task(first())
    await entered.wait()
    async with shared.use("key", Counted) as same:
        assert same is made
        leave.set()
        await user
        assert (made.started, made.stopped) == (1, 0)

    assert (made.started, made.stopped) == (1, 1)


async def test_other_keys_are_other_resources() -> None:
    """A changed configuration does not get the old model."""
    shared = Shared()

    async with shared.use("a", Counted) as one, shared.use("b", Counted) as other:
        assert one is not other


async def test_a_resource_that_is_used_again_starts_anew() -> None:
    """Nothing is kept when nobody uses it."""
    shared = Shared()
    async with shared.use("key", Counted) as one:
        pass

    async with shared.use("key", Counted) as other:
        assert other is not one


async def test_a_failing_start_is_the_users() -> None:
    """And the next one may try again."""
    shared = Shared()
    with pytest.raises(OSError, match="no such disk"):
        async with shared.use("key", lambda: Counted(failing=True)):
            raise AssertionError("never entered")

    async with shared.use("key", Counted) as one:
        assert one.started == 1
