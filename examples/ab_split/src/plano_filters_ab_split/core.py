"""Who gets which arm: a pure function of names, weights and a key."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Final

_BITS: Final = 53
"""Of a hash; as many as a float can tell apart."""


def assign(experiment: str, weights: Mapping[str, float], key: str) -> str:
    """Return the arm of a key, by weighted rendezvous hashing.

    Each arm draws a number for the key, which depends on nothing but the experiment, the arm and
    the key, and divides it by its weight; the least wins. So a key has the same arm in every
    process and after every restart. An arm whose weight grows takes keys from the others and gives
    none away, one that is new only takes, and one that goes leaves the others' keys where they are.
    Only the ratio of weights counts.

    Args:
        experiment: Its name.
        weights: Of the arms, by name; at least one above 0.
        key: Whoever is to stay at one arm.
    """
    drawn = {
        arm: -math.log(_uniform(experiment, arm, key)) / weight
        for arm, weight in weights.items()
        if weight > 0
    }
    return min(drawn, key=lambda arm: (drawn[arm], arm))


def _uniform(*names: str) -> float:
    """Return a number between 0 and 1, both excluded, that looks random and never changes."""
    text = "".join(f"{len(name)}:{name}" for name in names)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return ((int.from_bytes(digest[:8]) >> (64 - _BITS)) + 0.5) / (1 << _BITS)


def reordered(models: tuple[str, ...], first: str) -> tuple[str, ...]:
    """Put a model in front of the others, which stay to fall back on."""
    return (first, *(model for model in models if model != first))
