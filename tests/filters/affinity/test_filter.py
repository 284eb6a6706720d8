"""What `affinity` does to the requests of a session."""

from __future__ import annotations

from typing import Any

import pytest

from plano_filters import Candidates, Pin, Route, Served, SessionInfo
from plano_filters.shared import Shared
from plano_filters.testing import FakeClock, make_exchange
from tests.filters.affinity.stand import (
    CALL,
    CLAUDE,
    GPT,
    HEAD,
    LLAMA,
    RESULT,
    TURNS,
    USER,
    gate,
)
from tests.support.gateway import free_port
from tests.support.redis import redis_server


async def test_a_session_stays_at_its_model() -> None:
    """Whatever model later requests name; the others stay behind as fallbacks."""
    async with gate() as chain:
        assert await chain.ask(models=(CLAUDE, GPT), route="code") == CLAUDE
        assert chain.said == ["no pin yet", f"pinned to {CLAUDE} for 600 s"]
        assert await chain.ask(models=(GPT, LLAMA)) == CLAUDE
        state = chain.seen[-1].state

        assert chain.said == [f"held to {CLAUDE}"]
        assert state[Candidates].models == (CLAUDE, GPT, LLAMA)
        assert (state[Pin], state[Route]) == (Pin(CLAUDE, "code"), Route("code"))
        assert chain.count("plano_affinity_lookups", result="hit") == 1
        assert chain.count("plano_affinity_lookups", result="miss") == 1


async def test_another_session_and_none() -> None:
    """Each session has its own pin; a request that names none has none, and is not counted."""
    async with gate() as chain:
        assert await chain.ask("one", models=(CLAUDE,)) == CLAUDE
        assert await chain.ask("two") == GPT
        for nothing in (None, "", "  "):
            assert await chain.ask(nothing) == GPT
            assert chain.said == []
        assert chain.count("plano_affinity_lookups", result="miss") == 2


async def test_any_text_names_a_session() -> None:
    """However long, and whatever is in it."""
    async with gate() as chain:
        for name in ("x" * 20_000, "a:b", "é", "{}\t\\"):
            assert await chain.ask(name, models=(CLAUDE,)) == CLAUDE
            assert await chain.ask(name) == CLAUDE


async def test_a_pin_lasts_from_the_first_answer() -> None:
    """Requests in between do not make it longer."""
    clock = FakeClock()
    async with gate("routing: {session_ttl_seconds: 100}", clock=clock) as chain:
        await chain.ask(models=(CLAUDE,))
        await clock.sleep(99)
        assert await chain.ask() == CLAUDE
        await clock.sleep(1)
        assert await chain.ask() == GPT


async def test_only_so_many_sessions() -> None:
    """The one that was not used for the longest time is forgotten."""
    async with gate("routing: {session_max_entries: 2}") as chain:
        for name in ("one", "two", "three"):
            await chain.ask(name, models=(CLAUDE,))

        assert [await chain.ask(name) for name in ("three", "two", "one")] == [CLAUDE, CLAUDE, GPT]


async def test_the_pin_follows_who_served() -> None:
    """Not the model that failed: neither at first, nor later."""
    async with gate() as chain:
        chain.serve.failing = {GPT}
        assert await chain.ask() == CLAUDE
        chain.serve.failing = {CLAUDE}
        assert await chain.ask(models=(LLAMA,)) == LLAMA
        assert chain.said[-1] == f"pinned to {LLAMA} for 600 s"
        chain.serve.failing = set()
        assert await chain.ask() == LLAMA


async def test_an_error_makes_no_pin() -> None:
    """The next request is a first one."""
    async with gate() as chain:
        chain.serve.failing = {GPT, CLAUDE}
        assert await chain.ask() == "502"
        chain.serve.failing = set()
        await chain.ask()
        assert chain.said[0] == "no pin yet"


async def test_a_client_that_wants_no_fallback_gets_none() -> None:
    """The pinned model is its only candidate."""
    async with gate() as chain:
        await chain.ask(models=(CLAUDE,))
        chain.serve.failing = {CLAUDE}
        assert await chain.ask(exclusive=True) == "502"


