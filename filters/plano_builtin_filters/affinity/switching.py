"""The budget mode: a session follows its route as long as that does not cost it too much.

The router is asked each time. What it says is weighed when all filters have had their say.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from plano_builtin_filters.affinity import budget, conversation, core, sessions
from plano_builtin_filters.affinity.budget import Arrival, Price, Verdict
from plano_builtin_filters.affinity.records import Binding, binding_of, pin_of
from plano_builtin_filters.affinity.sessions import Session
from plano_builtin_filters.affinity.store import Found
from plano_filters import Candidates, Exchange, FactoryContext, Route, SessionInfo
from plano_filters.config.document import RoutingBudget
from plano_filters.models import ModelIndex
from plano_filters.prices import PriceBook, book
from plano_filters.telemetry import names

CAP_HEADER: Final = "x-plano-max-switch-spend-pct"


@dataclass(frozen=True, slots=True)
class Turn:
    """A request of a session with a budget. Left by `affinity` for its own later hooks."""

    budget: RoutingBudget
    arrival: Arrival
    binding: Binding | None
    """What was remembered of the session; its baseline is brought forward when it is weighed."""
    prefix: str | None
    tokens: int
    """Of its prompt, estimated."""
    candidate: str = ""
    """The model it came to."""
    verdict: Verdict | None = None

    @property
    def warm(self) -> Binding | None:
        """What was remembered of a session whose prompt should still be in the cache."""
        return self.binding if self.arrival == "warm" else None


class Switching:
    """Weighs the changes of model of sessions that have a budget.

    Args:
        context: Of the filter.
    """

    def __init__(self, context: FactoryContext) -> None:
        self._context = context
        self._configured = context.document.routing.routing_budget
        self._turns = context.document.routing.route_on_user_only
        self._index = ModelIndex.of(context.document)
        self._book: PriceBook | None = None
        self._switches = context.meter.counter(
            "plano_affinity_switches",
            "Requests of warm sessions with a budget: whether they went where they were routed.",
            ("decision", "reason"),
        )

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Start and stop the prices."""
        async with book(self._context) as prices:
            self._book = prices
            yield

    def budget(self, exchange: Exchange) -> RoutingBudget | None:
        """Return the budget that a request is under, if it is under one."""
        text = exchange.request.headers.get(CAP_HEADER)
        if text is None:
            return self._configured
        cap = read_cap(text)
        if cap is None:
            exchange.decide(f"{CAP_HEADER} is ignored: it is no number from 0 to 100")
            return self._configured
        known = self._configured or RoutingBudget(max_switch_spend_pct=cap)
        return known.model_copy(update={"max_switch_spend_pct": cap})

    def arrive(
        self, exchange: Exchange, allowed: RoutingBudget, session: Session, found: Found
    ) -> str:
        """Say how a session comes; hold it, if this is no time to route it.

        Args:
            exchange: The request. Takes a `Turn`.
            allowed: Its budget.
            session: Its session.
            found: What is remembered of that.

        Returns:
            How it comes, in a word.
        """
        state, payload = exchange.state, exchange.request.payload
        began = conversation.beginning_of(payload, exchange.dialect)
        prefix = sessions.prefix(began, session.tenant) if began else None
        binding = None if found.record is None else binding_of(found.record)
        arrival = budget.arrival(binding, prefix, self._context.clock.time())
        result, was = str(arrival), ""
        if binding is not None:
            why = core.unfit(binding.anchor_model, exchange.dialect, self._index)
            was = f", was at {binding.anchor_model[:200]}" + (f", which {why}" if why else "")
            arrival, result = ("cold", "dropped") if why else (arrival, result)
        how = f" (redis: {found.failure})" if found.failure else ""
        text = f"{arrival} session{how}{was}"
        turn = Turn(allowed, arrival, binding, prefix, conversation.tokens_of(payload))
        state.put(turn)
        state.put(SessionInfo(session.id, pinned=turn.warm is not None))
        if turn.warm is not None:
            if self._turns and not conversation.is_user_turn(payload, exchange.dialect):
                core.hold(state, pin_of(turn.warm))
                text += " and is held to it: the user has said nothing new"
            else:
                state.replace(core.offered(turn.warm.anchor_model, state[Candidates]))
        exchange.decide(text, session=session.source, arrival=result, failure=found.failure)
        return result

    def settle(self, exchange: Exchange) -> None:
        """Let a warm session go where it was routed, or keep it where it is."""
        state = exchange.state
        turn, candidates = state.get(Turn), state.get(Candidates)
        if turn is None or turn.warm is None or candidates is None or not candidates.models:
            return
        candidate, binding = candidates.models[0], turn.warm
        anchor, now = binding.anchor_model, self._context.clock.time()
        tokens = binding.cached_tokens or turn.tokens
        discount = turn.budget.cache_read_discount

        def price(model: str) -> Price | None:
            return self._price(model, tokens, discount)

        binding = budget.accrue(binding, tokens, price)
        cap = turn.budget.max_switch_spend_pct
        turn = replace(turn, candidate=candidate, binding=binding)
        if anchor not in candidates.models and not candidates.exclusive:
            state.replace(turn)
            self._switches.labels("allowed", "left_out").inc()
            exchange.decide(f"moves from {anchor}, which a filter has left out, to {candidate}")
        else:
            verdict = budget.judge(binding, candidate, tokens, cap=cap, prices=price, now=now)
            state.replace(replace(turn, verdict=verdict))
            self._tell(exchange, binding, candidate, verdict, tokens)
            if not verdict.allowed:
                core.hold(state, pin_of(binding))
                return
        if candidate != anchor:
            state.replace(replace(state[SessionInfo], switched=True))

    def answered(self, exchange: Exchange, model: str) -> Binding:
        """Return what is to be remembered of a session that got its answer.

        Args:
            exchange: Has a `Turn`.
            model: Who served, or would have.
        """
        turn, route = exchange.state[Turn], exchange.state.get(Route)
        answer = budget.Answer(
            model,
            route.name if route else None,
            exchange.state[Candidates].requested,
            turn.prefix,
            turn.tokens,
            self._context.clock.time(),
        )
        if turn.warm is None:
            return budget.begin(answer, turn.binding, replenish=turn.budget.replenish_on_rebind)
        # a change that a failure forced is nobody's choice, and takes nothing from the budget
        willed = turn.verdict if model == turn.candidate else None
        return budget.follow(answer, turn.warm, charge=willed.charge if willed else 0.0)

    def _tell(
        self, exchange: Exchange, binding: Binding, candidate: str, verdict: Verdict, tokens: int
    ) -> None:
        decision = "allowed" if verdict.allowed else "retained"
        self._switches.labels(decision, verdict.reason).inc()
        data: dict[str, Any] = {
            "decision": decision,
            "reason": verdict.reason,
            "anchor": binding.anchor_model,
            "candidate": candidate,
            "tokens": tokens,
            "cost_usd": verdict.cost,
            "ceiling_usd": verdict.ceiling,
            "spend_usd": binding.switch_spend_usd,
            "baseline_usd": binding.baseline_usd,
        }
        exchange.decide(
            told(binding, candidate, verdict),
            otherwise=otherwise(binding, candidate, verdict),
            **data,
        )
        if not verdict.allowed and exchange.state[Turn].budget.record_counterfactual:
            route = exchange.state.get(Route)
            without = f"{candidate} ({route.name if route else 'none'})"
            exchange.span.set_attribute(names.COUNTERFACTUAL, without)

    def _price(self, model: str, tokens: int, discount: float) -> Price | None:
        if self._book is None:
            raise RuntimeError("the lifespan of the prices was not entered")
        quote = self._book.rates(model)
        if quote is None:
            return None
        rates = quote.rates.at(tokens)
        published = rates.cache_read
        return Price(rates.input, rates.input * discount if published is None else published)


