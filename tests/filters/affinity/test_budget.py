"""The switch budget, rule by rule, with numbers that can be checked by hand; and its laws."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.affinity import budget
from plano_builtin_filters.affinity.budget import Answer, Price, Verdict
from plano_builtin_filters.affinity.records import Binding, Visit

NOW = 10_000.0
A, B, C, FREE, UNKNOWN = "dear/a", "dear/b", "mid/c", "own/free", "new/unknown"
PRICES = {A: Price(10, 1), B: Price(20, 2), C: Price(4, 0.4), FREE: Price(0, 0)}
K = 100_000
"""Tokens of a prompt: reading it from A's cache costs 0.1 USD, letting C read it 0.4 USD."""
WARM = Binding(A, A, "auto", "code", "prefix", NOW - 10, K)


def judged(
    candidate: str, *, cap: float = 25, baseline: float = 0.0, spent: float = 0.0,
    binding: Binding = WARM, tokens: int = K,
) -> Verdict:  # fmt: skip
    """Weigh a candidate against what a session has in its accounts."""
    bound = replace(binding, baseline_usd=baseline, switch_spend_usd=spent)
    return budget.judge(bound, candidate, tokens, cap=cap, prices=PRICES.get, now=NOW)


@pytest.mark.parametrize(
    ("binding", "prefix", "seconds", "arrival"),
    [
        (None, "prefix", 0, "new"),
        (WARM, "prefix", 0, "warm"),
        (WARM, "prefix", 290, "warm"),  # 10 s ago, and 290 s later
        (WARM, "prefix", 291, "cold"),
        (WARM, "another", 0, "drifted"),
        (WARM, "another", 291, "cold"),
        (WARM, None, 0, "warm"),  # nothing is known of the prompt
        (replace(WARM, prefix_hash=None), "prefix", 0, "warm"),
        (WARM, "prefix", -3600, "warm"),  # the clock of another gateway is ahead
    ],
)
def test_how_a_session_comes(
    binding: Binding | None, prefix: str | None, seconds: float, arrival: str
) -> None:
    """Warm for 300 seconds, as long as its prompt begins as it did."""
    assert budget.arrival(binding, prefix, NOW + seconds) == arrival


@pytest.mark.parametrize(
    ("default", "tokens", "baseline"),
    [
        (A, K, 1.1),  # 100 000 at 1 USD a million
        (C, K, 1.04),
        (A, 0, 1.0),
        (FREE, K, 1.0),
        (UNKNOWN, K, 1.0),
    ],
)
def test_each_request_adds_what_the_default_model_would_have_cost(
    default: str, tokens: int, baseline: float
) -> None:
    """Read from its cache. A price that is not known adds nothing."""
    before = replace(WARM, default_model=default, baseline_usd=1.0)
    after = budget.accrue(before, tokens, PRICES.get)

    assert after.baseline_usd == pytest.approx(baseline)
    assert replace(after, baseline_usd=1.0) == before


VISITED = replace(WARM, history=(Visit(C, NOW - 300, 60_000),))
LONG_AGO = replace(WARM, history=(Visit(C, NOW - 301, 60_000),))
LONGER = replace(WARM, history=(Visit(C, NOW - 1, 10 * K),))


