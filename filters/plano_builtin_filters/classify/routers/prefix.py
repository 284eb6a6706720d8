"""What the model has already read: its key-value cache for the beginnings of prompts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray


class Slab(Protocol):
    """Keys and values of some tokens."""

    @property
    def nbytes(self) -> int:
        """The memory it holds, in bytes."""

    def first(self, tokens: int) -> Self:
        """Return those of the first tokens; may share memory with this one."""

    def owned(self) -> Self:
        """Return one that shares no memory; itself, if it does not."""


SlabT = TypeVar("SlabT", bound=Slab)


@dataclass(frozen=True, slots=True)
class _Entry(Generic[SlabT]):
    tokens: NDArray[np.int64]
    slab: SlabT


class PrefixCache(Generic[SlabT]):
    """Slabs by key, up to so many bytes; the one that was not used for longest goes first.

    A key says where to look (a routing table, a session); what may be used is decided by the
    tokens, so that an outdated entry gives a shorter beginning, never a wrong one.

    Args:
        limit: Bytes. 0 keeps nothing.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.nbytes = 0
        self._entries: OrderedDict[Hashable, _Entry[SlabT]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._entries

    def put(self, key: Hashable, tokens: Sequence[int], slab: SlabT) -> bool:
        """Keep a slab in place of an older one; say whether it is kept. Too large is not."""
        self.drop(key)
        if slab.nbytes > self.limit:
            return False
        slab = slab.owned()
        self._entries[key] = _Entry(np.asarray(tokens, dtype=np.int64), slab)
        self.nbytes += slab.nbytes
        while self.nbytes > self.limit:
            self.drop(next(iter(self._entries)))
        return True

    def drop(self, key: Hashable) -> None:
        """Forget a slab, if it is there."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.nbytes -= entry.slab.nbytes

    def longest(self, keys: Iterable[Hashable], tokens: Sequence[int]) -> tuple[int, SlabT | None]:
        """Find the slab that shares the longest beginning with a prompt.

        The last token is never part of it: something must be left to read, to get an answer.

        Returns:
            How many tokens are shared, and the slab of just those; 0 and None if there is none.
        """
        prompt = np.asarray(tokens[:-1], dtype=np.int64)
        best, found = 0, None
        for key in keys:
            entry = self._entries.get(key)
            if entry is None:
                continue
            self._entries.move_to_end(key)
            shared = common(entry.tokens, prompt)
            if shared > best:
                best, found = shared, entry
        if found is None:
            return 0, None
        return best, found.slab if best == len(found.tokens) else found.slab.first(best)


def common(one: NDArray[np.int64], other: NDArray[np.int64]) -> int:
    """Count the tokens that two sequences begin with."""
    length = min(len(one), len(other))
    different = np.flatnonzero(one[:length] != other[:length])
    return int(different[0]) if len(different) else length
