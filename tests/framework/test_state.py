"""Facts: written once, read by class, seen through from an attempt."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from plano_filters.state import FilterState


@dataclass(frozen=True)
class Colour:
    name: str


def test_a_fact_is_read_by_its_class() -> None:
    """What was put comes back under its class."""
    state = FilterState()
    state.put(Colour("red"))

    assert state[Colour].name == "red"


def test_a_fact_is_written_once() -> None:
    """A second author is an error; superseding is said aloud."""
    state = FilterState()
    state.put(Colour("red"))

    with pytest.raises(KeyError, match="already set"):
        state.put(Colour("blue"))

    state.replace(Colour("blue"))
    assert state[Colour].name == "blue"


def test_an_absent_fact_is_none_or_an_error() -> None:
    """`get` answers None, indexing raises, replacing needs something to replace."""
    state = FilterState()

    assert state.get(Colour) is None
    with pytest.raises(KeyError, match="not set"):
        state[Colour]
    with pytest.raises(KeyError, match="never put"):
        state.replace(Colour("red"))


def test_an_attempt_reads_through_and_keeps_its_own() -> None:
    """A child sees its parent's facts; its own stay its own; a replacement reaches the owner."""
    parent = FilterState()
    child = FilterState(parent)
    parent.put(Colour("red"))
    child.replace(Colour("green"))
    assert parent[Colour].name == "green"

    child.put(Colour("own"))
    assert (child[Colour].name, parent[Colour].name) == ("own", "green")


def test_a_fact_can_be_taken_back() -> None:
    """Then it is as if it had never been put; an attempt takes back what its exchange knows."""
    parent = FilterState()
    child = FilterState(parent)
    parent.put(Colour("red"))
    child.withdraw(Colour)
    assert parent.get(Colour) is None

    child.withdraw(Colour)
    child.put(Colour("own"))
    child.withdraw(Colour)
    assert child.get(Colour) is None
