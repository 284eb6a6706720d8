"""The life of one process: ready, drain, second signal, reload."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.framework.server.running import TEXT, chat, running, start_stream


async def test_sigterm_lets_a_stream_end(tmp_path: Path) -> None:
    """The stream comes to its proper end, no new client is taken, and the status is 0."""
    async with running(tmp_path) as gateway, aiohttp.ClientSession() as client:
        answer = await start_stream(client, gateway, delay_ms=50)
        gateway.signal(signal.SIGTERM)
        text = await answer.text()
        with pytest.raises(aiohttp.ClientConnectorError):
            async with aiohttp.ClientSession() as another:
                await chat(another, gateway)
        status = await gateway.ended()

    assert text.rstrip().endswith("data: [DONE]")
    assert status == 0
    assert not any("exception" in line for line in gateway.log)


async def test_readiness_goes_before_the_listener(tmp_path: Path) -> None:
    """In the drain delay load balancers learn of the end while requests are still answered."""
    options = ("--drain-delay", "1")
    async with running(tmp_path, *options) as gateway, aiohttp.ClientSession() as client:
        assert (await gateway.get("/readyz"))[0] == 200
        gateway.signal(signal.SIGINT)
        while (told := await gateway.get("/readyz"))[0] == 200:
            pass
        assert (told[0], told[1]["status"]) == (503, "draining")
        assert (await gateway.get("/healthz"))[0] == 200
        assert await chat(client, gateway) == 200
        assert await gateway.ended() == 0


async def test_the_drain_has_an_end(tmp_path: Path) -> None:
    """A stream that is longer than `limits.drain` is cut, and the status is still 0."""
    text = TEXT + "limits: {drain: 100ms}\n"
    async with running(tmp_path, text=text) as gateway, aiohttp.ClientSession() as client:
        answer = await start_stream(client, gateway, delay_ms=60_000)
        gateway.signal(signal.SIGTERM)
        with pytest.raises(aiohttp.ClientError):
            await answer.read()
        assert await gateway.ended() == 0


async def test_a_second_signal_leaves_at_once(tmp_path: Path) -> None:
    """Somebody who asks twice does not want to wait; the status says that streams were cut."""
    async with running(tmp_path) as gateway, aiohttp.ClientSession() as client:
        answer = await start_stream(client, gateway, delay_ms=60_000)
        gateway.signal(signal.SIGTERM)
        while (await gateway.get("/readyz"))[0] == 200:
            pass
        gateway.signal(signal.SIGTERM)
        assert await gateway.ended() == 1
        answer.close()


async def test_sighup_reloads_without_losing_a_request(tmp_path: Path) -> None:
    """Requests before, during and after reloads are all answered, wrong files in between or not."""
    async with running(tmp_path) as gateway, aiohttp.ClientSession() as client:
        stream = await start_stream(client, gateway, delay_ms=20)
        done = asyncio.Event()

        async def keep_asking() -> list[int]:
            statuses = []
            while not done.is_set():
                statuses.append(await chat(client, gateway))
            return statuses

        asking = asyncio.create_task(keep_asking())
        for number in range(1, 4):
            gateway.path.write_text(TEXT.replace("v0.4.0", "9"))
            gateway.signal(signal.SIGHUP)
            await gateway.logged("not reloaded", number)
            gateway.path.write_text(TEXT + f"# {number}\n")
            gateway.signal(signal.SIGHUP)
            await gateway.logged("reloaded the configuration, generation", number)
        done.set()
        statuses = await asking
        text = await stream.text()
        _, shown = await gateway.get("/-/config")
        metrics = await gateway.metrics()

    assert set(statuses) == {200}
    assert text.rstrip().endswith("[DONE]")
    assert (shown["generation"], shown["reload_error"]) == (4, None)
    assert metrics['plano_config_reloads_total{result="done"}'] == 3
    assert metrics['plano_config_reloads_total{result="failed"}'] == 3


async def test_a_wrong_file_keeps_the_old_chain_and_is_shown(tmp_path: Path) -> None:
    """The log and the admin listener have the located problem; requests go on as before."""
    async with running(tmp_path) as gateway, aiohttp.ClientSession() as client:
        gateway.path.write_text(TEXT + "filters: [alias, upstraem]\n")
        gateway.signal(signal.SIGHUP)
        line = await gateway.logged("not reloaded")
        _, details = await gateway.get("/readyz")
        _, shown = await gateway.get("/-/config")
        status = await chat(client, gateway)

    assert "plano.yaml:6" in line["event"]
    assert "upstraem" in details["reload_error"]
    assert (shown["generation"], status) == (1, 200)
    used = [one["use"] for one in shown["document"]["filters"]]
    assert used == ["alias", "affinity", "classify", "rerank", "upstream"]


async def test_a_change_of_the_file_is_noticed(tmp_path: Path) -> None:
    """With --watch no signal is needed."""
    async with running(tmp_path, "--watch") as gateway:
        gateway.path.write_text(TEXT + "model_aliases: {quick: {target: mock/fast}}\n")
        await gateway.logged("generation 2")


async def test_what_a_reload_cannot_change_is_said(tmp_path: Path) -> None:
    """A listener that moved in the file keeps its place until a restart, and the log says so."""
    async with running(tmp_path) as gateway, aiohttp.ClientSession() as client:
        gateway.path.write_text(TEXT.replace("port: 0", "port: 1"))
        gateway.signal(signal.SIGHUP)
        await gateway.logged("listeners changed; restart")
        assert await chat(client, gateway) == 200
