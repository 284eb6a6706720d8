"""The gateway's own latencies: means and percentiles in which the new weighs more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.rerank.measured import MOST, Measured, percentile
from plano_filters import Attempt, AttemptResult, Attempts
from plano_filters.testing import FakeClock

SECONDS = st.floats(min_value=0.001, max_value=100)


def result(seconds: float, status: int | None = 200, error: str | None = None) -> AttemptResult:
    return AttemptResult(Attempt(1, "p/a", "p"), status, error, 0.0, seconds)


def found(measured: Measured, statistic: str = "ewma", least: float = 1) -> float | None:
    return measured.find(
        "p/a",
        streamed=True,
        statistic=statistic,  # type: ignore[arg-type] # a literal, in the tests below
        min_samples=least,
    )


async def test_too_few_measurements_are_none() -> None:
    """A model's time is known after `min_samples`, and no longer known when they have faded."""
    clock = FakeClock()
    measured = Measured(600, clock)
    for _ in range(4):
        measured.enter("p/a", 1.0, streamed=True)
    assert found(measured, least=5) is None

    measured.enter("p/a", 1.0, streamed=True)
    assert found(measured, least=5) == 1.0

    await clock.sleep(600)
    assert found(measured, least=5) is None
    assert measured.samples("p/a", streamed=True) == pytest.approx(2.5)


async def test_the_new_weighs_more_than_the_old() -> None:
    """After a half-life a measurement counts half."""
    clock = FakeClock()
    measured = Measured(600, clock)
    measured.enter("p/a", 4.0, streamed=True)
    await clock.sleep(600)
    measured.enter("p/a", 1.0, streamed=True)

    assert found(measured) == pytest.approx((4 * 0.5 + 1) / 1.5)


def test_p95_is_what_95_of_100_stay_below() -> None:
    """And the mean is not."""
    measured = Measured(600, FakeClock())
    for tenths in range(1, 101):
        measured.enter("p/a", tenths / 10, streamed=True)

    assert found(measured, "p95") == 9.5
    assert found(measured) == pytest.approx(5.05)


async def test_an_old_outlier_fades_from_the_percentile() -> None:
    """A bad hour of the morning does not rank a model in the evening."""
    clock = FakeClock()
    measured = Measured(60, clock)
    for _ in range(10):
        measured.enter("p/a", 30.0, streamed=True)
    await clock.sleep(600)
    for _ in range(10):
        measured.enter("p/a", 1.0, streamed=True)

    assert found(measured, "p95") == 1.0


def test_plain_and_streamed_answers_are_apart() -> None:
    """The first byte of a plain one comes when all is written."""
    measured = Measured(600, FakeClock())
    measured.enter("p/a", 9.0, streamed=False)

    assert found(measured) is None


@pytest.mark.parametrize(
    ("one", "seconds"),
    [
        (result(2.0), 2.0),
        (result(60.0, None, "timeout"), 60.0),
        (result(0.01, 429, "status"), None),
        (result(0.01, None, "connect"), None),
        (result(0.01, 400), None),
        (result(0.5, None, "CancelledError"), None),
    ],
)
def test_answers_and_time_outs_are_learned_from(one: AttemptResult, seconds: float | None) -> None:
    """A quick refusal does not make a model fast."""
    measured = Measured(600, FakeClock())
    measured.learn(Attempts([one]), streamed=True)

    assert found(measured) == seconds


def test_the_number_of_models_is_bounded() -> None:
    """Wildcards let clients ask for any name; the one not asked for the longest time is dropped."""
    measured = Measured(600, FakeClock())
    measured.enter("p/a", 1.0, streamed=True)
    for number in range(MOST):
        measured.enter(f"p/{number}", 1.0, streamed=True)

    assert found(measured) is None
    assert len(measured.shown()) == MOST


@given(st.lists(st.tuples(st.floats(0, 1e6), SECONDS), min_size=1, max_size=50))
def test_a_percentile_is_one_of_the_measurements(rows: list[tuple[float, float]]) -> None:
    """Whatever their ages, and the share of 1 is at least that of a half."""
    times = [seconds for _, seconds in rows]
    middle, top = percentile(rows, 0.5, 600), percentile(rows, 1.0, 600)

    assert middle in times
    assert top in times
    assert middle is not None
    assert top is not None
    assert middle <= top


def test_no_measurements_have_no_percentile() -> None:
    """Not 0."""
    assert percentile([], 0.95, 600) is None
