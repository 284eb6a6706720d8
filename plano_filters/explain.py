"""What a chain would do with a request, and why: the chain that serves, without its terminal.

Request hooks run, on an exchange that says so (`dry_run`): no provider is asked, nothing is kept.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, TypeVar

from plano_filters.body import check
from plano_filters.chain import Chain, Link
from plano_filters.changes import Before, Change
from plano_filters.deciding import ID, ranked
from plano_filters.dialect import operation_for
from plano_filters.errors import GatewayError
from plano_filters.exchange import Action, Decision, Exchange, Outcome, Phase
from plano_filters.facts import Candidates, Pin, Route, SessionInfo
from plano_filters.messages import MutableHeaders, Request, Response
from plano_filters.refusal import request_id

DEFAULT_PATH: Final = "/v1/chat/completions"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """What one hook of a filter did to a request."""

    filter: str
    phase: Phase
    action: Action
    seconds: float
    decisions: tuple[Decision, ...]
    changes: tuple[Change, ...]
    error: str | None
    """Class of what it raised."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would have become of the request."""

    result: Literal["asked", "answered", "refused"]
    """A provider would be asked, a filter answers, or the request is refused."""
    models: tuple[str, ...] = ()
    """Candidates in the order they would be asked."""
    decision: tuple[str, ...] = ()
    """`models` of the decision endpoint's reply."""
    route: str | None = None
    confidence: float | None = None
    runner_up: str | None = None
    """The router's second answer."""
    pinned: bool = False
    """Whether its session came with a model."""
    status: int = 200
    by: str | None = None
    """The filter that answered or refused; None if the gateway did, before any filter."""
    code: str | None = None
    message: str | None = None
    """Of the error, if it is refused."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The way of one request through a chain."""

    path: str
    requested: str
    """The model that it names; empty if none."""
    chain: str
    steps: tuple[Step, ...]
    not_reached: tuple[str, ...]
    """Filters behind the one that answered or refused."""
    verdict: Verdict

    @property
    def otherwise(self) -> tuple[str, ...]:
        """What would have changed the outcome, as far as the filters can tell."""
        return tuple(
            f"{one.filter}: {text}"
            for step in self.steps
            for one in step.decisions
            for text in one.otherwise
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "otherwise": list(self.otherwise)}


def request_of(body: bytes, *, path: str = DEFAULT_PATH, headers: Mapping[str, str]) -> Request:
    """Make the request that is to be explained, as the gateway would read it.

    Raises:
        ValueError: A header cannot be sent.
    """
    given = MutableHeaders()
    for name, value in headers.items():
        if not name or not name.isascii() or not f"{name}{value}".isprintable():
            raise ValueError(f'"{name[:100]}" is no header with a value that can be sent')
        try:
            given[name.lower()] = value
        except UnicodeEncodeError:
            raise ValueError(f'the header "{name[:100]}" must be Latin-1') from None
    if "content-type" not in given:
        given["content-type"] = "application/json"
    return Request("POST", path, given, body)


async def explain(chain: Chain, request: Request) -> Explanation:
    """Take a request through the filters of a chain that runs, up to where a provider is asked."""
    operation = operation_for(request.path, request.headers)
    try:
        check(request, operation)
    except GatewayError as error:  # no filter would see it
        every = tuple(entry.id for entry in chain.links[:-1])
        return Explanation(request.path, "", str(chain), (), every, _refused(error))
    exchange = Exchange(request_id(request.headers), request, operation, dry_run=True)
    requested = request.model
    watch = _Watch(exchange)
    links = chain.deciding.links
    watched = Chain([watch.over(entry) for entry in links])
    response = await watched.run(exchange)
    reached = exchange.entered
    await watched.complete(exchange, Outcome(response.status, error=response.error))
    await _discard(response)
    return Explanation(
        request.path,
        requested,
        str(chain),
        watch.steps(),
        tuple(entry.id for entry in chain.links[reached:-1]),
        _verdict(exchange, response, links[reached - 1].id),
    )


class _Watch:
    """Notes what each filter does to an exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._seen: list[tuple[float, tuple[Decision, ...], tuple[Change, ...]]] = []

    def over(self, entry: Link) -> Link:
        """Return a link whose hooks on the way in are watched; its response hook does not run."""
        first, second = entry.on_request, entry.on_forward
        return replace(
            entry,
            on_request=first and self._watched(first),
            on_forward=second and self._watched(second),
            on_response=None,
        )

    def steps(self) -> tuple[Step, ...]:
        """Return what was noted, without the terminal's and late hooks that did nothing."""
        timings = [one for one in self._exchange.timings if one.phase in ("request", "forward")]
        return tuple(
            Step(one.filter, one.phase, one.action, seconds, decisions, changes, one.error)
            for one, (seconds, decisions, changes) in zip(timings, self._seen, strict=True)
            if one.filter != ID and (one.phase == "request" or one.error or decisions or changes)
        )

    def _watched(
        self, hook: Callable[[Exchange], Awaitable[T]]
    ) -> Callable[[Exchange], Awaitable[T]]:
        async def call(exchange: Exchange) -> T:
            before, told = Before(exchange), len(exchange.decisions)
            began = time.perf_counter()
            try:
                return await hook(exchange)
            finally:
                seconds = time.perf_counter() - began
                decisions = tuple(exchange.decisions[told:])
                self._seen.append((seconds, decisions, tuple(before.changes())))

        return call


def _verdict(exchange: Exchange, response: Response, last: str) -> Verdict:
    state, error = exchange.state, response.error
    route, candidates, session = state.get(Route), state.get(Candidates), state.get(SessionInfo)
    second = [one.data["runner_up"] for one in exchange.decisions if "runner_up" in one.data]
    found = Verdict(
        "asked",
        route=route.name if route else None,
        confidence=route.confidence if route else None,
        runner_up=second[-1] if second and isinstance(second[-1], str) else None,
        pinned=session is not None and session.pinned,
        status=response.status,
    )
    if error is not None:
        return replace(_refused(error), by=last, runner_up=found.runner_up)
    if last != ID:
        return replace(found, result="answered", by=last)
    models = candidates.models if candidates is not None else ()
    return replace(found, models=models, decision=tuple(ranked(candidates, route, state.get(Pin))))


def _refused(error: GatewayError) -> Verdict:
    return Verdict("refused", status=error.status, code=error.code, message=error.detail)


async def _discard(response: Response) -> None:
    close = getattr(response.body, "aclose", None)
    if close is not None:
        await close()
