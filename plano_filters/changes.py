"""What a hook changed of an exchange: facts, and parts of its request, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from plano_filters.errors import GatewayError
from plano_filters.exchange import Exchange
from plano_filters.facts import Candidates, Pin, Route
from plano_filters.messages import Request

_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a filter changed, by name. Values only of what chooses a model."""

    kind: Literal["fact", "field", "header", "request"]
    """`field`: of the body's JSON object."""
    name: str
    how: Literal["added", "changed", "removed"]
    before: object = None
    """JSON value of a fact that may be shown; None for what was not there, or is not shown."""
    after: object = None


class Before:
    """An exchange as it was before a hook.

    Args:
        exchange: Not changed yet.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._facts = _facts(exchange)
        self._request = exchange.request.copy()

    def changes(self) -> Iterator[Change]:
        """Return what has changed since."""
        yield from _fact_changes(self._facts, _facts(self._exchange))
        yield from _request_changes(self._request, self._exchange.request)


def _facts(exchange: Exchange) -> dict[str, object]:
    return {type(one).__name__: one for one in exchange.state}


def _fact_changes(before: Mapping[str, object], after: Mapping[str, object]) -> list[Change]:
    """Say what became of the facts. What a filter of anyone's leaves is named, but not shown."""
    found: list[Change] = []
    for name, now in after.items():
        if name not in before:
            found.append(Change("fact", name, "added", None, _shown(now)))
        elif before[name] != now:
            found.append(Change("fact", name, "changed", _shown(before[name]), _shown(now)))
    return [*found, *(_gone(name, before[name]) for name in before if name not in after)]


def _gone(name: str, fact: object) -> Change:
    return Change("fact", name, "removed", _shown(fact))


def _shown(fact: object) -> object:
    match fact:
        case Candidates(models=models):
            return list(models)
        case Route(name=name, confidence=confidence):
            return {"name": name, "confidence": confidence}
        case Pin(model=model, route=route):
            return {"model": model, "route": route}
        case _:
            return None


def _request_changes(before: Request, now: Request) -> list[Change]:
    """Say what of the request was edited, by name alone: values may be prompts or credentials."""
    fields = _differences("field", _payload(before), _payload(now))
    if before.body != now.body and not fields:
        fields = [Change("request", "body", "changed")]
    lines = [
        Change("request", name, "changed")
        for name in ("method", "path", "query")
        if getattr(before, name) != getattr(now, name)
    ]
    return [*lines, *_differences("header", _headers(before), _headers(now)), *fields]


def _differences(
    kind: Literal["field", "header"], before: Mapping[str, object], now: Mapping[str, object]
) -> list[Change]:
    found: list[Change] = []
    for name in dict.fromkeys([*before, *now]):
        old, new = before.get(name, _MISSING), now.get(name, _MISSING)
        if old is _MISSING:
            found.append(Change(kind, name, "added"))
        elif new is _MISSING:
            found.append(Change(kind, name, "removed"))
        elif old != new:
            found.append(Change(kind, name, "changed"))
    return found


def _payload(request: Request) -> Mapping[str, object]:
    try:
        return request.payload
    except GatewayError:  # a filter left what is no JSON object
        return {}


def _headers(request: Request) -> Mapping[str, object]:
    found: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        found.setdefault(name, []).append(value)
    return found
