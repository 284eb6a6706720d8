"""A filter under observation: which hooks ran, which facts were read and left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from plano_filters.exchange import Exchange
from plano_filters.filter import Filter
from plano_filters.state import FilterState

T = TypeVar("T")


@dataclass(slots=True)
class Notes:
    """What one filter did."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Exchange id and hook."""
    passed: set[str] = field(default_factory=set)
    """Ids of the exchanges whose `on_request` ended well, and without an answer of its own."""


class WatchedState(FilterState):
    """Facts that know who was asked for, left and superseded."""

    __slots__ = ("demanded", "left", "superseded")

    def __init__(self, before: FilterState, facts: Iterable[object] = ()) -> None:
        super().__init__(before)
        for fact in facts:
            super().put(fact)
        self.demanded: set[type] = set()
        """Read with `[]`."""
        self.left: list[type] = []
        """Put."""
        self.superseded: set[type] = set()

    def put(self, value: object) -> None:
        if self.get(type(value)) is not None:
            raise KeyError(f"{type(value).__name__} is already set")
        super().put(value)
        self.left.append(type(value))

    def replace(self, value: object) -> None:
        self.superseded.add(type(value))
        super().replace(value)

    def __getitem__(self, kind: type[T]) -> T:
        self.demanded.add(kind)
        return super().__getitem__(kind)


def observed(kind: type[Filter[Any]], notes: Notes) -> type[Filter[Any]]:
    """Return a subclass of a filter whose hooks are counted; those it does not have stay away."""
    hooks = ("on_request", "on_response", "on_complete")
    own = [hook for hook in hooks if getattr(kind, hook) is not getattr(Filter, hook)]
    namespace = {hook: _counted(getattr(kind, hook), hook, notes) for hook in own}
    return type(kind.__name__, (kind,), {**namespace, "__module__": kind.__module__})


def _counted(
    hook: Callable[..., Awaitable[Any]], name: str, notes: Notes
) -> Callable[..., Awaitable[Any]]:
    async def counted(self: Filter[Any], exchange: Exchange, *rest: Any) -> Any:
        notes.calls[exchange.id, name] += 1
        result = await hook(self, exchange, *rest)
        if name == "on_request" and result is None:
            notes.passed.add(exchange.id)
        return result

    return counted
