"""Sessions with a budget: the router is asked each time, and its answer weighed."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from plano_builtin_filters.affinity import records
from plano_builtin_filters.affinity.switching import read_cap
from plano_filters import Candidates, Pin, Route, SessionInfo
from plano_filters.prices import Rates
from plano_filters.prices.rates import Tier
from plano_filters.shared import Shared
from plano_filters.testing import FakeClock
from tests.filters.affinity.stand import (
    CALL,
    CLAUDE,
    GPT,
    HEAD,
    LLAMA,
    RESULT,
    USER,
    Gate,
    gate,
)
from tests.support.redis import redis_server

RATES = {GPT: Rates(10, 30, cache_read=1), CLAUDE: Rates(4, 20)}
"""100 000 tokens from GPT's cache cost 0.1 USD, to let Claude read them 0.4. Llama has no price."""
TOKENS = 100_000
KEPT = f"kept at {GPT}: moving to {CLAUDE} would cost 0.300000 USD; 0.000000 of {{}} USD were spent"


def budget(cap: float, more: str = "", **further: object) -> str:
    """Return the `routing` of a document."""
    keys = "".join(f", {key}: {str(value).lower()}" for key, value in further.items())
    return f"routing: {{routing_budget: {{max_switch_spend_pct: {cap}{keys}}}{more}}}"


async def begun(chain: Gate, model: str = GPT, **options: Any) -> None:
    """Begin a session at a model."""
    chain.serve.tokens = TOKENS
    assert await chain.routed(model, **options) == model


def facts(chain: Gate) -> tuple[str | None, bool, bool]:
    """Return the route of the last request, and what is told of its session."""
    state = chain.seen[-1].state
    route, info = state.get(Route), state[SessionInfo]
    return route.name if route else None, info.pinned, info.switched


async def test_a_session_follows_its_route_when_it_has_saved_enough() -> None:
    """Each request adds 0.1 USD to what it may spend; the change costs 0.3."""
    async with gate(budget(100), rates=RATES) as chain:
        await begun(chain, route="code")
        assert facts(chain) == ("code", False, False)
        assert chain.said == ["new session", f"pinned to {GPT} for 600 s"]

        for ceiling in ("0.100000", "0.200000"):
            assert await chain.routed(CLAUDE, "chat") == GPT
            assert facts(chain) == ("code", True, False)
            assert chain.seen[-1].state[Pin] == Pin(GPT, "code")
            assert chain.seen[-1].state[Candidates].models == (GPT, CLAUDE)
            assert chain.said == [
                f"warm session, was at {GPT}",
                KEPT.format(ceiling),
            ]

        assert await chain.routed(CLAUDE, "chat") == CLAUDE
        assert facts(chain) == ("chat", True, True)
        assert chain.said[1:] == [
            f"moves from {GPT} to {CLAUDE} for 0.300000 USD; 0.000000 of 0.300000 USD were spent",
            f"pinned to {CLAUDE} for 600 s",
        ]
        assert await chain.routed(CLAUDE, "chat") == CLAUDE
        assert facts(chain) == ("chat", True, False)
        assert chain.said[1:] == [f"stays at {CLAUDE}, where it was routed"]
        for labels, times in (
            ({"decision": "retained", "reason": "over_cap"}, 2),
            ({"decision": "allowed", "reason": "within_cap"}, 1),
            ({"decision": "allowed", "reason": "same_anchor"}, 1),
        ):
            assert chain.count("plano_affinity_switches", **labels) == times
        assert chain.count("plano_affinity_lookups", result="new") == 1
        assert chain.count("plano_affinity_lookups", result="warm") == 4


async def test_it_does_not_matter_where_the_filter_stands() -> None:
    """Behind the router it weighs the same, with the same route at the end."""
    async with gate(budget(100), rates=RATES, last=True) as chain:
        await begun(chain, route="code")
        found = [(await chain.routed(CLAUDE, "chat"), *facts(chain)) for _ in range(3)]
        kept = (GPT, "code", True, False)
        assert found == [kept, kept, (CLAUDE, "chat", True, True)]


