"""Who gets which arm: stable, by weight, and moving only what must move."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters_ab_split.core import assign, reordered

NAMES = st.text(min_size=1, max_size=8)
WEIGHTS = st.floats(0, 1000, allow_subnormal=False)
SPLITS = st.dictionaries(NAMES, WEIGHTS, min_size=1, max_size=6).filter(
    lambda weights: any(weight > 0 for weight in weights.values())
)
KEYS = [f"user-{number}" for number in range(60)]


@pytest.mark.parametrize(
    ("key", "arm"),
    [("user-1", "b"), ("user-2", "a"), ("user-3", "b"), ("ann", "a"), ("Grüße 🦊", "b")],
)
def test_an_assignment_is_for_ever(key: str, arm: str) -> None:
    """In every process, release and machine: a change here moves everybody, and must be said."""
    assert assign("exp", {"a": 1, "b": 1}, key) == arm


@given(SPLITS, NAMES, st.text())
def test_the_order_of_arms_and_the_scale_of_weights_do_not_matter(
    weights: dict[str, float], experiment: str, key: str
) -> None:
    """Only names and ratios do."""
    turned = {arm: weight * 4 for arm, weight in reversed(weights.items())}

    assert assign(experiment, weights, key) == assign(experiment, turned, key)


@given(SPLITS, st.data(), st.floats(1, 100))
def test_an_arm_that_grows_only_takes(
    weights: dict[str, float], data: st.DataObject, factor: float
) -> None:
    """Nobody moves between the others, and nobody leaves it."""
    arm = data.draw(st.sampled_from(sorted(weights)))
    grown = {**weights, arm: weights[arm] * factor}
    for key in KEYS:
        before, after = assign("exp", weights, key), assign("exp", grown, key)

        assert after in (before, arm)


@given(SPLITS, NAMES, st.floats(0.1, 1000))
def test_a_new_arm_only_takes(weights: dict[str, float], new: str, weight: float) -> None:
    """Whoever does not get it stays, and comes back when it goes."""
    weights.pop(new, None)
    if not any(weights.values()):
        return
    for key in KEYS:
        before, after = assign("exp", weights, key), assign("exp", {**weights, new: weight}, key)

        assert after in (before, new)


@given(SPLITS, st.text())
def test_a_weight_of_nothing_gets_nobody(weights: dict[str, float], key: str) -> None:
    """However many of them there are."""
    assert weights[assign("exp", weights, key)] > 0


def test_weights_are_shares() -> None:
    """Of ten thousand, within three standard deviations."""
    counts = Counter(assign("exp", {"a": 70, "b": 20, "c": 10}, f"user-{n}") for n in range(10_000))

    for arm, share in (("a", 0.7), ("b", 0.2), ("c", 0.1)):
        deviation = (10_000 * share * (1 - share)) ** 0.5
        assert abs(counts[arm] - 10_000 * share) < 3 * deviation


def test_experiments_are_independent() -> None:
    """Who is together in one is split in another as everybody is."""
    split = {"a": 1.0, "b": 1.0}
    together = [n for n in range(4000) if assign("one", split, f"user-{n}") == "a"]
    again = sum(assign("two", split, f"user-{n}") == "a" for n in together)

    assert abs(again / len(together) - 0.5) < 0.05


def test_names_do_not_run_into_one_another() -> None:
    """Experiment `ab` with arm `c` is not experiment `a` with arm `bc`."""
    keys = [f"user-{n}" for n in range(100)]
    one = [assign("ab", {"c": 1, "x": 1}, key) == "c" for key in keys]
    other = [assign("a", {"bc": 1, "x": 1}, key) == "bc" for key in keys]

    assert one != other


def test_the_others_stay_to_fall_back_on() -> None:
    """Each once, in their order."""
    assert reordered(("a", "b", "c"), "b") == ("b", "a", "c")
    assert reordered(("a",), "new") == ("new", "a")
