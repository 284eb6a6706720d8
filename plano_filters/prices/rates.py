"""What tokens cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from plano_filters.facts import Usage

CACHED_SHARE: Final = 0.1
"""Of the input rate, for cached tokens whose rate is not said; what Plano takes."""
HOUR_FACTOR: Final = 2.0
"""Times the input rate, for tokens cached for an hour whose rate is not said. Anthropic's prices;
nobody else reports them."""


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens."""

    input: float
    output: float
    cache_read: float | None = None
    """Of prompt tokens that the provider had cached; None if it is not said."""
    cache_write: float | None = None
    """Of prompt tokens that it put into its cache; None if it is not said."""
    cache_write_1h: float | None = None
    """Of those that it keeps there for an hour; None if it is not said."""
    long: tuple[Tier, ...] = ()
    """What longer prompts cost, the shortest first."""

    @property
    def total(self) -> float:
        """What models are compared by: a million tokens in and a million out."""
        return self.input + self.output

    def at(self, tokens: int) -> Rates:
        """Return the rates for a prompt of so many tokens, cached ones included."""
        return next((one.rates for one in reversed(self.long) if tokens > one.above), self)

    def times(self, factor: float) -> Rates:
        """Return these rates in another unit."""

        def scaled(rate: float | None) -> float | None:
            return None if rate is None else rate * factor

        return Rates(
            self.input * factor,
            self.output * factor,
            scaled(self.cache_read),
            scaled(self.cache_write),
            scaled(self.cache_write_1h),
            tuple(Tier(one.above, one.rates.times(factor)) for one in self.long),
        )


@dataclass(frozen=True, slots=True)
class Tier:
    """The rates of long prompts. They hold for all tokens of such a request, not for the excess."""

    above: int
    """Prompt tokens; up to so many the lower rates hold."""
    rates: Rates


FREE: Final = Rates(0.0, 0.0, 0.0, 0.0, 0.0)


def cost(usage: Usage, rates: Rates) -> float | None:
    """Return what an answer cost in USD; None if a count is missing that would cost something.

    Each token is counted once: the input holds those read from the cache and those written into
    it, the output holds the reasoning. A cached token without a rate of its own costs a tenth of an
    input token, one that is written as much as an input token.

    Args:
        usage: The tokens of one answer.
        rates: Of the model that gave it.
    """
    rates = rates.at(usage.input_tokens or 0)
    given, made = _count(usage.input_tokens, rates.input), _count(usage.output_tokens, rates.output)
    if given is None or made is None:
        return None
    cached = min(usage.cached_tokens or 0, given)
    written = min(usage.cache_write_tokens or 0, given - cached)
    hour = min(usage.cache_write_1h_tokens or 0, written)
    dollars = (
        (given - cached - written) * rates.input
        + cached * _or(rates.cache_read, CACHED_SHARE * rates.input)
        + (written - hour) * _or(rates.cache_write, rates.input)
        + hour * _or(rates.cache_write_1h, HOUR_FACTOR * rates.input)
        + made * rates.output
    )
    return dollars / 1e6


def _count(tokens: int | None, rate: float) -> int | None:
    """Return a count; 0 for one that is missing but would cost nothing."""
    return 0 if tokens is None and rate == 0 else tokens


def _or(rate: float | None, otherwise: float) -> float:
    return otherwise if rate is None else rate