async def test_what_the_decision_says_for_machines() -> None:
    """Every number that went into it."""
    async with gate(budget(100), rates=RATES) as chain:
        await begun(chain)
        await chain.routed(CLAUDE)

        assert chain.seen[-1].decisions[-1].data == {
            "decision": "retained", "reason": "over_cap", "anchor": GPT, "candidate": CLAUDE,
            "tokens": TOKENS, "cost_usd": pytest.approx(0.3), "ceiling_usd": pytest.approx(0.1),
            "spend_usd": 0.0, "baseline_usd": pytest.approx(0.1),
        }  # fmt: skip


async def test_what_would_have_changed_it() -> None:
    """A budget that is large enough, or small enough, time, or a price."""
    later = f"moves to {CLAUDE} after 300 s without a request"
    async with gate(budget(50), rates=RATES) as chain:
        await begun(chain)
        said = []
        for model in (CLAUDE, *(GPT for _ in range(3)), CLAUDE, *(GPT for _ in range(2))):
            await chain.routed(model)
            said.append(chain.seen[-1].decisions[1].otherwise)
        assert said[0] == (later,)  # no budget is: it has saved 0.1 USD
        assert said[4] == (f"moves to {CLAUDE} with max_switch_spend_pct from 60.0 on", later)
        assert await chain.routed(CLAUDE) == CLAUDE
        assert chain.seen[-1].decisions[1].otherwise == (
            f"kept at {GPT} with max_switch_spend_pct below 37.5",
        )
        await chain.routed(CLAUDE)
        assert not chain.seen[-1].decisions[1].otherwise
        await chain.routed(LLAMA)
        assert chain.seen[-1].decisions[1].otherwise == (
            f"weighed with the prices of {CLAUDE} and {LLAMA}",
        )


async def test_a_session_that_was_not_routed_has_no_route() -> None:
    """Nor does it get that of the model it is kept from."""
    async with gate(budget(0), rates=RATES) as chain:
        chain.serve.tokens = TOKENS
        assert await chain.ask(requested="auto") == GPT
        assert await chain.routed(CLAUDE, "chat") == GPT
        assert facts(chain) == (None, True, False)


@pytest.mark.parametrize(
    ("anchor", "candidate", "reason"),
    [(CLAUDE, GPT, "over_cap"), (LLAMA, GPT, "no_pricing"), (GPT, LLAMA, "no_pricing")],
)
async def test_a_missing_price_stops_nobody(anchor: str, candidate: str, reason: str) -> None:
    """Of neither model; with both, nothing may be spent here."""
    async with gate(budget(0), rates=RATES) as chain:
        await begun(chain, anchor)
        served = await chain.routed(candidate)

        assert served == (anchor if reason == "over_cap" else candidate)
        assert chain.seen[-1].decisions[1].data["reason"] == reason


async def test_what_costs_nothing_is_free() -> None:
    """A model that reads it all for less than the other reads from its cache."""
    rates = {**RATES, LLAMA: Rates(0.5, 1)}
    async with gate(budget(0), rates=rates) as chain:
        await begun(chain)
        assert await chain.routed(LLAMA) == LLAMA
        assert chain.said[1] == f"moves from {GPT} to {LLAMA}: that costs nothing"
        labels = {"decision": "allowed", "reason": "free"}
        assert chain.count("plano_affinity_switches", **labels) == 1


@pytest.mark.parametrize(("replenish", "again"), [(True, GPT), (False, CLAUDE)])
async def test_a_cold_session_begins_anew(replenish: bool, again: str) -> None:
    """After 300 seconds it goes where it is routed; `replenish_on_rebind` empties its accounts."""
    clock = FakeClock()
    settings = budget(100, ", session_ttl_seconds: 900", replenish_on_rebind=replenish)
    async with gate(settings, clock=clock, rates=RATES) as chain:
        await begun(chain)
        for _ in range(4):
            await chain.routed(GPT)
        await clock.sleep(301)
        assert await chain.routed(CLAUDE, "chat") == CLAUDE
        assert facts(chain) == ("chat", False, False)
        assert chain.said[0] == f"cold session, was at {GPT}"
        await clock.sleep(301)
        assert await chain.routed(GPT) == GPT
        # 0.1 USD were saved since it began anew, or 0.5 in all
        assert await chain.routed(CLAUDE) == again


