"""What a store of responses does. It says when it cannot: a conversation is never half known."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol


class Unreachable(Exception):
    """The store did not do it.

    Args:
        reason: Why, in a word: `timeout`, `connection`, `auth`, `server` or `down`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Store(Protocol):
    """Keeps responses, written down."""

    def lifespan(self) -> AbstractAsyncContextManager[Any]:
        """Start and stop it."""

    async def get(self, key: str) -> bytes | None:
        """Return what is kept under a key.

        Raises:
            Unreachable: That cannot be known.
        """
        ...

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """Keep a value for some seconds.

        Raises:
            Unreachable: It may not be kept.
        """
        ...
