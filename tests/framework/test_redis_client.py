"""What a store gets of a Redis: an answer, or in a word why there is none."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from redis import exceptions

from plano_filters.clock import SystemClock
from plano_filters.redis_client import TRIES, Failed, RedisClient, check_url, reason_of
from tests.support.redis import redis_server

PATIENT = 20.0
"""Seconds; a busy machine must not fail a test."""


class Impatient(SystemClock):
    """Real time, but a second is a hundredth."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 100)


def client_of(url: str) -> RedisClient:
    """Return a client that waits long."""
    return RedisClient(url, Impatient(), deadline=PATIENT, meanwhile="nobody waits", limit=PATIENT)


async def ask(client: RedisClient) -> Any:
    """Read a key; returns what it has, or why that failed."""
    try:
        return await client.ask(lambda redis: redis.get("k"))
    except Failed as failed:
        return failed.reason


async def test_it_is_asked_until_it_fails_and_again_when_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After so many failures nobody waits for it; one task asks it, and says when it is back."""
    caplog.set_level(logging.INFO)
    async with redis_server() as redis:
        client = client_of(redis.url)
        async with client.lifespan():
            assert await ask(client) is None
            await client.ask(lambda redis: redis.set("k", "v"))
            assert await ask(client) == b"v"
            await redis.stop()
            assert [await ask(client) for _ in range(TRIES + 1)] == ["connection"] * TRIES + [
                "down"
            ]
            await redis.start()
            async with asyncio.timeout(PATIENT):
                while await ask(client) is not None:
                    await asyncio.sleep(0)
        assert not client.busy

    place = f"redis at 127.0.0.1:{redis.port}"
    assert [record.message for record in caplog.records if "redis" in record.name] == [
        f"{place}: connection; until it is back, nobody waits",
        f"{place} is back",
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (exceptions.AuthenticationError("hush"), "auth"),
        (exceptions.NoPermissionError("hush"), "server"),
        (TimeoutError(), "timeout"),
        (exceptions.TimeoutError(), "timeout"),
        (exceptions.ConnectionError(), "connection"),
        (ConnectionResetError(), "connection"),
        (exceptions.ResponseError("hush"), "server"),
    ],
)
def test_every_failure_has_a_word(error: BaseException, reason: str) -> None:
    """One of a few, fit to be counted."""
    assert reason_of(error) == reason


@pytest.mark.parametrize("url", ["redis://h:port", "redis://h?nonsense=1", "http://h"])
def test_a_url_that_cannot_be_used_is_told_by_its_place(url: str) -> None:
    """Before anything connects, and without repeating it."""
    with pytest.raises(ValueError, match=r"^here cannot be used; it is redis://user") as caught:
        check_url(f"{url}&x=hush", "here")

    assert "hush" not in str(caught.value)


def test_a_url_that_can_be_used_is_taken() -> None:
    """With a password and a database."""
    check_url("rediss://user:pass%40word@host:6380/2", "here")
