"""What happened in an exchange, read once from its facts, for spans, metrics and log alike."""

from __future__ import annotations

from dataclasses import dataclass

from plano_filters import providers
from plano_filters.exchange import Exchange, Outcome
from plano_filters.facts import (
    AttemptResult,
    Attempts,
    Candidates,
    Cost,
    Principal,
    ResponseInfo,
    Route,
    Served,
    Usage,
)

CLIENT_CLOSED = 499
"""The status for a client that left before an answer; nginx's."""


@dataclass(slots=True)
class Relayed:
    """Fact of a streamed answer: how many chunks went to the client, and when."""

    chunks: int = 0
    first: float = 0.0
    """`time.perf_counter` at the first chunk."""
    last: float = 0.0

    def chunk(self, now: float) -> None:
        """Count one."""
        if self.chunks == 0:
            self.first = now
        self.chunks += 1
        self.last = now


@dataclass(frozen=True, slots=True)
class View:
    """One exchange at its end. Times are wall clock, durations seconds."""

    status: int
    seconds: float
    first_byte: float | None
    """From the request head to the response head."""
    upstream_seconds: float
    """Spent in tries until their heads."""
    requested: str
    served: str
    provider: str
    attempts: tuple[AttemptResult, ...]
    route: str
    confidence: float | None
    """Of the route, 0 to 1; None if the router gave none."""
    usage: Usage | None
    cost: Cost | None
    info: ResponseInfo
    relayed: Relayed | None
    principal: str
    error: str
    """Class or code of the error; empty if there is none."""


def view(exchange: Exchange, outcome: Outcome, now: float) -> View:
    """Read an exchange.

    Args:
        exchange: At its end.
        outcome: How it ended.
        now: `time.perf_counter`.
    """
    state = exchange.state
    attempts, served = state.get(Attempts), state.get(Served)
    candidates, route, principal = state.get(Candidates), state.get(Route), state.get(Principal)
    results = tuple(attempts.results) if attempts else ()
    prefix = served.provider if served else results[-1].attempt.provider if results else ""
    row = providers.find(prefix)
    head = exchange.head_sent
    return View(
        status=outcome.status or CLIENT_CLOSED,
        seconds=now - exchange.clock_started,
        first_byte=head - exchange.clock_started if head is not None else None,
        upstream_seconds=sum(result.seconds for result in results),
        requested=candidates.requested if candidates else "",
        served=served.model if served else "",
        provider=(row.gen_ai or prefix) if row else prefix,
        attempts=results,
        route=route.name if route else "",
        confidence=route.confidence if route else None,
        usage=state.get(Usage),
        cost=state.get(Cost),
        info=state.get(ResponseInfo) or ResponseInfo(),
        relayed=state.get(Relayed),
        principal=principal.id if principal else "",
        error=_error(outcome),
    )


def _error(outcome: Outcome) -> str:
    if outcome.error is not None:
        return str(getattr(outcome.error, "code", type(outcome.error).__name__))
    if outcome.disconnected:
        return "client_disconnected"
    if outcome.status is not None and outcome.status >= 400:
        return str(outcome.status)
    return ""