async def test_tenants_and_principals_share_nothing() -> None:
    """The same name is another session for each of them."""
    async with gate("routing: {session_cache: {tenant_header: x-tenant}}") as chain:
        acme = {"x-tenant": "acme"}
        await chain.ask("s", models=(CLAUDE,), headers=acme)
        await chain.ask("s", models=(LLAMA,), headers=acme, principal="team-a")

        assert await chain.ask("s", headers=acme) == CLAUDE
        assert await chain.ask("s", headers=acme, principal="team-a") == LLAMA
        for other in ("acme:s", "@team-a:acme:s", "s"):
            assert await chain.ask(other) == GPT
        assert await chain.ask("s", headers=acme, principal="team-b") == GPT
        assert await chain.ask("s", principal="team-a") == GPT


async def test_a_reload_keeps_pins_and_drops_those_that_do_not_fit() -> None:
    """Durations and sizes may change; a model that is no longer declared is no pin."""
    shared, gone = Shared(), HEAD.replace(f"  - {{model: {CLAUDE}, access_key: sk-aaaaaaaa}}\n", "")
    async with gate(shared=shared) as old:
        await old.ask("one", models=(CLAUDE,))
        await old.ask("two", models=(LLAMA,))
        async with gate("routing: {session_ttl_seconds: 9}", shared=shared, head=gone) as new:
            assert await new.ask("two", models=(GPT,)) == LLAMA
            assert await new.ask("one", models=(GPT,)) == GPT
            assert new.said == [
                f"pin dropped: {CLAUDE} is not declared", f"pinned to {GPT} for 9 s",
            ]  # fmt: skip
            assert new.count("plano_affinity_lookups", result="dropped") == 1
        assert await old.ask("one", models=(LLAMA,)) == GPT


async def test_a_pin_that_does_not_speak_the_dialect_is_dropped() -> None:
    """A session that changes its API is pinned anew."""
    async with gate() as chain:
        await chain.ask(models=("chatgpt/codex",))
        body = {"max_tokens": 1, "messages": [USER]}
        assert await chain.ask(models=(CLAUDE,), path="/v1/messages", body=body) == CLAUDE
        assert chain.said[0] == "pin dropped: chatgpt/codex does not speak messages"


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/models", "/v1/other"])
async def test_what_belongs_to_no_session(path: str) -> None:
    """Vectors of another model would be wrong, and the rest has no model."""
    async with gate() as chain:
        await chain.ask(models=(CLAUDE,))
        assert await chain.ask(models=(GPT,), path=path, body={"input": "x"}) == GPT
        assert chain.said == []


async def test_a_pin_that_is_there_already_is_left_alone() -> None:
    """A filter in front may have pinned the request."""
    async with gate() as chain:
        await chain.ask(models=(CLAUDE,))
        exchange = make_exchange(
            {}, headers={"x-model-affinity": "s"},
            facts=[Candidates((GPT,), GPT, explicit=True), Pin(GPT)],
        )  # fmt: skip
        await chain.chain.run(exchange)

        assert exchange.state[Served].model == GPT


async def test_a_clients_own_key_when_asked_for() -> None:
    """`X-Model-Affinity` goes before it, and `x-plano-cache: off` keeps it out."""
    body = {"messages": [USER], "prompt_cache_key": "k"}
    async with gate() as chain:
        await chain.ask(None, models=(CLAUDE,), body=body)
        assert chain.said == []
    async with gate(client_keys=("x-claude-code-session-id", "prompt_cache_key")) as chain:
        await chain.ask(None, models=(CLAUDE,), body=body)
        assert chain.seen[-1].decisions[0].data["session"] == "prompt_cache_key"
        assert await chain.ask(None, body=body) == CLAUDE
        assert await chain.ask("k", body=body) == GPT
        assert await chain.ask(None, body=body, headers={"x-plano-cache": "OFF"}) == GPT
        named = {"x-plano-cache": "off"}
        assert await chain.ask("k", models=(LLAMA,), body=body, headers=named) == GPT


