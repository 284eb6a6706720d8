"""Cancelling a coroutine at the wait of one's choice."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


class Interrupted:
    """Awaits a coroutine, and cancels the task at its wait of a number.

    The cancellation is the real one: what the task waits for is cancelled, and the error rises
    from there.

    Args:
        inner: The coroutine.
        at: Number of the wait, from 1; 0 for none.
    """

    def __init__(self, inner: Coroutine[Any, Any, T], at: int = 0) -> None:
        self._inner = inner
        self._at = at
        self.waits = 0
        """How often it has waited so far."""

    def __await__(self) -> Generator[Any, Any, T]:
        resume, given = self._inner.send, None
        while True:
            try:
                waiting = resume(given)
            except StopIteration as end:
                result: T = end.value
                return result
            self.waits += 1
            if self.waits == self._at:
                task = asyncio.current_task()
                assert task is not None  # noqa: S101 - we are in a coroutine
                task.cancel()
            try:
                given = yield waiting
                resume = self._inner.send
            except BaseException as error:  # noqa: BLE001 - all of them go where they are awaited
                resume, given = self._inner.throw, error
