"""What is kept of prompts that were read: never wrong, never too much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.classify.routers.prefix import PrefixCache, common

TOKENS = st.lists(st.integers(0, 2), max_size=8)


@dataclass(frozen=True)
class Slab:
    """Remembers its tokens, ten bytes for each."""

    tokens: tuple[int, ...]
    whole: bool = True

    @property
    def nbytes(self) -> int:
        """Return ten for each token."""
        return 10 * len(self.tokens)

    def first(self, tokens: int) -> Slab:
        """Return a part that shares memory."""
        return Slab(self.tokens[:tokens], whole=False)

    def owned(self) -> Slab:
        """Return one that does not."""
        return Slab(self.tokens)


@given(st.dictionaries(st.integers(0, 5), TOKENS), TOKENS.filter(len), st.integers(0, 300))
def test_what_is_found_is_the_longest_common_beginning(
    entries: dict[int, list[int]], prompt: list[int], limit: int
) -> None:
    """Of the entries that are kept and asked for, and less than the whole prompt."""
    cache: PrefixCache[Slab] = PrefixCache(limit)
    for key, tokens in entries.items():
        cache.put(key, tokens, Slab(tuple(tokens)))
    shared = [
        int(common(np.array(tokens, int), np.array(prompt[:-1], int)))
        for key, tokens in entries.items()
        if key in cache and key > 1
    ]

    length, slab = cache.longest(range(2, 6), prompt)

    assert length == max(shared, default=0) < len(prompt)
    assert slab is None if length == 0 else slab is not None
    if slab is not None:
        assert slab.tokens == tuple(prompt[:length])
    assert cache.nbytes <= limit


def test_the_one_not_used_for_longest_goes_first() -> None:
    """Being found is being used."""
    cache: PrefixCache[Slab] = PrefixCache(60)
    for key in "abc":
        cache.put(key, [1, ord(key)], Slab((1, ord(key))))
    cache.longest(["a"], [1, 2])

    cache.put("d", [4, 4], Slab((4, 4)))

    assert [key in cache for key in "abcd"] == [True, False, True, True]
    assert (len(cache), cache.nbytes) == (3, 60)


def test_a_new_slab_takes_the_place_of_the_old_one() -> None:
    """And its bytes: a conversation has one entry, however long it gets."""
    cache: PrefixCache[Slab] = PrefixCache(100)
    for length in range(1, 9):
        assert cache.put("session", [1] * length, Slab((1,) * length))

    assert (len(cache), cache.nbytes) == (1, 80)


@pytest.mark.parametrize("limit", [0, 29])
def test_a_slab_that_is_too_large_is_not_kept(limit: int) -> None:
    """It does not push the others out either, except the one it replaces."""
    cache: PrefixCache[Slab] = PrefixCache(limit)
    cache.put("small", [1], Slab((1,)))

    assert not cache.put("large", [1, 2, 3], Slab((1, 2, 3)))
    assert ("small" in cache, "large" in cache) == (limit > 0, False)


def test_a_kept_part_holds_no_more_memory_than_it_says() -> None:
    """A slice of a long cache would keep all of it alive."""
    cache: PrefixCache[Slab] = PrefixCache(100)
    cache.put("part", [1, 2], Slab((1, 2, 3, 4)).first(2))

    _, slab = cache.longest(["part"], [1, 2, 3])

    assert slab is not None
    assert slab.whole
