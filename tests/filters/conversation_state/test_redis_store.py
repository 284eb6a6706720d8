"""Responses in a real Redis: shared, ended by Redis, and never half there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from plano_builtin_filters.conversation_state import ConversationStateConfig
from plano_builtin_filters.conversation_state.core import OURS
from plano_builtin_filters.conversation_state.redis_store import RedisStore
from plano_builtin_filters.conversation_state.store import Unreachable
from plano_filters.clock import SystemClock
from plano_filters.redis_client import TRIES
from tests.filters.conversation_state.stand import GPT, Gate, answered, gate, said
from tests.support.redis import RedisServer, redis_server

PATIENT = 20.0
"""Seconds; a busy machine must not fail a test."""
KEYS = "plano:conversation:*"


class Impatient(SystemClock):
    """Real time, but a second is a hundredth."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 100)


@asynccontextmanager
async def storing(url: str) -> AsyncGenerator[RedisStore]:
    """Start a store."""
    store = RedisStore(url, Impatient(), deadline=PATIENT)
    async with store.lifespan():
        yield store


@asynccontextmanager
async def shared_gate(redis: RedisServer) -> AsyncGenerator[Gate]:
    """Start a chain that keeps its responses in a Redis."""
    more = f"state_storage: {{type: redis, connection_string: '{redis.url}'}}"
    async with gate(ConversationStateConfig(ttl=600, deadline=PATIENT), more=more) as it:
        yield it


async def test_what_one_gateway_keeps_another_continues() -> None:
    """For its time, which Redis counts; the key tells nothing of who asked."""
    async with redis_server() as redis, shared_gate(redis) as one, shared_gate(redis) as other:
        first = await one.ask({"input": "hi"}, principal="ann")
        body = {"input": "on", "previous_response_id": first["id"]}
        await other.ask(body, principal="ann")
        foreign = await other.ask(body, principal="bob")
        key, *_ = await redis.call("KEYS", KEYS)
        left = await redis.call("PTTL", key.decode())

        assert other.seen[0].request.payload["input"] == [said("hi"), answered("well"), said("on")]
        assert foreign["error"]["code"] == "previous_response_not_found"
        assert 500_000 < left <= 600_000
        assert b"ann" not in key
        assert first["id"].encode() not in key


async def test_redis_ends_a_response() -> None:
    """Nobody else counts."""
    async with redis_server() as redis, storing(redis.url) as store:
        await store.put("k", b"v", 600)
        assert await store.get("k") == b"v"
        await store.put("k", b"v", 0.001)
        async with asyncio.timeout(PATIENT):
            while await redis.call("EXISTS", "plano:conversation:k"):
                await asyncio.sleep(0)
        assert await store.get("k") is None


async def test_without_redis_a_conversation_is_refused_and_never_cut_short() -> None:
    """A first turn is answered, and says that it is not kept; with Redis back, all is as before."""
    async with redis_server() as redis, shared_gate(redis) as it:
        first = await it.ask({"input": "hi"})
        await redis.stop()
        body = {"input": "on", "previous_response_id": first["id"]}
        for _ in range(TRIES + 1):
            refused = await it.ask(body)
            assert refused["error"]["code"] == "state_unavailable"
        assert await answer_without_state(it) == ["not kept: redis, down"]
        foreign = await it.ask({**body, "previous_response_id": "resp_x"}, models=(GPT,))
        assert foreign["id"] == "resp_1"
        assert it.told == ["left to the provider (redis: down)"]
        await redis.start()  # empty
        async with asyncio.timeout(PATIENT):
            while (await it.ask(body))["error"]["code"] == "state_unavailable":
                await asyncio.sleep(0.01)
        assert (await it.ask(body))["error"]["code"] == "previous_response_not_found"
        assert it.count("lookups", "failed") >= TRIES + 2


async def answer_without_state(it: Gate) -> list[str]:
    """Ask for what cannot be kept; returns what is said about that."""
    answer = await it.ask({"input": "hi"})
    assert answer["id"].startswith(OURS)
    assert answer["store"] is False
    return it.told


async def test_a_foreign_value_is_no_conversation() -> None:
    """It is refused like one that is gone, even where a provider might know the id."""
    async with redis_server() as redis, shared_gate(redis) as it:
        first = await it.ask({"input": "hi"}, store=True, models=(GPT,))
        [key] = await redis.call("KEYS", KEYS)
        await redis.call("SET", key.decode(), '{"items": "none"}')
        body = {"input": "on", "previous_response_id": first["id"]}
        answer = await it.ask(body, models=(GPT,))

        assert answer["error"]["code"] == "previous_response_not_found"


async def test_a_full_redis_is_said() -> None:
    """The answer goes its way."""
    full = ("--maxmemory", "1", "--maxmemory-policy", "noeviction")
    async with redis_server(*full) as redis, shared_gate(redis) as it:
        answer = await it.ask({"input": "hi"})
        assert answer["store"] is False
        assert it.told == ["not kept: redis, server"]


async def test_neither_passwords_nor_prompts_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Not by the log, nor by an error."""
    caplog.set_level(logging.DEBUG)
    async with redis_server(password="hush-hush") as redis, storing(redis.url) as store:
        await store.put("k", b"hush-prompt", 60)
        await redis.stop()
        with pytest.raises(Unreachable) as caught:
            await store.put("k", b"hush-prompt", 60)

    assert "hush" not in caplog.text + repr(caught.value) + "".join(
        str(record.args) for record in caplog.records
    )
