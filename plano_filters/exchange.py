"""One client request and its response, and what the chain learned on the way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Literal

from opentelemetry.trace import INVALID_SPAN, Span

from plano_filters.dialect import Dialect, Operation
from plano_filters.messages import Request
from plano_filters.state import FilterState

Phase = Literal["request", "forward", "response", "complete"]
Action = Literal["continue", "respond", "reject", "error", "skip"]


@dataclass(frozen=True, slots=True)
class Decision:
    """A sentence a filter recorded about what it did."""

    filter: str
    """The id of the filter."""
    text: str
    data: dict[str, object]
    """The same, for machines: JSON values only."""
    otherwise: tuple[str, ...] = ()
    """What would have changed it, a clause each, for `explain`."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one hook of one filter took."""

    filter: str
    phase: Phase
    action: Action
    started: float
    """Wall clock, seconds since the epoch."""
    seconds: float
    error: str | None = None
    """Class name of the exception, if it raised."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an exchange ended; exactly one per exchange."""

    status: int | None
    """What the client was answered; None if it left before."""
    disconnected: bool = False
    """The client left before the last byte."""
    error: BaseException | None = None
    bytes_sent: int = 0
    """Body bytes handed to the client's connection."""


@dataclass(slots=True)
class Exchange:
    """One request and, later, its response. Filters keep no request state themselves."""

    id: str
    """The request id: the client's `x-request-id`, or a new one."""
    request: Request
    operation: Operation
    """What it asks for. With `operation.deciding` it asks no provider, only which to ask."""
    dry_run: bool = False
    """Whether it is only to be explained: nothing may be stored, spent or told to others. Its
    response hooks do not run."""
    span: Span = INVALID_SPAN
    """The root span. Use it in stream wrappers; a span must never be attached across a `yield`."""
    state: FilterState = field(default_factory=FilterState)
    resources: AsyncExitStack = field(default_factory=AsyncExitStack)
    """Closed after the last byte, an error or a disconnect. Never put a task group on it."""
    decisions: list[Decision] = field(default_factory=list)
    timings: list[Timing] = field(default_factory=list)
    started: float = field(default_factory=time.time)
    """Wall clock, seconds since the epoch, when the request head was read."""
    clock_started: float = field(default_factory=time.perf_counter)
    """`time.perf_counter` at the same moment; durations are measured from here."""
    head_sent: float | None = None
    """`time.perf_counter` when the head of the response was sent."""
    entered: int = 0
    """How many filters of its chain have seen it; the chain's bookkeeping."""
    filter_id: str = ""
    """The filter whose hook is running; the chain's bookkeeping."""

    @property
    def dialect(self) -> Dialect:
        """The dialect the client speaks, errors included."""
        return self.operation.dialect

    def decide(self, text: str, *, otherwise: Sequence[str] = (), **data: object) -> None:
        """Record what was decided and why, for spans, log, console and `explain`.

        Args:
            text: One clause, such as `fast-model -> openai/gpt-5.2`. No secrets, no prompts.
            otherwise: What would have changed it: `poetry (0.38) wins above 0.41`.
            **data: The same as the text for machines; JSON values.
        """
        self.decisions.append(Decision(self.filter_id, text, data, tuple(otherwise)))

    def child(self, request: Request) -> Exchange:
        """Return the exchange of one attempt: its own request, facts and resources.

        It reads the facts of this exchange, and shares its decisions and timings.
        """
        return Exchange(
            id=self.id,
            request=request,
            operation=self.operation,
            dry_run=self.dry_run,
            span=self.span,
            state=FilterState(parent=self.state),
            decisions=self.decisions,
            timings=self.timings,
            started=self.started,
            clock_started=self.clock_started,
            filter_id=self.filter_id,
        )
