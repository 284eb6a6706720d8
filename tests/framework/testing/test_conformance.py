"""The conformance kit finds what is broken, by name, and nothing in what is not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from plano_filters import Exchange, Filter
from plano_filters.testing import conformance, make_exchange
from tests.framework.testing.broken import BROKEN, Good, GoodConfig, Undocumented
from tests.framework.testing.good import GOOD

CONFIG = {"key": "sk-test-0123456789"}


class OwnFact:
    """A fact that only its filter's author knows."""


class NeedsOwnFact(Filter[Any]):
    """Read a fact that the kit has no example of."""

    config_type = GoodConfig
    requires = (OwnFact,)

    async def on_request(self, exchange: Exchange) -> None:
        exchange.decide(type(exchange.state[OwnFact]).__name__)


test_the_checks_as_tests = conformance.tests(Good, CONFIG)


@pytest.mark.parametrize("kind", [Good, *GOOD], ids=lambda kind: kind.__name__)
def test_a_good_filter_passes(kind: type[Filter[Any]]) -> None:
    """With every check, be it in the middle of a chain or at its end."""
    done = conformance.check(kind, CONFIG if kind is Good else None)

    assert done.failures == {}
    assert done.passed == tuple(conformance.CHECKS)
    assert str(done) == f"{kind.__name__}: {len(conformance.CHECKS)} checks passed"


@pytest.mark.parametrize(
    ("kind", "name"),
    BROKEN.items(),
    ids=lambda one: str(one.__name__ if isinstance(one, type) else one),
)
def test_a_broken_filter_is_caught_by_name(kind: type[Filter[Any]], name: str) -> None:
    """Each fault is found by the check that is there for it."""
    done = conformance.check(kind, CONFIG)

    assert name in done.failures


def test_every_check_has_a_fault_that_it_catches() -> None:
    """A check that nothing can fail would prove nothing."""
    assert set(BROKEN.values()) == set(conformance.CHECKS)


def test_failures_are_told_with_what_to_do() -> None:
    """By name, a line each."""
    done = conformance.check(Undocumented, CONFIG)

    with pytest.raises(AssertionError, match="says_what_it_does: the docstring of Undocumented"):
        done.raise_failures()


async def test_it_works_inside_a_running_loop() -> None:
    """An async test may call it like any other."""
    conformance.check(Good, CONFIG).raise_failures()


def test_a_check_can_be_left_out_on_purpose() -> None:
    """By its name; a name that does not exist is refused, with those that do."""
    done = conformance.check(Undocumented, CONFIG, skip={"says_what_it_does"})

    assert done.failures == {}
    assert "says_what_it_does" not in done.passed
    with pytest.raises(ValueError, match="no check is called says_what"):
        conformance.check(Good, CONFIG, skip={"says_what"})


def test_a_config_that_is_wrong_is_no_finding() -> None:
    """It is the test's own mistake, and told at once."""
    with pytest.raises(ValidationError):
        conformance.tests(Good, {"words": -1})


def test_facts_without_an_example_are_asked_for() -> None:
    """And used when they are given."""
    with pytest.raises(ValueError, match="requires OwnFact; give an example in facts="):
        conformance.check(NeedsOwnFact, CONFIG)

    conformance.check(NeedsOwnFact, CONFIG, facts=[OwnFact()]).raise_failures()


def test_exchanges_of_ones_own_are_used() -> None:
    """A filter that lets few things through gets what it lets through."""

    def odd() -> list[Exchange]:
        return [make_exchange({"model": "m", "messages": [], "n": number}) for number in range(2)]

    conformance.check(Good, CONFIG, exchanges=odd).raise_failures()
    conformance.check(Good, CONFIG, exchanges=lambda: odd()[:1]).raise_failures()


def test_a_credential_must_be_one_that_can_be_searched_for() -> None:
    """A single letter is everywhere; that is said instead of a false alarm."""
    done = conformance.check(Good, {"key": "k"})

    assert list(done.failures) == ["keeps_secrets"]
    assert "fewer than 8 characters" in done.failures["keeps_secrets"]
