"""What tokens cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens."""

    input: float
    output: float
    cache_read: float | None = None
    """Of prompt tokens that the provider had cached; None if it is not said."""
    cache_write: float | None = None
    """Of prompt tokens that it put into its cache; None if it is not said."""

    @property
    def total(self) -> float | None:
        """What models are compared by: a million tokens in and a million out.

        None if that is nothing: a price of 0 is how catalogues write that they do not know it.
        """
        total = self.input + self.output
        return total if total > 0 else None

    def times(self, factor: float) -> Rates:
        """Return these rates in another unit."""
        return Rates(
            self.input * factor,
            self.output * factor,
            None if self.cache_read is None else self.cache_read * factor,
            None if self.cache_write is None else self.cache_write * factor,
        )