async def test_implicit_sessions_when_asked_for() -> None:
    """A conversation is one session from its first words to its end; another one is another."""
    start = [{"role": "system", "content": "be brief"}, USER]
    later = {"messages": [*start, {"role": "assistant", "content": "yes"}, USER]}
    async with gate(implicit=True) as chain:
        await chain.ask(None, models=(CLAUDE,), body={"messages": start})
        assert await chain.ask(None, body=later) == CLAUDE
        assert await chain.ask(None, body=later, headers={"x-plano-cache": "off"}) == GPT
        assert await chain.ask(None, body={"messages": [USER]}) == GPT
        assert await chain.ask(None, body={"messages": start[:1]}, models=(LLAMA,)) == LLAMA
        assert chain.said == []


async def test_planos_key_is_the_key() -> None:
    """The vector of its tests, with the tenant in the hash and in front."""
    body = {
        "messages": [
            {"role": "system", "content": "You are a senior Rust engineer."},
            {"role": "user", "content": "Write a Rust function that reverses a linked list."},
        ]
    }
    tenants = "routing: {session_cache: {tenant_header: x-tenant}}"
    async with gate(tenants, implicit=True) as chain:
        await chain.ask(None, models=(CLAUDE,), body=body)
        await chain.ask(None, models=(LLAMA,), body=body, headers={"x-tenant": "acme"})

        assert await chain.ask("implicit:8e76b367cc3a4336") == CLAUDE
        assert await chain.ask("implicit:0cce9d8ce93e9820", headers={"x-tenant": "acme"}) == LLAMA


async def test_a_decision_pins_as_an_answer_does() -> None:
    """Both ways: the endpoint that only decides is held to a pin, and makes one."""
    path = "/routing/v1/chat/completions"
    async with gate() as chain:
        assert await chain.ask("one", models=(CLAUDE,), path=path) == CLAUDE
        assert await chain.ask("one") == CLAUDE
        assert await chain.ask("two", models=(LLAMA,)) == LLAMA
        assert await chain.ask("two", path=path) == LLAMA
        assert chain.seen[-1].state[SessionInfo] == SessionInfo("two", pinned=True)
        assert await chain.ask("three", models=(), requested="unknown", path=path) == "200"
        assert chain.said == ["no pin yet"]


async def test_an_explanation_drops_no_pin() -> None:
    """One that does not fit is told, and stays where it is."""
    shared, gone = Shared(), HEAD.replace(f"  - {{model: {CLAUDE}, access_key: sk-aaaaaaaa}}\n", "")
    async with gate(shared=shared) as old:
        await old.ask(models=(CLAUDE,))
        async with gate(shared=shared, head=gone) as new:
            await new.ask(models=(GPT,), dry_run=True)
            assert new.said[0] == f"pin dropped: {CLAUDE} is not declared"
        assert await old.ask(models=(GPT,)) == CLAUDE


async def test_turns_of_the_user_are_routed_and_tool_results_held() -> None:
    """With `route_on_user_only`; each answer makes the pin last longer."""
    clock = FakeClock()
    loop = {"messages": [USER, CALL, RESULT]}
    async with gate(TURNS, clock=clock) as chain:
        assert await chain.ask(models=(CLAUDE,), requested="m") == CLAUDE
        assert chain.said == ["a turn of the user, to be routed", f"pinned to {CLAUDE} for 600 s"]
        for _ in range(3):
            await clock.sleep(400)
            assert await chain.ask(models=(GPT,), body=loop, requested="m") == CLAUDE
            assert chain.said == [f"held to {CLAUDE}"]
        assert await chain.ask(models=(LLAMA,), requested="m") == LLAMA
        assert await chain.ask(models=(GPT,), body=loop, requested="m") == LLAMA
        assert chain.count("plano_affinity_lookups", result="user_turn") == 2


async def test_what_is_told_of_a_session() -> None:
    """Its id as the client wrote it, and whether it came with a model."""
    keyed = {"messages": [USER], "prompt_cache_key": "k"}
    async with gate(client_keys=("prompt_cache_key",)) as chain:
        await chain.ask(None)
        assert chain.seen[-1].state.get(SessionInfo) is None
        for body, name, told in ((None, " s:1 ", "s:1"), (keyed, None, "k")):
            for pinned in (False, True):
                await chain.ask(name, body=body)
                assert chain.seen[-1].state[SessionInfo] == SessionInfo(told, pinned=pinned)


