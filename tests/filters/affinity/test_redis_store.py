"""Pins in a real Redis: shared, ended by Redis, and never in a request's way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from plano_builtin_filters.affinity.redis_store import RedisStore
from plano_builtin_filters.affinity.store import Found
from plano_filters import Pin
from plano_filters.clock import SystemClock
from plano_filters.redis_client import TRIES
from plano_filters.testing import FakeClock
from tests.framework.server.certificate import self_signed
from tests.support.gateway import free_port
from tests.support.redis import redis_server

PIN = Pin("openai/gpt-4o", "code")
PATIENT = 20.0
"""Seconds; a busy machine must not fail a test."""


class Impatient(SystemClock):
    """Real time, but a second is a hundredth."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 100)


@asynccontextmanager
async def storing(
    url: str, *, deadline: float = PATIENT, entries: int = 1000
) -> AsyncGenerator[RedisStore]:
    """Start a store."""
    store = RedisStore(url, Impatient(), deadline=deadline, entries=entries, limit=PATIENT)
    async with store.lifespan():
        yield store


async def back(store: RedisStore) -> None:
    """Wait until a store reaches its Redis again."""
    async with asyncio.timeout(PATIENT):
        while (await store.get("anything")).failure:
            await asyncio.sleep(0)


async def test_two_gateways_share_a_pin() -> None:
    """Under the documented key, as JSON, until Redis ends it."""
    async with redis_server() as redis, storing(redis.url) as one, storing(redis.url) as other:
        assert await one.get("acme:demo") == Found(None)
        assert await one.put("acme:demo", PIN, 600) is None
        assert await other.get("acme:demo") == Found(PIN)
        raw = await redis.call("GET", "plano:affinity:acme:demo")
        left = await redis.call("PTTL", "plano:affinity:acme:demo")
        assert await other.drop("acme:demo") is None
        gone = await one.get("acme:demo")

    assert json.loads(raw) == {"model": "openai/gpt-4o", "route": "code"}
    assert 590_000 < left <= 600_000
    assert gone == Found(None)


async def test_redis_ends_a_pin() -> None:
    """Nobody else counts: the pin of the shortest time is gone when Redis says so."""
    async with redis_server() as redis, storing(redis.url) as store:
        await store.put("s", PIN, 0.001)
        async with asyncio.timeout(PATIENT):
            while await redis.call("EXISTS", "plano:affinity:s"):
                await asyncio.sleep(0)
        assert await store.get("s") == Found(None)


async def test_a_password_is_shown_and_never_told(caplog: pytest.LogCaptureFixture) -> None:
    """With the right one there are pins; with a wrong one requests go on, and it is counted."""
    caplog.set_level(logging.DEBUG)
    async with redis_server(password="hush-hush") as redis:
        async with storing(redis.url) as store:
            assert await store.put("s", PIN, 60) is None
            assert await store.get("s") == Found(PIN)
        wrong = redis.url.replace("hush-hush", "hush-wrong")
        async with storing(wrong) as store:
            assert await store.get("s") == Found(None, "down")

    said = caplog.text + repr(store) + "".join(str(r.args) for r in caplog.records)
    assert f"redis at 127.0.0.1:{redis.port}: auth" in said
    assert "hush" not in said


async def test_over_tls(tmp_path: Path) -> None:
    """`rediss://` checks the certificate: the right authority is let in, any other is not."""
    certificate, key = self_signed(tmp_path)
    port = free_port()
    arguments = (
        "--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key),
        "--tls-auth-clients", "no",
    )  # fmt: skip
    async with redis_server(*arguments):
        url = f"rediss://localhost:{port}"
        async with storing(f"{url}?ssl_ca_certs={certificate}") as store:
            assert await store.put("s", PIN, 60) is None
            assert await store.get("s") == Found(PIN)
        async with storing(url) as store:
            assert (await store.get("s")).failure == "down"