async def test_another_beginning_of_the_prompt_is_another_cache() -> None:
    """A session whose system prompt has changed goes where it is routed."""
    brief, long = ([{"role": "system", "content": text}, USER] for text in ("brief", "long"))
    async with gate(budget(0), rates=RATES) as chain:
        await begun(chain, body={"messages": brief})
        assert await chain.routed(CLAUDE, body={"messages": brief}) == GPT
        assert await chain.routed(CLAUDE, body={"messages": long}) == CLAUDE
        assert chain.said[0] == f"drifted session, was at {GPT}"


async def test_a_change_that_a_failure_forced_costs_nothing() -> None:
    """The session goes on where it was served, and its budget is whole."""
    async with gate(budget(100), rates=RATES) as chain:
        await begun(chain)
        chain.serve.failing = {GPT}
        assert await chain.routed(GPT) == CLAUDE
        chain.serve.failing = set()
        for _ in range(9):
            await chain.routed(CLAUDE)
        assert chain.seen[-1].decisions[1].data["spend_usd"] == 0
        # GPT's cache still has it all, so only the difference of reading it there is paid
        assert await chain.routed(GPT) == GPT
        assert chain.seen[-1].decisions[1].data["cost_usd"] == pytest.approx(0.06)


async def test_a_candidate_that_fails_is_not_paid_for() -> None:
    """The change was allowed, and then did not happen."""
    async with gate(budget(100), rates=RATES) as chain:
        await begun(chain)
        for _ in range(5):
            await chain.routed(GPT)
        chain.serve.failing = {CLAUDE}
        assert await chain.routed(CLAUDE) == GPT
        assert chain.seen[-1].decisions[1].data["reason"] == "within_cap"
        chain.serve.failing = set()
        assert await chain.routed(CLAUDE) == CLAUDE
        assert chain.seen[-1].decisions[1].data["spend_usd"] == 0


async def test_a_model_that_cannot_take_the_request_is_left() -> None:
    """A filter in between has left it out; a budget does not bring it back."""
    async with gate(budget(0), rates=RATES) as chain:
        await begun(chain)
        chain.choose.left_out = {GPT}
        assert await chain.routed(CLAUDE) == CLAUDE
        assert chain.said[1] == f"moves from {GPT}, which a filter has left out, to {CLAUDE}"
        assert facts(chain) == ("code", True, True)
        labels = {"decision": "allowed", "reason": "left_out"}
        assert chain.count("plano_affinity_switches", **labels) == 1


async def test_a_client_that_wants_no_fallback_is_kept_all_the_same() -> None:
    """Its one candidate is then the model of its session."""
    async with gate(budget(0), rates=RATES) as chain:
        await begun(chain, exclusive=True)
        assert await chain.routed(CLAUDE, exclusive=True) == GPT
        assert chain.seen[-1].state[Candidates].models == (GPT,)


async def test_a_model_that_is_no_longer_declared_is_left() -> None:
    """As if the session were new."""
    shared, gone = Shared(), HEAD.replace(f"  - {{model: {CLAUDE}, access_key: sk-aaaaaaaa}}\n", "")
    async with gate(budget(0), rates=RATES, shared=shared) as old:
        await begun(old, CLAUDE)
        async with gate(budget(0), head=gone, shared=shared) as new:
            assert await new.routed(GPT, models=(GPT,)) == GPT
            assert new.said[0] == f"cold session, was at {CLAUDE}, which is not declared"
            assert new.count("plano_affinity_lookups", result="dropped") == 1


HEADER = "x-plano-max-switch-spend-pct"


@pytest.mark.parametrize(
    ("configured", "header", "served"),
    [
        (budget(0), "100", CLAUDE),
        (budget(100), "0", GPT),
        (budget(100), "0.5e1", GPT),
        (budget(100), "-1", CLAUDE),
        (budget(100), "100.1", CLAUDE),
        (budget(100), "nan", CLAUDE),
        (budget(0), "much", GPT),
        ("", "100", CLAUDE),
        ("", "0", GPT),
    ],
)
async def test_a_request_may_have_a_budget_of_its_own(
    configured: str, header: str, served: str
) -> None:
    """Instead of the configured one, or without one; what is no budget is ignored, and said."""
    async with gate(configured, rates=RATES) as chain:
        await begun(chain, headers={HEADER: header})
        for _ in range(3):
            last = await chain.routed(CLAUDE, headers={HEADER: header})
            if last == CLAUDE:
                break

        assert last == served
        told = f"{HEADER} is ignored: it is no number from 0 to 100" in chain.said
        assert told is (read_cap(header) is None)


