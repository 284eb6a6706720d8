"""Sessions over real sockets: two gateway processes, a real Redis, reloads."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx

from tests.support import behaviours
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.provider import FakeProvider
from tests.support.redis import redis_server

DOCUMENT = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers:
  - {model: vllm/one, base_url: $ONE_URL, default: true}
  - {model: vllm/two, base_url: $TWO_URL}
filters:
  - alias
  - affinity
  - upstream: {attempts: 1}
"""
SHARED = DOCUMENT.replace("  - affinity\n", "  - affinity: {deadline: 1s}\n") + (
    "routing: {session_cache: {type: redis, url: $REDIS_URL, tenant_header: x-tenant}}\n"
)
PASSWORD = "hush-hush-0123456789"


@dataclass(frozen=True, slots=True)
class Stand:
    """Gateways in front of the same two providers."""

    gateways: list[RunningGateway]
    one: FakeProvider
    two: FakeProvider
    http: httpx.AsyncClient

    async def ask(
        self,
        session: str,
        model: str = "one",
        gateway: int = 0,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Ask a gateway; returns the model that served."""
        answer = await self.http.post(
            f"{self.gateways[gateway].url}/v1/chat/completions",
            json={"model": model, "messages": [{"role": "user", "content": f"I am {session}"}]},
            headers={"x-model-affinity": session, **(headers or {})},
        )
        assert answer.status_code == 200, answer.text
        return answer.headers["x-plano-model"]

    async def counted(self, line: str) -> float:
        """Return a number of the first gateway's metrics; 0 if it is not there."""
        text = (await self.http.get(f"{self.gateways[0].admin_url}/metrics")).text
        found = [one for one in text.splitlines() if one.startswith(line)]
        return float(found[0].split()[-1]) if found else 0.0


@asynccontextmanager
async def standing(text: str, gateways: int = 1, redis: str = "") -> AsyncGenerator[Stand]:
    """Start gateways and providers."""
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(FakeProvider().serve()) for _ in range(2)]
        env = {"ONE_URL": one.url, "TWO_URL": two.url, "REDIS_URL": redis}
        started = [await stack.enter_async_context(run_gateway(text, env)) for _ in range(gateways)]
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=30))
        yield Stand(started, one, two, http)


async def test_a_session_follows_who_served_and_outlives_a_reload() -> None:
    """The first answer pins; a failure moves the pin; a reload keeps it, or drops what is gone."""
    async with standing(DOCUMENT) as stand:
        assert await stand.ask("s", "two") == "vllm/two"
        assert await stand.ask("s", "one") == "vllm/two"
        assert await stand.ask("other") == "vllm/one"
        stand.two.script(behaviours.status(500))
        assert await stand.ask("s", "two") == "vllm/one"
        assert await stand.ask("s", "two") == "vllm/one"
        await stand.ask("t", "two")

        [gateway] = stand.gateways
        gone = DOCUMENT.replace("  - {model: vllm/two, base_url: $TWO_URL}\n", "")
        gateway.path.write_text(gone, encoding="utf-8")
        gateway.process.send_signal(signal.SIGHUP)
        await gateway.line_with("configuration, generation 2", where=gateway.stderr, seconds=30)

        assert await stand.ask("s", "auto") == "vllm/one"
        assert await stand.ask("t", "one", headers={"x-request-id": "gone"}) == "vllm/one"
        line = json.loads(await gateway.line_with('"gone"'))
        assert "affinity: pin dropped: vllm/two is not declared" in line["decisions"]
        assert await stand.counted('plano_affinity_lookups_total{result="dropped"}') == 1


async def test_a_stream_pins_at_its_beginning() -> None:
    """The next request of the session need not wait for its end, nor need the client."""
    async with standing(DOCUMENT) as stand:
        stand.two.script(behaviours.stall(2))
        body = {"model": "two", "messages": [{"role": "user", "content": "hi"}], "stream": True}
        async with stand.http.stream(
            "POST",
            f"{stand.gateways[0].url}/v1/chat/completions",
            json=body,
            headers={"x-model-affinity": "s"},
        ) as answer:
            assert answer.status_code == 200
            assert await stand.ask("s", "one") == "vllm/two"


async def test_two_gateways_share_pins_and_nothing_else() -> None:
    """By Redis, under the documented key; tenants have their own; the password stays unseen."""
    async with (
        redis_server(password=PASSWORD) as redis,
        standing(SHARED, 2, redis.url) as stand,
    ):
        assert await stand.ask("demo", "two", 0, headers={"x-tenant": "acme"}) == "vllm/two"
        assert await stand.ask("demo", "one", 1, headers={"x-tenant": "acme"}) == "vllm/two"
        assert await stand.ask("demo", "one", 1) == "vllm/one"
        keys = await redis.call("KEYS", "*")
        value = await redis.call("GET", "plano:affinity:acme:demo")
        config = (await stand.http.get(f"{stand.gateways[0].admin_url}/-/config")).text
        written = "".join(
            line for one in stand.gateways for line in (*one.stdout, *one.stderr, config)
        )

    assert sorted(keys) == [b"plano:affinity:acme:demo", b"plano:affinity:demo"]
    assert json.loads(value) == {"model": "vllm/two", "route": None}
    assert PASSWORD not in written


async def test_redis_goes_and_comes_under_load() -> None:
    """Every request is answered, and by the model of its own session."""
    async with redis_server() as redis, standing(SHARED, 1, redis.url) as stand:
        [gateway] = stand.gateways
        stop, answered, grown = asyncio.Event(), 0, asyncio.Condition()

        async def use(number: int) -> None:
            nonlocal answered
            model = ("one", "two")[number % 2]
            while not stop.is_set():
                assert await stand.ask(f"session-{number}", model) == f"vllm/{model}"
                answered += 1
                async with grown:
                    grown.notify_all()

        async def more(requests: int) -> None:
            wanted = answered + requests
            async with asyncio.timeout(30), grown:
                await grown.wait_for(lambda: answered >= wanted)

        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(use(number))
            await more(50)
            await redis.stop()
            await gateway.line_with("until it is back", where=gateway.stderr)
            await more(50)
            await redis.start()
            await gateway.line_with(f"{redis.port} is back", where=gateway.stderr)
            await more(50)
            stop.set()
        failures = await stand.counted('plano_affinity_failures_total{reason="down"}')

    assert failures > 0


async def test_a_redis_that_is_not_there_stops_no_start() -> None:
    """Sessions are held by the gateway itself."""
    async with redis_server() as redis:
        await redis.stop()
        async with standing(SHARED, 1, redis.url) as stand:
            assert await stand.ask("s", "two") == "vllm/two"
            assert await stand.ask("s", "one") == "vllm/two"
            await redis.start()
            line = f"redis at 127.0.0.1:{redis.port} is back"
            await stand.gateways[0].line_with(line, where=stand.gateways[0].stderr)
            assert await stand.ask("s", "one") == "vllm/two"
            assert await redis.call("EXISTS", "plano:affinity:s") == 1
