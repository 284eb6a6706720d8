"""Values that filters leave for later filters, keyed by their class.

Like `http::Extensions` and Envoy's filter state, but typed: the class of a value is its key, so a
reader cannot misspell it and mypy knows what comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar, cast

T = TypeVar("T")


class FilterState:
    """The facts of one exchange. Each is written once, by one author.

    Args:
        parent: Facts to read through to. An attempt sees the facts of its exchange.
    """

    __slots__ = ("_parent", "_values")

    def __init__(self, parent: FilterState | None = None) -> None:
        self._values: dict[type, object] = {}
        self._parent = parent

    def __iter__(self) -> Iterator[object]:
        """Return the facts in the order they were first put, those of a parent aside."""
        return iter(tuple(self._values.values()))

    def put(self, value: object) -> None:
        """Leave a fact.

        Raises:
            KeyError: A value of this class is already set; use `replace` to supersede it.
        """
        kind = type(value)
        if kind in self._values:
            raise KeyError(f"{kind.__name__} is already set")
        self._values[kind] = value

    def replace(self, value: object) -> None:
        """Supersede a fact.

        Raises:
            KeyError: No value of this class was ever put.
        """
        kind = type(value)
        if kind in self._values:
            self._values[kind] = value
        elif self._parent is not None:
            self._parent.replace(value)
        else:
            raise KeyError(f"{kind.__name__} was never put")

    def withdraw(self, kind: type) -> None:
        """Take a fact back that turned out not to hold. One that is not there is none.

        A fact of the parent's is taken back there: an attempt speaks for its exchange.
        """
        if self._values.pop(kind, None) is None and self._parent is not None:
            self._parent.withdraw(kind)

    def get(self, kind: type[T]) -> T | None:
        """Return the fact of this class, or None."""
        value = self._values.get(kind)
        if value is None and self._parent is not None:
            return self._parent.get(kind)
        return cast("T | None", value)

    def __getitem__(self, kind: type[T]) -> T:
        """Return the fact of this class.

        Raises:
            KeyError: No filter has put one.
        """
        value = self.get(kind)
        if value is None:
            raise KeyError(f"{kind.__name__} is not set")
        return value
