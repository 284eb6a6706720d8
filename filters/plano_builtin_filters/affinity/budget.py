"""What a session may spend on changing its model. Amounts are USD; time and prices are arguments.

A change costs: the new model has to read the whole prompt, and the old one had it in its cache.
What a session may spend on that is a share of what it would have paid for the cached prompt alone.

Source:
    Plano's switch budget. Its rules are the rows of the test's table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from plano_builtin_filters.affinity.records import HISTORY, Binding, Visit

WARM: Final = 300.0
"""Seconds without a request after which providers have dropped a prompt from their caches."""
MILLION: Final = 1e6

Arrival = Literal["new", "cold", "drifted", "warm"]
"""How a session comes: for the first time, after too long, with another beginning of its prompt,
or so that its prompt should still be in the cache of its model."""
Reason = Literal["same_anchor", "free", "within_cap", "over_cap", "no_pricing"]


@dataclass(frozen=True, slots=True)
class Price:
    """What a million prompt tokens cost."""

    input: float
    cached: float
    """If they are read from the provider's cache."""


Prices: TypeAlias = Callable[[str], Price | None]
"""Says what a model costs, by its full name; None if that is not known."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a session follows a candidate."""

    reason: Reason
    cost: float | None = None
    """What following costs more than staying; None if it was not computed."""
    ceiling: float | None = None
    """What may have been spent at most by now; None if it was not asked."""

    @property
    def allowed(self) -> bool:
        return self.reason != "over_cap"

    @property
    def charge(self) -> float:
        """What it takes from the budget."""
        return self.cost if self.reason == "within_cap" and self.cost is not None else 0.0


def arrival(binding: Binding | None, prefix: str | None, now: float) -> Arrival:
    """Say how a session comes.

    Args:
        binding: What is remembered of it.
        prefix: Hash of the beginning of its prompt; None if that could not be read.
        now: Wall clock, seconds.
    """
    if binding is None:
        return "new"
    if now - binding.last_used > WARM:
        return "cold"
    drifted = None not in (prefix, binding.prefix_hash) and prefix != binding.prefix_hash
    return "drifted" if drifted else "warm"


def accrue(binding: Binding, tokens: int, prices: Prices) -> Binding:
    """Bring the baseline of a warm session forward by one request.

    Args:
        binding: The session.
        tokens: Of its prompt, in the cache.
        prices: A default model without one adds nothing.
    """
    price = prices(binding.default_model)
    if price is None:
        return binding
    return replace(binding, baseline_usd=binding.baseline_usd + tokens / MILLION * price.cached)


def judge(
    binding: Binding, candidate: str, tokens: int, *, cap: float, prices: Prices, now: float
) -> Verdict:
    """Say whether a warm session follows a candidate.

    Args:
        binding: The session, its baseline brought forward.
        candidate: Full name.
        tokens: Of its prompt, in the cache of its model.
        cap: What may be spent, per cent of the baseline.
        prices: What models cost.
        now: Wall clock, seconds.
    """
    if candidate == binding.anchor_model:
        return Verdict("same_anchor")
    old, new = prices(binding.anchor_model), prices(candidate)
    if old is None or new is None:
        return Verdict("no_pricing")
    still = min(tokens, _cached(binding, candidate, now))
    paid = still * new.cached + (tokens - still) * new.input
    cost = (paid - tokens * old.cached) / MILLION
    if cost <= 0:
        return Verdict("free", cost)
    ceiling = cap / 100 * binding.baseline_usd
    within = binding.switch_spend_usd + cost <= ceiling
    return Verdict("within_cap" if within else "over_cap", cost, ceiling)


def turning_point(binding: Binding, verdict: Verdict) -> float | None:
    """Return the budget, per cent, from which on a change is within it.

    None if no budget counts, or none is large enough.

    Args:
        binding: The session, its baseline brought forward.
        verdict: Whether it follows.
    """
    if verdict.ceiling is None or verdict.cost is None or binding.baseline_usd <= 0:
        return None
    point = 100 * (binding.switch_spend_usd + verdict.cost) / binding.baseline_usd
    return point if point <= 100 else None


def _cached(binding: Binding, model: str, now: float) -> int:
    """Return the tokens that a model still has of a session that left it."""
    kept = [one for one in binding.history if one.model == model and now - one.last_used <= WARM]
    return max((one.cached_tokens for one in kept), default=0)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a session is told of an answer."""

    model: str
    """Who served, or would have."""
    route: str | None
    requested: str
    """The model as the client wrote it."""
    prefix: str | None
    tokens: int
    """Of the prompt, estimated."""
    now: float
    """Wall clock, seconds."""


def begin(answer: Answer, before: Binding | None, *, replenish: bool) -> Binding:
    """Bind a session that is new, cold or drifted.

    Args:
        answer: Its first answer.
        before: What was remembered of it.
        replenish: Begin with empty accounts; else the old ones go on.
    """
    kept = before if before is not None and not replenish else None
    return Binding(
        answer.model,
        answer.model,
        answer.requested,
        answer.route,
        answer.prefix,
        answer.now,
        answer.tokens,
        baseline_usd=kept.baseline_usd if kept else 0.0,
        switch_spend_usd=kept.switch_spend_usd if kept else 0.0,
        session_cost_usd=before.session_cost_usd if before else 0.0,
    )


def follow(answer: Answer, binding: Binding, *, charge: float) -> Binding:
    """Bring a warm session to where it was answered.

    Args:
        answer: The answer.
        binding: The session, its baseline brought forward.
        charge: What the change takes from its budget.
    """
    moved = answer.model != binding.anchor_model
    left = Visit(binding.anchor_model, binding.last_used, binding.cached_tokens)
    visits = (left, *binding.history) if moved else binding.history
    history = [
        one for one in visits if one.model != answer.model and answer.now - one.last_used <= WARM
    ]
    return replace(
        binding,
        anchor_model=answer.model,
        requested_model=answer.requested,
        route_name=answer.route,
        prefix_hash=answer.prefix or binding.prefix_hash,
        last_used=answer.now,
        cached_tokens=answer.tokens,
        switch_spend_usd=binding.switch_spend_usd + charge,
        switches=binding.switches + moved,
        history=tuple(history[:HISTORY]),
    )


def learn(binding: Binding, model: str, tokens: int | None, cost: float | None) -> Binding:
    """Enter what a provider reported at the end of an answer.

    Args:
        binding: The session, which may have gone on meanwhile.
        model: Who served.
        tokens: Of the prompt.
        cost: Of the answer, USD.
    """
    spent = binding.session_cost_usd + (cost or 0.0)
    there = tokens is not None and model == binding.anchor_model
    kept = tokens if there and tokens is not None else binding.cached_tokens
    return replace(binding, session_cost_usd=spent, cached_tokens=kept)