@pytest.mark.parametrize(
    ("verdict", "reason", "cost", "ceiling"),
    [
        # the anchor itself
        (judged(A), "same_anchor", None, None),
        (judged(UNKNOWN, binding=replace(WARM, anchor_model=UNKNOWN)), "same_anchor", None, None),
        # no price of the candidate, or of the anchor
        (judged(UNKNOWN), "no_pricing", None, None),
        (judged(A, binding=replace(WARM, anchor_model=UNKNOWN)), "no_pricing", None, None),
        # (100 000 x 4 - 100 000 x 1) / 1e6 = 0.3, and a quarter of the baseline
        (judged(C, baseline=1.2), "within_cap", 0.3, 0.3),
        (judged(C, baseline=1.19), "over_cap", 0.3, 0.2975),
        (judged(C, baseline=2.0, spent=0.2), "within_cap", 0.3, 0.5),
        (judged(C, baseline=2.0, spent=0.21), "over_cap", 0.3, 0.5),
        (judged(C, baseline=0.0), "over_cap", 0.3, 0.0),
        # nothing may be spent, everything may
        (judged(C, cap=0, baseline=1e6), "over_cap", 0.3, 0.0),
        (judged(C, cap=100, baseline=0.3), "within_cap", 0.3, 0.3),
        # it costs nothing, so nobody asks what was spent
        (judged(FREE, spent=99.0), "free", -0.1, None),
        (judged(C, tokens=0), "free", 0.0, None),
        (judged(C, binding=replace(WARM, anchor_model=B)), "over_cap", 0.2, 0.0),
        # C still has 60 000 in its cache: (60 000 x 0.4 + 40 000 x 4 - 100 000 x 1) / 1e6 = 0.084
        (judged(C, binding=VISITED, baseline=0.4), "within_cap", 0.084, 0.1),
        (judged(C, binding=LONG_AGO, baseline=0.4), "over_cap", 0.3, 0.1),
        # no more than there is to read: (100 000 x 0.4 - 100 000 x 1) / 1e6 = -0.06
        (judged(C, binding=LONGER), "free", -0.06, None),
        # of B: (100 000 x 20 - 100 000 x 1) / 1e6
        (judged(B, cap=50, baseline=3.8), "within_cap", 1.9, 1.9),
    ],
)
def test_whether_a_session_follows(
    verdict: Verdict, reason: str, cost: float | None, ceiling: float | None
) -> None:
    """Each rule, with its numbers."""
    assert verdict.reason == reason
    assert verdict.allowed is (reason != "over_cap")
    assert verdict.cost == (None if cost is None else pytest.approx(cost))
    assert verdict.ceiling == (None if ceiling is None else pytest.approx(ceiling))
    assert verdict.charge == (pytest.approx(cost) if reason == "within_cap" else 0.0)


@pytest.mark.parametrize(
    ("verdict", "baseline", "spent", "point"),
    [
        (judged(C, baseline=1.2), 1.2, 0.0, 25.0),  # 0.3 of 1.2
        (judged(C, baseline=2.0, spent=0.21), 2.0, 0.21, 25.5),
        (judged(C, baseline=0.2), 0.2, 0.0, None),  # more than all of it
        (judged(C, baseline=0.0), 0.0, 0.0, None),
        (judged(A), 1.0, 0.0, None),
        (judged(FREE), 1.0, 0.0, None),
        (judged(UNKNOWN), 1.0, 0.0, None),
    ],
)
def test_the_budget_from_which_on_a_session_follows(
    verdict: Verdict, baseline: float, spent: float, point: float | None
) -> None:
    """There is one where the budget decides, and it is large enough."""
    binding = replace(WARM, baseline_usd=baseline, switch_spend_usd=spent)
    found = budget.turning_point(binding, verdict)

    assert found == (None if point is None else pytest.approx(point))


SPENT = replace(
    WARM, baseline_usd=1.0, switch_spend_usd=0.5, switches=3, session_cost_usd=2.0,
    history=(Visit(C, NOW, 5),),
)  # fmt: skip
ANSWER = Answer(C, "chat", "auto", "prefix", 7, NOW)


@pytest.mark.parametrize(
    ("before", "replenish", "accounts"),
    [
        (None, True, (0.0, 0.0, 0.0)),
        (None, False, (0.0, 0.0, 0.0)),
        (SPENT, True, (0.0, 0.0, 2.0)),
        (SPENT, False, (1.0, 0.5, 2.0)),
    ],
)
def test_a_session_begins_anew(
    before: Binding | None, replenish: bool, accounts: tuple[float, ...]
) -> None:
    """At the model that served, which is its default one; with empty accounts, or the old ones."""
    bound = budget.begin(ANSWER, before, replenish=replenish)

    assert (bound.baseline_usd, bound.switch_spend_usd, bound.session_cost_usd) == accounts
    assert replace(bound, baseline_usd=0, switch_spend_usd=0, session_cost_usd=0) == Binding(
        C, C, "auto", "chat", "prefix", NOW, 7
    )


