"""What a store of sessions does. A store never fails a request: it says what it could not do."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from plano_builtin_filters.affinity.records import Record

Failure = Literal["timeout", "connection", "auth", "server", "value", "down"]
"""`server`: it answered with an error. `value`: what it had was no record. `down`: it was not
asked, because it failed just before."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a store has for a session."""

    record: Record | None
    failure: Failure | None = None
    """Why the store could not be read; a record is then one that this process remembers."""


class Store(Protocol):
    """Keeps what is remembered of sessions."""

    def lifespan(self) -> AbstractAsyncContextManager[Any]:
        """Start and stop it."""

    async def get(self, key: str) -> Found:
        """Return the record of a session, if there is one."""
        ...

    async def put(self, key: str, record: Record, ttl: float) -> Failure | None:
        """Keep a record for some seconds; return why that failed, if it did."""
        ...

    async def drop(self, key: str) -> Failure | None:
        """Forget a session."""
        ...
