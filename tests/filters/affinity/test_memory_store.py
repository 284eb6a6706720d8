"""Pins in the memory of a process: when they end, and which go first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.affinity.memory_store import MemoryStore, Pins
from plano_filters import Pin
from plano_filters.testing import FakeClock

A, B = Pin("a/a"), Pin("b/b", "code")


async def test_a_pin_is_kept_for_its_time() -> None:
    """Reading it does not make it last longer."""
    clock = FakeClock()
    store = MemoryStore(clock, 10)
    await store.put("s", B, 600)

    await clock.sleep(599)
    assert (await store.get("s")).record == B
    await clock.sleep(1)
    assert (await store.get("s")).record is None
    assert len(store.pins) == 0


async def test_a_pin_is_replaced_and_dropped() -> None:
    """The newest counts; a dropped one is gone."""
    store = MemoryStore(FakeClock(), 10)
    await store.put("s", A, 5)
    await store.put("s", B, 5)

    assert (await store.get("s")).record == B
    await store.drop("s")
    await store.drop("s")
    assert (await store.get("s")).record is None


def test_the_least_used_goes_first() -> None:
    """A pin that is read stays; a smaller size takes effect at once."""
    pins = Pins(FakeClock(), 2)
    for name in ("one", "two"):
        pins.put(name, A, 5)
    pins.get("one")
    pins.put("three", A, 5)

    assert [name for name in ("one", "two", "three") if pins.get(name)] == ["one", "three"]
    pins.resize(1)
    assert [name for name in ("one", "three") if pins.get(name)] == ["three"]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5), st.integers(0, 3))))
def test_no_schedule_keeps_too_many(steps: list[tuple[int, int, int]]) -> None:
    """Never more than it may hold, and never a pin whose time is over."""
    clock = FakeClock(0)
    pins = Pins(clock, 3)
    ends: dict[str, float] = {}
    for key, ttl, waits in steps:
        clock._now += waits
        pins.put(str(key), Pin(f"m/{key}"), ttl)
        ends[str(key)] = clock.now() + ttl

        assert len(pins) <= 3
        for name, end in ends.items():
            found = pins.get(name)
            assert found is None or (found[0] == Pin(f"m/{name}") and clock.now() < end)