async def test_down_at_the_start_and_there_later(caplog: pytest.LogCaptureFixture) -> None:
    """Pins are kept in the process, and told to Redis when it is there, with the time they have."""
    caplog.set_level(logging.INFO)
    async with redis_server() as redis:
        await redis.stop()
        async with storing(redis.url) as store:
            assert await store.get("s") == Found(None, "down")
            assert await store.put("s", PIN, 600) == "down"
            assert await store.get("s") == Found(PIN, "down")
            assert await store.drop("t") == "down"
            await redis.start()
            await back(store)
            assert await store.get("s") == Found(PIN)
            left = await redis.call("PTTL", "plano:affinity:s")

    assert 500_000 < left <= 600_000
    assert f"redis at 127.0.0.1:{redis.port} is back" in caplog.text


async def test_what_redis_was_told_is_remembered_while_it_is_down() -> None:
    """And after so many failures it is not asked at all, until it answers a PING."""
    async with redis_server() as redis, storing(redis.url) as store:
        await store.put("s", PIN, 600)
        await redis.stop()
        failures = [(await store.get("s")).failure for _ in range(TRIES + 1)]
        assert failures == ["connection"] * TRIES + ["down"]
        assert (await store.get("s")).record == PIN
        await redis.start()  # empty
        await back(store)
        assert await store.get("s") == Found(None)


@pytest.mark.parametrize(
    ("command", "failure"),
    [
        (("SET", "plano:affinity:s", "no pin"), "value"),
        (("LPUSH", "plano:affinity:s", "no text"), "server"),
    ],
)
async def test_a_foreign_value_is_no_pin(command: tuple[str, ...], failure: str) -> None:
    """It is counted and replaced; other sessions are not concerned."""
    async with redis_server() as redis, storing(redis.url) as store:
        await redis.call(*command)
        for _ in range(TRIES + 1):
            assert await store.get("s") == Found(None, failure)  # type: ignore[arg-type]
        assert await store.put("s", PIN, 60) is None
        assert await store.get("s") == Found(PIN)


async def test_a_full_redis_is_no_obstacle() -> None:
    """The pin is kept in the process."""
    full = ("--maxmemory", "1", "--maxmemory-policy", "noeviction")
    async with redis_server(*full) as redis, storing(redis.url) as store:
        assert await store.put("s", PIN, 60) == "server"
        assert await store.get("s") == Found(PIN)


def model_of(key: object) -> Pin:
    """Return the one pin that a key may have in the tests under load."""
    return Pin(f"model/of-{key}")


async def test_a_cancelled_request_leaves_no_reply_behind() -> None:
    """A thousand lookups are cancelled at random moments; then each key has its own value."""
    chance = random.Random(7)
    async with redis_server() as redis, storing(redis.url) as store:
        for key in range(100):
            await store.put(str(key), model_of(key), 600)

        async def leave(key: int) -> None:
            asking = asyncio.create_task(store.get(str(key)))
            for _ in range(chance.randrange(12)):
                await asyncio.sleep(0)
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                found = await asking
                assert found == Found(model_of(key))

        for _ in range(20):
            await asyncio.gather(*(leave(chance.randrange(100)) for _ in range(50)))
        found = await asyncio.gather(*(store.get(str(key)) for key in range(100)))

    assert found == [Found(model_of(key)) for key in range(100)]