async def test_without_a_budget_a_wrong_header_changes_nothing() -> None:
    """The session is pinned, as always."""
    async with gate(rates=RATES) as chain:
        await begun(chain, headers={HEADER: "x"})
        assert await chain.routed(CLAUDE, headers={HEADER: "x"}) == GPT
        assert chain.said[-1] == f"held to {GPT}"


async def test_a_side_call_does_not_move_the_main_loop() -> None:
    """Each requested model has a binding of its own."""
    async with gate(budget(0), rates=RATES) as chain:
        await begun(chain)
        assert await chain.routed(CLAUDE, requested="small") == CLAUDE
        assert await chain.routed(CLAUDE) == GPT
        assert await chain.routed(GPT, requested="small") == CLAUDE


async def test_conversations_are_recognised_where_there_is_a_budget() -> None:
    """Also by the header alone; `x-plano-cache: off` and `implicit: false` say otherwise."""
    off = {"x-plano-cache": "off"}
    async with gate(budget(0), rates=RATES) as chain:
        await begun(chain, session=None)
        assert chain.seen[-1].state[SessionInfo].id.startswith("implicit:")
        assert await chain.routed(CLAUDE, session=None) == GPT
        assert await chain.routed(CLAUDE, session=None, headers=off) == CLAUDE
        assert chain.seen[-1].state.get(SessionInfo) is None
    async with gate(rates=RATES) as chain:
        await begun(chain, session=None)
        assert chain.said == []
        await begun(chain, session=None, headers={HEADER: "0"})
        assert await chain.routed(CLAUDE, session=None, headers={HEADER: "0"}) == GPT
    async with gate(budget(0), rates=RATES, implicit=False) as chain:
        await begun(chain, session=None)
        assert chain.said == []


async def test_results_of_tools_are_held_and_turns_of_the_user_weighed() -> None:
    """With `route_on_user_only`: a router is asked only when the user has said something."""
    loop = {"messages": [USER, CALL, RESULT]}
    async with gate(budget(100, ", route_on_user_only: true"), rates=RATES) as chain:
        await begun(chain)
        for _ in range(2):
            assert await chain.routed(CLAUDE, "chat", body=loop) == GPT
            assert facts(chain) == ("code", True, False)
            assert chain.said == [
                f"warm session, was at {GPT} and is held to it: the user has said nothing new",
                f"stays at {GPT}, where it was routed",
            ]
        assert await chain.routed(CLAUDE, "chat") == CLAUDE
        assert await chain.routed(GPT, body=loop) == CLAUDE


async def test_a_router_that_overrides_a_pin_is_weighed() -> None:
    """As if the session had not been held."""
    loop = {"messages": [USER, CALL, RESULT]}
    async with gate(budget(0, ", route_on_user_only: true"), rates=RATES) as chain:
        await begun(chain)
        chain.choose.stubborn = True
        assert await chain.routed(CLAUDE, "chat", body=loop) == GPT
        assert facts(chain) == ("code", True, False)


async def test_a_cold_session_is_routed_in_the_middle_of_its_tools() -> None:
    """There is no cache left to stay for."""
    clock, loop = FakeClock(), {"messages": [USER, CALL, RESULT]}
    settings = budget(0, ", route_on_user_only: true")
    async with gate(settings, clock=clock, rates=RATES) as chain:
        await begun(chain)
        await clock.sleep(301)
        assert await chain.routed(CLAUDE, body=loop) == CLAUDE


async def test_a_pin_of_the_other_mode_is_a_cold_session() -> None:
    """A reload that sets a budget, and one that takes it away again."""
    shared = Shared()
    turns, loop = "routing: {route_on_user_only: true}", {"messages": [USER, CALL, RESULT]}
    both = budget(0, ", route_on_user_only: true")
    async with gate(turns, shared=shared, rates=RATES) as old:
        await begun(old)
        async with gate(both, shared=shared) as new:
            assert await new.routed(CLAUDE) == CLAUDE
            assert new.said[0] == f"cold session, was at {GPT}"
        assert await old.routed(GPT, body=loop) == CLAUDE