def test_a_session_moves_and_comes_back() -> None:
    """The model it leaves is remembered with what it had; the one it comes to is no longer left."""
    there = budget.follow(ANSWER, WARM, charge=0.3)
    assert there == replace(
        WARM, anchor_model=C, route_name="chat", last_used=NOW, cached_tokens=7,
        switch_spend_usd=0.3, switches=1, history=(Visit(A, NOW - 10, K),),
    )  # fmt: skip
    back = budget.follow(replace(ANSWER, model=A, now=NOW + 20), there, charge=0.0)

    assert (back.anchor_model, back.default_model, back.switches) == (A, A, 2)
    assert back.history == (Visit(C, NOW, 7),)


def test_a_session_stays() -> None:
    """Then only its time and its prompt are new."""
    after = budget.follow(replace(ANSWER, model=A, route="code"), WARM, charge=0.0)

    assert after == replace(WARM, last_used=NOW, cached_tokens=7)


def test_only_so_much_history() -> None:
    """Eight models, and none whose cache is cold."""
    visits = tuple(Visit(f"m/{n}", NOW - 40 * n, n) for n in range(12))
    after = budget.follow(ANSWER, replace(WARM, history=visits), charge=0.0)

    assert [one.model for one in after.history] == [A, *(f"m/{n}" for n in range(7))]


@pytest.mark.parametrize(
    ("model", "tokens", "cost", "expected"),
    [
        (A, 500, 0.25, (500, 1.25)),
        (A, None, 0.25, (K, 1.25)),
        (A, 500, None, (500, 1.0)),
        (C, 500, 0.25, (K, 1.25)),  # meanwhile the session has moved on
    ],
)
def test_what_a_provider_reports_is_entered(
    model: str, tokens: int | None, cost: float | None, expected: tuple[int, float]
) -> None:
    """The prompt it counted replaces the estimate, its answer adds to the costs."""
    after = budget.learn(replace(WARM, session_cost_usd=1.0), model, tokens, cost)

    assert (after.cached_tokens, after.session_cost_usd) == expected


MODELS = st.sampled_from([A, B, C, FREE, UNKNOWN])
STEPS = st.lists(
    st.tuples(MODELS, st.integers(0, 10**6), st.floats(0, 400)), min_size=1, max_size=40
)


@given(STEPS, st.floats(0, 100), st.booleans(), st.dictionaries(MODELS, st.builds(
    Price, st.floats(0, 100), st.floats(0, 100))))  # fmt: skip
def test_laws(
    steps: list[tuple[str, int, float]], cap: float, replenish: bool, prices: dict[str, Price]
) -> None:
    """However a session goes on: nothing is spent above the ceiling, the anchor costs nothing,
    a gain is never charged, a missing price stops nobody, and a session that may not move stays.
    """
    bound: Binding | None = None
    now = 0.0
    for candidate, tokens, seconds in steps:
        now += seconds
        answer = Answer(candidate, None, "auto", "p", tokens, now)
        if bound is None or budget.arrival(bound, "p", now) != "warm":
            bound = budget.begin(answer, bound, replenish=replenish)
            continue
        before = budget.accrue(bound, tokens, prices.get)
        assert before.baseline_usd >= bound.baseline_usd
        verdict = budget.judge(before, candidate, tokens, cap=cap, prices=prices.get, now=now)
        model = candidate if verdict.allowed else before.anchor_model
        after = budget.follow(replace(answer, model=model), before, charge=verdict.charge)

        charged = after.switch_spend_usd - before.switch_spend_usd
        if verdict.reason == "within_cap":
            assert verdict.cost is not None
            assert verdict.cost > 0
            assert after.switch_spend_usd <= cap / 100 * before.baseline_usd
        else:
            assert charged == 0
        if candidate == before.anchor_model:
            assert verdict == Verdict("same_anchor")
        elif prices.get(candidate) is None or prices.get(before.anchor_model) is None:
            assert verdict == Verdict("no_pricing")
        elif verdict.cost is not None and verdict.cost <= 0:
            assert verdict.reason == "free"
        assert after.anchor_model == model
        assert after.switches == before.switches + (model != before.anchor_model)
        assert all(one.model != model for one in after.history)
        bound = after