def read_cap(text: str) -> float | None:
    """Read a budget in per cent; None if it is none."""
    try:
        cap = float(text)
    except ValueError:
        return None
    return cap if math.isfinite(cap) and 0 <= cap <= 100 else None


def told(binding: Binding, candidate: str, verdict: Verdict) -> str:
    """Say in a clause what a session does, and why."""
    anchor = binding.anchor_model
    if verdict.reason == "same_anchor":
        return f"stays at {anchor}, where it was routed"
    moves = f"moves from {anchor} to {candidate}"
    if verdict.reason == "no_pricing":
        return f"{moves}: one of them has no known price"
    if verdict.reason == "free":
        return f"{moves}: that costs nothing"
    cost, ceiling = verdict.cost or 0.0, verdict.ceiling or 0.0
    spent = f"{binding.switch_spend_usd:.6f} of {ceiling:.6f} USD were spent"
    if verdict.allowed:
        return f"{moves} for {cost:.6f} USD; {spent}"
    return f"kept at {anchor}: moving to {candidate} would cost {cost:.6f} USD; {spent}"


def otherwise(binding: Binding, candidate: str, verdict: Verdict) -> list[str]:
    """Say what would have changed a verdict."""
    anchor, point = binding.anchor_model, budget.turning_point(binding, verdict)
    if verdict.reason == "no_pricing":
        return [f"weighed with the prices of {anchor} and {candidate}"]
    found = []
    if point is not None and verdict.allowed:
        found.append(f"kept at {anchor} with max_switch_spend_pct below {point:.1f}")
    elif point is not None:
        found.append(f"moves to {candidate} with max_switch_spend_pct from {point:.1f} on")
    if verdict.reason == "over_cap":
        found.append(f"moves to {candidate} after {budget.WARM:.0f} s without a request")
    return found
