"""What a catalogue knows of a model, and by which names it knows it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from plano_filters import providers
from plano_filters.prices.rates import Rates

PER_TOKEN: Final = 0.01
"""USD. No model costs less for a million tokens, and none as much for one."""


@dataclass(frozen=True, slots=True)
class Ability:
    """What a model takes. None: not known."""

    images: bool | None = None
    tools: bool | None = None
    structured: bool | None = None
    """JSON schemas for the answer."""
    context: int | None = None
    """Tokens."""

    def filled(self, other: Ability) -> Ability:
        """Take from another what is not known here."""
        return Ability(
            self.images if self.images is not None else other.images,
            self.tools if self.tools is not None else other.tools,
            self.structured if self.structured is not None else other.structured,
            self.context if self.context is not None else other.context,
        )

    @property
    def refuses(self) -> bool:
        """Whether there is a kind of request that the model is known not to take."""
        return False in (self.images, self.tools, self.structured)


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a catalogue."""

    rates: Rates | None = None
    ability: Ability = Ability()


class Catalog:
    """Models by name.

    Args:
        models: By full name, by `lowercase(creator)/id` or by bare id.
    """

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._models = models

    def __len__(self) -> int:
        return len(self._models)

    def find(self, name: str) -> Model | None:
        """Return what is known of a declared model.

        Args:
            name: Full name, `provider/model-id`.
        """
        return next((self._models[one] for one in names(name) if one in self._models), None)


def names(full: str) -> list[str]:
    """Return what a catalogue may call a declared model, the best match first.

    The bare id counts only at providers that charge for it: what somebody else asks for a model
    says nothing of one that runs on a machine of yours.
    """
    prefix, _, model_id = full.partition("/")
    found = [full, f"{providers.canonical(prefix)}/{model_id}"]
    row = providers.find(prefix)
    if row is not None and row.needs_key:
        found.append(model_id)
    return found


def number(value: object) -> float | None:
    """Read a rate or a time: finite and not negative, or None. Decimal texts count."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) and read >= 0 else None


def rates(
    input_rate: object,
    output_rate: object,
    cache_read: object = None,
    cache_write: object = None,
    cache_write_1h: object = None,
    *,
    free: bool = False,
) -> Rates | None:
    """Read rates; None unless both first ones are there.

    Args:
        input_rate: And the others as they stand in a document.
        free: Believe a price of 0. A catalogue writes it where it does not know one.
    """
    per_input, per_output = number(input_rate), number(output_rate)
    if per_input is None or per_output is None:
        return None
    cached, written, kept = number(cache_read), number(cache_write), number(cache_write_1h)
    made = Rates(per_input, per_output, cached, written, kept)
    return made if math.isfinite(made.total) and (made.total > 0 or free) else None


def per_million(published: Iterable[Rates]) -> float:
    """Return what to multiply the rates of a document by, so that they are per million tokens.

    Catalogues that name their fields `per_million` publish USD per token. Told apart by all rates
    together: one rate alone may be small.
    """
    known = [rate for one in published for rate in (one.input, one.output) if rate > 0]
    return 1e6 if known and max(known) < PER_TOKEN else 1.0


def scaled(models: Mapping[str, Model]) -> dict[str, Model]:
    """Return models whose rates are per million tokens, whatever they were."""
    factor = per_million(one.rates for one in models.values() if one.rates)
    if factor == 1:
        return dict(models)
    return {
        name: Model(one.rates.times(factor) if one.rates else None, one.ability)
        for name, one in models.items()
    }


def context(value: object) -> int | None:
    """Read a context length; None if it is not one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def flag(value: object) -> bool | None:
    """Read a yes or no; None if it is neither."""
    return value if isinstance(value, bool) else None
