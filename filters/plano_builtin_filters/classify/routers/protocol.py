"""What a router is asked, what it answers, and how it says that it cannot.

There are two shapes. A `Router` is what the filter awaits. A `Model` is a router model in this
process: plain blocking code, which `worker.Worker` turns into a `Router` with a thread of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, Protocol

OTHER: Final = "other"
"""The answer that no route fits; the router models' own word. A route may have this name, too."""
Role = Literal["user", "assistant"]
Reason = Literal["queue_full", "deadline", "unavailable", "reply", "error"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message, as far as a router reads it: text only, no tools, no images."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class RouteOption:
    """One row of a routing table."""

    name: str
    description: str


@dataclass(frozen=True)
class Question:
    """What a router is asked: which of these routes does the last turn want?"""

    turns: tuple[Turn, ...]
    """Oldest first; the last one is the user's."""
    routes: tuple[RouteOption, ...]
    """In the order of the document, names unique; at least one."""
    session: str | None = None
    """Names a conversation whose earlier turns the router may remember; None if there is none."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the routes, in order."""
        return tuple(route.name for route in self.routes)


@dataclass(frozen=True, slots=True)
class Scores:
    """A router's answer: a probability for each route and for none of them."""

    routes: tuple[float, ...]
    """In the order of the question."""
    other: float
    """That no route fits. All together sum to 1."""
    calibrated: bool = True
    """Whether they may be read as confidences. False where the model only named a route."""


class RouterFailed(Exception):
    """A router gave no answer; the request goes on without one.

    Args:
        reason: A closed set, for the counter.
        detail: For the log and the decision. No prompts, no secrets.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason


class Router(Protocol):
    """Answers questions, many at once."""

    def lifespan(self) -> AbstractAsyncContextManager[None]:
        """Start and stop what it needs. A router that cannot start still enters, and then fails."""

    async def prepare(self, routes: tuple[RouteOption, ...]) -> None:
        """Load what is needed and get ready for this routing table. Never raises."""

    async def route(self, question: Question) -> Scores:
        """Answer one question.

        Raises:
            RouterFailed: There is no answer.
        """

    def describe(self) -> str:
        """Say what runs where, for the log at start: `embedded (minilm-router, CPU, 1 thread)`."""


class Model(Protocol):
    """A router model in this process. Blocking; used by one thread at a time."""

    batch: int
    """How many questions gain from being answered together; 1 if none do."""

    def load(self) -> None:
        """Read the files. Called before anything else; if it fails, perhaps once more.

        Raises:
            RouterFailed: They are missing, or not what their hash says.
        """

    def warm(self, routes: tuple[RouteOption, ...]) -> None:
        """Prepare for questions with this routing table."""

    def score(self, questions: Sequence[Question]) -> list[Scores]:
        """Answer some questions, in order."""

    def describe(self) -> str:
        """Say what runs where."""