async def test_a_turn_of_the_user_tells_whether_its_session_had_a_model() -> None:
    """It is routed all the same."""
    async with gate(TURNS, implicit=True) as chain:
        for pinned in (False, True):
            await chain.ask(None, requested="m")
            info = chain.seen[-1].state[SessionInfo]
            assert (info.id[:9], info.pinned, info.switched) == ("implicit:", pinned, False)
            assert chain.seen[-1].state.get(Pin) is None


async def test_a_side_call_does_not_move_the_main_loop() -> None:
    """With `route_on_user_only`, each requested model has a pin of its own."""
    loop = {"messages": [USER, CALL, RESULT]}
    async with gate(TURNS) as chain:
        await chain.ask(models=(CLAUDE,), requested="big")
        await chain.ask(models=(LLAMA,), requested="small")

        assert await chain.ask(models=(GPT,), body=loop, requested="big") == CLAUDE
        assert await chain.ask(models=(GPT,), body=loop, requested="small") == LLAMA


@pytest.mark.parametrize(
    ("preferences", "config", "served"),
    [
        ("", {}, GPT),
        ("", {"implicit": True}, CLAUDE),
        (f"routing_preferences: [{{name: a, description: b, models: [{GPT}]}}]", {}, CLAUDE),
        (
            f"routing_preferences: [{{name: a, description: b, models: [{GPT}]}}]",
            {"implicit": False},
            GPT,
        ),
    ],
)
async def test_user_only_recognises_conversations_where_there_are_preferences(
    preferences: str, config: dict[str, Any], served: str
) -> None:
    """As in Plano; `implicit` says otherwise."""
    async with gate(f"{TURNS}\n{preferences}", **config) as chain:
        await chain.ask(None, models=(CLAUDE,), requested="m")
        loop = {"messages": [USER, CALL, RESULT]}

        assert await chain.ask(None, models=(GPT,), body=loop, requested="m") == served


async def test_a_redis_that_is_down_is_counted_and_in_nobodys_way() -> None:
    """The session is held by this process."""
    cache = f"{{type: redis, url: 'redis://:hush-hush@127.0.0.1:{free_port()}'}}"
    async with gate(f"routing: {{session_cache: {cache}}}") as chain:
        await chain.ask(models=(CLAUDE,))
        assert chain.said == [
            "no pin yet (redis: down)", f"pinned to {CLAUDE} here only: redis, down",
        ]  # fmt: skip
        assert await chain.ask() == CLAUDE
        assert chain.said == [f"held to {CLAUDE} (redis: down)"]
        assert chain.count("plano_affinity_failures", reason="down") == 3
        assert chain.count("plano_affinity_lookups", result="hit") == 1


async def test_two_gateways_and_a_poisoned_value() -> None:
    """They share a pin by Redis; whoever writes nonsense there changes nothing else."""
    async with redis_server() as redis:
        cache = f"routing: {{session_cache: {{type: redis, url: '{redis.url}'}}}}"
        async with gate(cache, deadline=1.0) as one, gate(cache, deadline=1.0) as other:
            await one.ask(models=(CLAUDE,))
            assert await other.ask() == CLAUDE
            await redis.call("SET", "plano:affinity:s", '{"model": "evil/model"}')
            assert await other.ask(models=(LLAMA,)) == LLAMA
            assert other.said[0] == "pin dropped: evil/model is not declared"
            await redis.call("SET", "plano:affinity:s", "}")
            assert await one.ask() == GPT
            assert one.count("plano_affinity_failures", reason="value") == 1


async def test_a_dry_run_does_not_drop_a_pin() -> None:
    """It says what a request would do; the pin is there for the one that does it."""
    async with gate() as chain:
        await chain.ask(models=("chatgpt/codex",))
        facts = [Candidates((CLAUDE,), CLAUDE, explicit=True)]
        dry = make_exchange(
            {"messages": [USER]}, path="/v1/messages", headers={"X-Model-Affinity": "s"},
            facts=facts,
        )  # fmt: skip
        dry.dry_run = True
        await chain.chain.links[0].filter.on_request(dry)

        assert [d.text for d in dry.decisions] == [
            "pin dropped: chatgpt/codex does not speak messages"
        ]
        body = {"input": "hi"}
        assert await chain.ask(models=(GPT,), path="/v1/responses", body=body) == "chatgpt/codex"
