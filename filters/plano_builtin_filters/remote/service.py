"""What the filter needs of a service, whatever its protocol."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from plano_builtin_filters.remote.headers import Pair

Reason = Literal["deadline", "unreachable", "status", "reply"]


@dataclass(frozen=True, slots=True)
class Question:
    """What a service is asked about."""

    path: str
    """Of the client's request."""
    body: bytes
    media_type: str
    """`application/json`, or `text/event-stream` for a part of a stream."""
    headers: tuple[Pair, ...]
    """To send along."""


@dataclass(frozen=True, slots=True)
class Passed:
    """It may go on, with this body."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """It may not go on."""

    status: int
    """400 to 499."""
    body: bytes
    """What the service says why."""


class ServiceFailed(Exception):
    """A service gave no answer that means anything.

    Args:
        reason: Why, in a word.
        text: Why, in a sentence; without an address, a secret or a prompt.
    """

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason: Reason = reason


class Service(Protocol):
    """A service that can be asked. Many at once."""

    def lifespan(self) -> AbstractAsyncContextManager[None]:
        """Start and stop what it needs; no call is made for it."""
        ...

    async def ask(self, question: Question) -> Passed | Refused:
        """Ask.

        Raises:
            ServiceFailed: There is no answer.
        """
        ...