async def test_a_late_reply_reaches_nobody_else() -> None:
    """A client leaves while its reply is under way: it is read to its end, and the connection,
    still the same, serves the next request with a reply of its own."""
    asked, answer = asyncio.Event(), asyncio.Event()
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while data := await reader.read(4096):
            if b"GET" not in data:
                writer.write(b"+PONG\r\n" if b"PING" in data else b"+OK\r\n" * data.count(b"*"))
                continue
            key = data.rpartition(b"plano:affinity:")[2].strip().decode()
            value = json.dumps({"model": f"model/of-{key}"}).encode()
            reply = b"$%d\r\n%b\r\n" % (len(value), value)
            writer.write(reply[:9])  # half of it
            asked.set()
            await answer.wait()
            writer.write(reply[9:])

    async with talking(talk) as url, storing(url) as store:
        leaving = asyncio.create_task(store.get("first"))
        await asked.wait()
        leaving.cancel()
        await asyncio.wait([leaving])
        answer.set()
        async with asyncio.timeout(PATIENT):
            while store._redis.busy:
                await asyncio.sleep(0)
        found = await store.get("second")

    assert leaving.cancelled()
    assert found == Found(model_of("second"))
    assert connections == 1


async def test_redis_stops_and_starts_under_load() -> None:
    """No request fails, and no reply crosses over to another request."""
    async with redis_server() as redis, storing(redis.url) as store:
        seen: dict[str, int] = {}
        stop, grown = asyncio.Event(), asyncio.Condition()

        async def use(worker: int) -> None:
            rounds = 0
            while not stop.is_set():
                key = f"{worker}-{rounds % 5}"
                await store.put(key, model_of(key), 600)
                found = await store.get(key)
                assert found.record == model_of(key)
                state = found.failure or "ok"
                seen[state] = seen.get(state, 0) + 1
                rounds += 1
                async with grown:
                    grown.notify_all()
                await asyncio.sleep(0)  # what is remembered is found without waiting

        async def until(state: str) -> None:
            before = seen.get(state, 0)
            async with asyncio.timeout(PATIENT), grown:
                await grown.wait_for(lambda: seen.get(state, 0) >= before + 100)

        async with asyncio.TaskGroup() as group:
            for worker in range(40):
                group.create_task(use(worker))
            for _ in range(3):
                await until("ok")
                await redis.stop()
                await until("down")
                await redis.start()
            await until("ok")
            stop.set()

    assert set(seen) <= {"ok", "connection", "down", "timeout"}


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def talking(talk: Talk) -> AsyncGenerator[str]:
    """Serve what only looks like a Redis."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def answering(answer: bytes) -> Talk:
    """Return a server that answers every GET so, and everything else with OK."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            if b"GET" in data:
                writer.write(answer)
            else:
                writer.write(b"+PONG\r\n" if b"PING" in data else b"+OK\r\n" * data.count(b"*"))
            await writer.drain()

    return talk


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"", "timeout"),
        (b"$100\r\nhalf a reply", "timeout"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "server"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "connection"),
        (b"-ERR unknown command, with args beginning with: 'hush-hush'\r\n", "server"),
    ],
)
async def test_whatever_answers_the_deadline_holds(
    answer: bytes, failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A request waits for the deadline, no longer, and goes on without a pin."""
    async with talking(answering(answer)) as url, storing(url, deadline=0.05) as store:
        began = time.perf_counter()
        found = await store.get("s")
        seconds = time.perf_counter() - began

    assert found == Found(None, failure)  # type: ignore[arg-type]
    assert seconds < PATIENT / 2
    assert "hush" not in caplog.text


async def test_a_server_that_hangs_from_the_start_holds_up_nobody() -> None:
    """The start waits a second at most, a request not at all."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            pass

    async with talking(hang) as url:
        store = RedisStore(url, FakeClock(), deadline=0.05, entries=10)
        async with store.lifespan():
            assert await store.get("s") == Found(None, "down")


async def test_more_requests_than_connections(caplog: pytest.LogCaptureFixture) -> None:
    """They wait for one another, and all are answered."""
    async with redis_server() as redis, storing(redis.url) as store:
        await asyncio.gather(*(store.put(str(k), model_of(k), 60) for k in range(500)))
        found = await asyncio.gather(*(store.get(str(k)) for k in range(500)))
        clients = await redis.call("CLIENT", "LIST")

    assert found == [Found(model_of(key)) for key in range(500)]
    assert len(clients.splitlines()) <= 34
    assert caplog.text == ""
