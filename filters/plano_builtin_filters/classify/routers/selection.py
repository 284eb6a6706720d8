"""Which turns a router reads when a conversation is longer than its context.

Plano's rule: the newest first, at most 16; a user's turn that does not fit loses its middle.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from plano_builtin_filters.classify.conversation import LIMIT
from plano_builtin_filters.classify.routers.protocol import Turn

Count = Callable[[str], int]

GAP: Final = "…"
"""Stands for what was left out; one character, so that it costs a token at most or two."""
HEAD: Final = (3, 5)
"""The part of what is kept that comes from the beginning: people ask first and paste then."""
SHORTEST: Final = 4
"""Characters. Of less than that, a beginning and an end say nothing: the beginning alone stays."""
FURTHEST: Final = 16
"""Characters that a cut moves to spare a cluster. Text of nothing but marks has no good place."""
_JOINER: Final = "\u200d"


def estimate(text: str) -> int:
    """Estimate the tokens of a text as Plano does: its UTF-8 bytes, divided by 4."""
    return len(text.encode("utf-8", "surrogatepass")) // 4


def fit(
    turns: Sequence[Turn], budget: int, count: Count, *, limit: int = LIMIT
) -> tuple[Turn, ...]:
    """Choose the turns that fit into a budget, oldest first.

    The first turn that does not fit ends the choice; if it is the user's, or the last one of all,
    as much of it as fits is kept, less its middle.

    Args:
        turns: Oldest first.
        budget: Tokens for all of them.
        count: Returns what one turn's text costs, in tokens; may add what the prompt writes around
            it. Called with little more text than the budget holds, however long a turn is.
        limit: The most turns to keep.

    Returns:
        Turns whose costs add up to the budget at most. None if not even a character of the last
        one fits.
    """
    chosen: list[Turn] = []
    left = budget
    for turn in reversed(turns[-limit:] if limit > 0 else ()):
        text, cost = _longest(turn.text, left, count)
        whole = text == turn.text
        if not whole and chosen and turn.role != "user":
            break
        if text:
            chosen.append(turn if whole else replace(turn, text=text))
        if not whole:
            break
        left -= cost
    return tuple(reversed(chosen))


def trim(text: str, size: int) -> str:
    """Leave out the middle of a text.

    Args:
        text: Any text.
        size: Characters to keep, `GAP` not counted. Fewer are kept where a cut would part a letter
            from its accents, or the pieces of an emoji.
    """
    if size >= len(text):
        return text
    if size < SHORTEST:
        return text[: _cut(text, size, -1)]
    head = size * HEAD[0] // HEAD[1]
    tail = len(text) - (size - head)
    return text[: _cut(text, head, -1)] + GAP + text[_cut(text, tail, 1) :]


def _longest(text: str, budget: int, count: Count) -> tuple[str, int]:
    """Return the longest form of a text that fits, and what it costs; empty if none does.

    Doubles a guess before it halves an interval: the cost of a search depends on the budget and
    not on the text, which may be a thousand times longer.
    """
    low, best, cost = 0, "", 0
    high = max(budget, SHORTEST)
    while True:
        high = min(high, len(text))
        tried = trim(text, high)
        price = count(tried)
        if price > budget:
            break
        if high == len(text):
            return text, price
        low, best, cost = high, tried, price
        high *= 2
    while high - low > 1 and cost < budget:
        middle = (low + high) // 2
        tried = trim(text, middle)
        price = count(tried)
        if price > budget:
            high = middle
        else:
            low, best, cost = middle, tried, price
    return best, cost


def _cut(text: str, at: int, step: int) -> int:
    """Move a cut in one direction until it parts nothing that belongs together."""
    for moved in range(FURTHEST):
        place = at + step * moved
        if not 0 < place < len(text):
            return min(max(place, 0), len(text))
        if not _belongs(text[place - 1], text[place]):
            return place
    return at


def _belongs(before: str, after: str) -> bool:
    """Say whether two neighbours are parts of one thing: marks, joined emoji, surrogates."""
    if after.isascii():
        return False
    if _JOINER in (before, after) or "\U0001f3fb" <= after <= "\U0001f3ff":
        return True
    if "\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff":
        return True
    return unicodedata.category(after).startswith("M")
