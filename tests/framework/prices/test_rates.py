"""The price of an answer: each token once, at its own rate."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters import Usage
from plano_filters.prices import Rates, cost
from plano_filters.prices.rates import FREE, Tier

PLAIN = Rates(3, 15)
SONNET = Rates(3, 15, 0.3, 3.75, 6)


@pytest.mark.parametrize(
    ("usage", "rates", "micro"),
    [
        # Plano's own vector: 100 uncached, 30 cached, 20 written; no rates for the latter two
        (Usage(150, 0, 30, 20), PLAIN, 369),
        (Usage(150, 10, 30, 20), PLAIN, 519),
        (Usage(150, 10, 30, 20), SONNET, 300 + 9 + 75 + 150),
        (Usage(150, 10, 30, 20, 4), SONNET, 300 + 9 + 75 + 150),  # reasoning is output already
        (Usage(150, 10, 30, 20, None, 20), SONNET, 300 + 9 + 120 + 150),
        (Usage(150, 10, 30, 20, None, 20), PLAIN, 300 + 9 + 120 + 150),  # an hour: twice the input
        (Usage(150, 10, 30, 20, None, 5), SONNET, 300 + 9 + 15 * 3.75 + 5 * 6 + 150),
        (Usage(7, None), Rates(0.02, 0), 0.14),  # embeddings have no output
        (Usage(0, 0), PLAIN, 0),
        (Usage(1000, 1000, 500, 500), FREE, 0),
        # reports that contradict themselves: no more cached tokens than there are tokens
        (Usage(10, 0, 30, 20), PLAIN, 3),
        (Usage(10, 0, 4, 20, None, 30), Rates(3, 15, 1, 2, 5), 4 + 6 * 5),
    ],
)
def test_cost(usage: Usage, rates: Rates, micro: float) -> None:
    """In millionths of a dollar."""
    found = cost(usage, rates)

    assert found == pytest.approx(micro / 1e6)


LONG = Rates(2, 12, 0.2, long=(Tier(200, Rates(4, 18, 0.4)), Tier(300, Rates(8, 20))))


@pytest.mark.parametrize(
    ("given", "cached", "micro"),
    [
        (200, 0, 400 + 12),
        (201, 0, 804 + 18),  # all tokens, not only the excess
        (201, 200, 4 + 80 + 18),  # cached ones make a prompt long, too
        (301, 0, 2408 + 20),
    ],
)
def test_long_prompts_have_rates_of_their_own(given: int, cached: int, micro: float) -> None:
    """As providers charge them: by the length of the whole prompt."""
    assert cost(Usage(given, 1, cached), LONG) == pytest.approx(micro / 1e6)
    assert cost(Usage(given, 1, cached), LONG.times(2)) == pytest.approx(2 * micro / 1e6)


@pytest.mark.parametrize("usage", [Usage(), Usage(10), Usage(None, 10), Usage(cached_tokens=4)])
def test_a_missing_count_that_would_cost_something_makes_it_unknown(usage: Usage) -> None:
    """It is not 0; only where tokens are free does their number not matter."""
    assert cost(usage, PLAIN) is None
    assert cost(usage, FREE) == 0


COUNT = st.integers(0, 10**9)
RATE = st.floats(0, 1e4)
RATES = st.builds(Rates, RATE, RATE, *(st.none() | RATE,) * 3)
USAGE = st.builds(Usage, COUNT, COUNT, *(st.none() | COUNT,) * 4)


def priced(usage: Usage, rates: Rates) -> float:
    found = cost(usage, rates)
    assert found is not None
    return found


def at_most(less: float, more: float) -> bool:
    return less <= more or math.isclose(less, more, rel_tol=1e-9, abs_tol=1e-12)


@given(USAGE, RATES, COUNT, COUNT)
def test_more_tokens_never_cost_less(usage: Usage, rates: Rates, given_: int, made: int) -> None:
    """Of fresh input and of output, other counts being equal."""
    more = Usage(
        (usage.input_tokens or 0) + given_,
        (usage.output_tokens or 0) + made,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        usage.cache_write_1h_tokens,
    )

    # With contradictory counts, more input may only mean that more of it was cached.
    if (usage.cached_tokens or 0) + (usage.cache_write_tokens or 0) <= (usage.input_tokens or 0):
        assert at_most(priced(usage, rates), priced(more, rates))


@given(USAGE, RATES)
def test_no_token_is_counted_twice(usage: Usage, rates: Rates) -> None:
    """The cost is at most that of every token at its dearest rate, and never negative."""
    dearest = max(
        rates.input * 2, rates.cache_read or 0, rates.cache_write or 0, rates.cache_write_1h or 0
    )
    most = (usage.input_tokens or 0) * dearest + (usage.output_tokens or 0) * rates.output

    assert at_most(0, priced(usage, rates))
    assert at_most(priced(usage, rates), most / 1e6)


@given(COUNT, COUNT, COUNT, RATES)
def test_a_cached_token_is_never_dearer_where_its_rate_is_lower(
    input_tokens: int, output: int, cached: int, rates: Rates
) -> None:
    """Nor where its rate is not known."""
    if rates.cache_read is None or rates.cache_read <= rates.input:
        cold, warm = Usage(input_tokens, output), Usage(input_tokens, output, cached)

        assert at_most(priced(warm, rates), priced(cold, rates))


@given(USAGE, RATES, COUNT)
def test_reasoning_costs_nothing_more(usage: Usage, rates: Rates, reasoning: int) -> None:
    """It is part of the output."""
    told = Usage(
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        reasoning,
        usage.cache_write_1h_tokens,
    )

    assert priced(told, rates) == priced(usage, rates)


@given(RATES, st.sampled_from([1.0, 1e6, 0.5]))
def test_rates_keep_what_is_unknown_in_another_unit(rates: Rates, factor: float) -> None:
    """What is not said stays so."""
    scaled = rates.times(factor)

    assert scaled.input == rates.input * factor
    assert (scaled.cache_read is None) == (rates.cache_read is None)
    assert (scaled.cache_write_1h is None) == (rates.cache_write_1h is None)
