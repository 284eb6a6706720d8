"""Where personal data stands in a text. Every search takes time linear in the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

# The looks behind keep a search from starting anew at each letter of a long word.
_EMAIL: Final = re.compile(
    r"(?<![\w.%+'-])[\w.%+'-]{1,64}@(?:[^\W_](?:[\w-]{0,62})\.){1,8}[^\W\d_]{2,63}"
)
_PHONE: Final = re.compile(
    r"(?<![\w+])(?:\+|00)[1-9](?:[ .()/-]{0,2}\d){6,14}(?!\d)"  # international
    r"|(?<![\w.+-])(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])"  # North America
)
_DIGITS: Final = re.compile(r"(?<!\d)\d{3,19}(?:[ -]\d{3,19})*(?!\d)")
"""Groups of digits, in which a card number may stand."""
_GROUP: Final = re.compile(r"\d+")
_ISSUERS: Final = "23456"
"""First digits of payment cards; no other stands on one in a wallet."""
_CARD_DIGITS: Final = range(13, 20)
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Found:
    """One piece of personal data in a text."""

    start: int
    end: int
    kind: str
    """As placeholders name it."""


class Finder:
    """Finds the kinds of data that are to be hidden.

    Args:
        kinds: Of the built-in ones.
        patterns: More of them: name and regular expression.
    """

    def __init__(self, kinds: Sequence[str], patterns: Mapping[str, str]) -> None:
        self._searches: list[tuple[str, Callable[[str], Iterable[Span]]]] = [
            (name, _spans(re.compile(text))) for name, text in patterns.items()
        ]
        # Cards before phones: both are digits, and what passes Luhn's check is rarely a phone.
        built_in = (("EMAIL", _spans(_EMAIL)), ("CARD", cards), ("PHONE", _spans(_PHONE)))
        self._searches += [(name, search) for name, search in built_in if name in kinds]

    def find(self, text: str) -> list[Found]:
        """Return what stands in a text, in order; where two overlap, the earlier kind."""
        taken: list[Found] = []
        for kind, search in self._searches:
            free = [
                Found(start, end, kind)
                for start, end in search(text)
                if end > start and all(end <= one.start or one.end <= start for one in taken)
            ]
            taken += free
        return sorted(taken, key=lambda one: one.start)


def _spans(pattern: re.Pattern[str]) -> Callable[[str], Iterable[Span]]:
    return lambda text: (found.span() for found in pattern.finditer(text))


def cards(text: str) -> Iterator[Span]:
    """Yield where card numbers stand: 13 to 19 digits that pass Luhn's check.

    They may be written in groups, and other numbers may stand beside them.
    """
    for run in _DIGITS.finditer(text):
        groups = [found.span() for found in _GROUP.finditer(text, *run.span())]
        first = 0
        while first < len(groups):
            last = _card_end(text, groups, first)
            if last is None:
                first += 1
                continue
            yield groups[first][0], groups[last][1]
            first = last + 1


def _card_end(text: str, groups: Sequence[Span], first: int) -> int | None:
    """Return the last group of the longest card number that begins with a group."""
    digits, longest = "", None
    for last in range(first, len(groups)):
        digits += text[slice(*groups[last])]
        if len(digits) >= _CARD_DIGITS.stop:
            break
        if len(digits) in _CARD_DIGITS and digits[0] in _ISSUERS and luhn(digits):
            longest = last
    return longest


def luhn(digits: str) -> bool:
    """Say whether the last digit checks the others. Source: ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