async def test_a_decision_binds_as_an_answer_does() -> None:
    """On the endpoint that only decides; tokens are estimated there."""
    path, body = "/routing/v1/chat/completions", {"messages": [{**USER, "content": "x" * 4 * 1000}]}
    async with gate(budget(50), rates=RATES) as chain:
        assert await chain.routed(GPT, path=path, body=body) == GPT
        assert await chain.routed(CLAUDE, path=path, body=body) == GPT
        assert facts(chain) == ("code", True, False)
        assert chain.seen[-1].decisions[1].data["tokens"] == 1001
        assert await chain.routed(CLAUDE, "chat", body=body) == GPT


async def test_a_decision_without_a_model_binds_nothing() -> None:
    """An unknown model and no route; a session that has a model stays there."""
    path = "/routing/v1/chat/completions"
    async with gate(budget(0), rates=RATES) as chain:
        assert await chain.ask(models=(), requested="unknown", path=path) == "200"
        assert chain.said == ["new session"]
        await begun(chain, requested="unknown", path=path)
        chain.choose.route = None
        assert await chain.ask(models=(), requested="unknown", path=path) == GPT


async def test_an_explanation_changes_nothing_and_says_the_same() -> None:
    """Nothing is spent, and the session is where it was."""
    async with gate(budget(100), rates=RATES) as chain:
        await begun(chain)
        for _ in range(3):
            await chain.routed(CLAUDE, dry_run=True)
            explained = chain.said[:2]
        await chain.routed(CLAUDE)
        assert chain.said[:2] == explained


@pytest.mark.parametrize("recorded", [True, False])
async def test_the_road_not_taken_is_on_the_span(recorded: bool) -> None:
    """Only when asked for."""
    async with gate(budget(0, record_counterfactual=recorded), rates=RATES) as chain:
        await begun(chain)
        span = TracerProvider().get_tracer("t").start_span("root")
        await chain.routed(CLAUDE, "chat", span=span)

        assert isinstance(span, ReadableSpan)
        found = (span.attributes or {}).get("plano.switch.counterfactual_route")
        assert found == (f"{CLAUDE} (chat)" if recorded else None)


async def test_tokens_are_the_providers_and_until_then_an_estimate() -> None:
    """A provider that does not report any leaves the estimate."""
    body, found = {"messages": [{**USER, "content": "x" * 4 * 500}]}, []
    async with gate(budget(0), rates=RATES) as chain:
        assert await chain.routed(GPT, body=body) == GPT
        for reported in (None, 777, None):
            chain.serve.tokens = reported
            await chain.routed(CLAUDE, body=body)
            found.append(chain.seen[-1].decisions[1].data["tokens"])
        assert found == [501, 501, 777]


async def test_long_prompts_are_weighed_at_their_own_rates() -> None:
    """A model may charge more above so many tokens; here that makes a change cost something."""
    long = Rates(4, 20, long=(Tier(200_000, Rates(8, 40)),))
    rates = {GPT: Rates(5, 30, cache_read=5), CLAUDE: long}
    for tokens, reason in ((TOKENS, "free"), (3 * TOKENS, "over_cap")):
        async with gate(budget(0), rates=rates) as chain:
            chain.serve.tokens = tokens
            await chain.routed(GPT)
            await chain.routed(CLAUDE)
            assert chain.seen[-1].decisions[1].data["reason"] == reason


async def test_what_a_session_has_cost() -> None:
    """Each answer adds its cost at its end, also after the session has moved."""
    async with redis_server() as redis:
        cache = f", session_cache: {{type: redis, url: '{redis.url}'}}"
        async with gate(budget(100, cache), rates=RATES, deadline=1.0) as chain:
            await begun(chain)
            for _ in range(3):
                await chain.routed(CLAUDE)
            record = records.decode(await redis.call("GET", "plano:affinity:s#auto"))

    assert isinstance(record, records.Binding)
    assert (record.anchor_model, record.session_cost_usd) == (CLAUDE, 1.0)
    assert (record.cached_tokens, record.switches) == (TOKENS, 1)


async def test_an_error_binds_nothing() -> None:
    """The next request is a first one."""
    async with gate(budget(0), rates=RATES) as chain:
        chain.serve.failing = {GPT, CLAUDE}
        assert await chain.routed(GPT) == "502"
        chain.serve.failing = set()
        await chain.routed(GPT)
        assert chain.said[0] == "new session"
