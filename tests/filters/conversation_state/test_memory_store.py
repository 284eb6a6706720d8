"""Responses in memory: found until their time is over, and never too many or too much."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.conversation_state.memory_store import OVERHEAD, MemoryStore
from plano_filters.testing import FakeClock


async def test_what_was_not_used_for_the_longest_time_goes_first() -> None:
    """A look counts as use."""
    store = MemoryStore(FakeClock(), 2, 10_000)
    async with store.lifespan():
        await store.put("a", b"1", 60)
        await store.put("b", b"2", 60)
        assert await store.get("a") == b"1"
        await store.put("c", b"3", 60)

        assert [await store.get(key) for key in "abc"] == [b"1", None, b"3"]


async def test_what_is_over_is_not_held_until_somebody_asks() -> None:
    """Prompts do not outlive their time in memory because nobody comes back."""
    clock = FakeClock()
    store = MemoryStore(clock, 100, 10_000)
    await store.put("old", b"x" * 100, 60)
    await clock.sleep(60)
    assert await store.get("other") is None

    assert (len(store), store.size) == (0, 0)


async def test_the_bytes_are_bounded() -> None:
    """By what values take, and what an entry takes beside."""
    store = MemoryStore(FakeClock(), 100, 3 * (1000 + OVERHEAD))
    for key in "abcd":
        await store.put(key, b"x" * 1000, 60)

    assert [await store.get(key) is not None for key in "abcd"] == [False, True, True, True]
    store.resize(100, 1000 + OVERHEAD)
    assert len(store) == 1


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "get", "sleep"]), st.integers(0, 6), st.integers(0, 300)),
    max_size=60,
)


@given(STEPS, st.integers(1, 5), st.integers(300, 3000))
def test_whatever_happens_it_holds_what_it_may_and_nothing_that_is_over(
    steps: list[tuple[str, int, int]], entries: int, size: int
) -> None:
    """And what it returns is what was put last, while its time lasts."""
    clock = FakeClock()
    store = MemoryStore(clock, entries, size)
    put: dict[str, tuple[bytes, float]] = {}

    async def play() -> None:
        for step, number, amount in steps:
            key = str(number)
            if step == "sleep":
                await clock.sleep(amount)
            elif step == "put":
                value = b"%d" % amount + b"x" * amount
                await store.put(key, value, amount)
                put[key] = value, clock.now() + amount
            found = await store.get(key)
            value, until = put.get(key, (b"", 0.0))
            assert found is None or (found == value and clock.now() < until)
            held = [put[one] for one in store._kept]
            assert store.size == sum(len(value) + OVERHEAD for value, _ in held)
            assert len(store) <= entries
            assert store.size <= size or len(store) == 1
            assert all(until > clock.now() for _, until in held)
            assert len(store._ends) <= 2 * len(store) + OVERHEAD + 1

    asyncio.run(play())


async def test_a_key_that_is_written_again_and_again_leaves_nothing_behind() -> None:
    """The list of ends does not grow for ever."""
    store = MemoryStore(FakeClock(), 10, 10_000)
    for _ in range(5000):
        await store.put("same", b"x", 60)

    assert len(store._ends) <= OVERHEAD + 2
    assert store.size == 1 + OVERHEAD
