"""What follows a failed try, as tables and as laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.upstream.core import (
    SHORTEST_TRY,
    Failure,
    Kind,
    Policy,
    Step,
    after,
    retry_after,
    retryable,
)

POLICY = Policy(attempts=2, backoff_base=0.025, backoff_cap=0.25, retry_after_cap=2.0)
NOW = 784111777.0
"""Sun, 06 Nov 1994 08:49:37 GMT."""


def status(code: int, wait: float | None = None, *, quota: bool = False) -> Failure:
    return Failure("status", code, wait, quota)


@pytest.mark.parametrize(
    ("failure", "tries", "more", "step"),
    [
        (status(429), 1, True, Step("again", 0.0125)),
        (status(500), 1, True, Step("again", 0.0125)),
        (status(529), 1, True, Step("again", 0.0125)),
        (status(500), 2, True, Step("next")),
        (status(500), 2, False, Step("stop")),
        (status(408), 1, True, Step("again", 0.0125)),
        (status(409), 1, True, Step("again", 0.0125)),
        (status(400), 1, True, Step("stop")),
        (status(401), 1, True, Step("stop")),
        (status(404), 1, True, Step("stop")),
        (status(422), 1, True, Step("stop")),
        (status(302), 1, True, Step("stop")),
        (status(429, 0.2), 1, True, Step("again", 0.2)),  # waits what it is asked to
        (status(429, 2.0), 1, True, Step("again", 2.0)),  # the cap itself
        (status(429, 2.1), 1, True, Step("next")),  # too long
        (status(429, 30.0), 1, False, Step("stop")),
        (status(429, 0.2), 2, True, Step("next")),
        (status(429, quota=True), 1, True, Step("next")),
        (status(429, 0.1, quota=True), 1, False, Step("stop")),
        (Failure("connect"), 1, True, Step("again", 0.0125)),
        (Failure("dns"), 2, True, Step("next")),
        (Failure("tls"), 2, False, Step("stop")),
        (Failure("timeout"), 1, True, Step("again", 0.0125)),
        (Failure("reset"), 1, True, Step("again", 0.0125)),
        (Failure("stream", 200), 1, True, Step("again", 0.0125)),
    ],
)
def test_after(failure: Failure, tries: int, more: bool, step: Step) -> None:
    """Every kind of failure leads where the documentation says."""
    assert after(failure, tries, POLICY, more=more, chance=0.5, remaining=300.0) == step


@pytest.mark.parametrize(
    ("tries", "longest"), [(1, 0.025), (2, 0.05), (3, 0.1), (4, 0.2), (5, 0.25), (60, 0.25)]
)
def test_backoff_doubles_up_to_its_cap(tries: int, longest: float) -> None:
    """The longest wait doubles with each try until the cap."""
    patient = Policy(attempts=100)

    step = after(status(500), tries, patient, more=True, chance=1.0, remaining=300.0)

    assert step.action == "again"
    assert step.wait == pytest.approx(longest)


@pytest.mark.parametrize("kind", ["connect", "dns", "tls"])
def test_an_unreachable_provider_is_tried_twice_at_most(kind: Kind) -> None:
    """More attempts are for providers that answer; one that is not there is left sooner."""
    patient = Policy(attempts=5)

    steps = [
        after(Failure(kind), tries, patient, more=True, chance=0, remaining=300.0).action
        for tries in (1, 2)
    ]

    assert steps == ["again", "next"]


@pytest.mark.parametrize(
    ("failure", "remaining", "action"),
    [
        (status(500), 0.0, "stop"),  # the deadline is over: not even another candidate
        (status(500), -1.0, "stop"),
        (status(500), SHORTEST_TRY / 2, "stop"),
        (status(429, 1.0), 0.5, "next"),  # the wait does not fit, another candidate does
        (status(429, 1.0), 1.5, "again"),
    ],
)
def test_the_deadline_bounds_waits_and_tries(
    failure: Failure, remaining: float, action: str
) -> None:
    """No wait goes past the deadline of the exchange, and no try begins after it."""
    step = after(failure, 1, POLICY, more=True, chance=0.5, remaining=remaining)

    assert step.action == action


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after": "9", "retry-after-ms": "250"}, 0.25),  # the more precise one
        ({"retry-after": "9", "retry-after-ms": "soon"}, 9.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:40 GMT"}, 3.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:30 GMT"}, 0.0),  # over already
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Sun, 99 Nov 99999 08:49:30 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds and dates are understood, and nonsense is no answer."""
    assert retry_after(headers, NOW) == seconds


failures = st.builds(
    Failure,
    st.sampled_from(["connect", "dns", "tls", "timeout", "reset", "status", "stream"]),
    st.integers(300, 599),
    st.none() | st.floats(0, 100),
    st.booleans(),
)
policies = st.builds(Policy, st.integers(1, 10), st.floats(0, 1), st.floats(0, 5), st.floats(0, 10))


@given(failures, policies, st.integers(1, 5), st.floats(0, 1), st.floats(0.1, 100))
def test_tries_are_bounded_and_waits_fit(
    failure: Failure, policy: Policy, candidates: int, chance: float, deadline: float
) -> None:
    """However a provider fails, tries are at most attempts x candidates, within the deadline."""
    made, waited, left, tries = 0, 0.0, candidates, 0
    while left:
        made, tries = made + 1, tries + 1
        step = after(
            failure, tries, policy, more=left > 1, chance=chance, remaining=deadline - waited
        )
        waited += step.wait
        if step.action == "stop":
            break
        if step.action == "next":
            left, tries = left - 1, 0

    assert made <= policy.attempts * candidates
    assert waited <= deadline


@given(st.integers(300, 499), policies, st.integers(1, 10), st.booleans())
def test_a_final_status_is_never_tried_again(
    code: int, policy: Policy, tries: int, more: bool
) -> None:
    """What the request or the configuration is to blame for is answered, not repeated."""
    failure = status(code)
    step = after(failure, tries, policy, more=more, chance=0.5, remaining=100.0)

    assert retryable(failure) == (code in (408, 409, 429))
    assert retryable(failure) or step == Step("stop")
