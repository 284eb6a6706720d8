"""Several workers: one gateway to the outside."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.framework.server.running import TEXT, Running, chat, running, start_stream

TWO = ("--workers", "2")
ODD = """
from plano_filters import Filter, FilterConfig

class Odd(Filter[FilterConfig]):
    def report(self):
        return {"goes by": object()}
"""


async def pids(gateway: Running) -> list[int]:
    """Return the process ids of the workers that are ready."""
    _, details = await gateway.get("/readyz")
    return [worker["pid"] for worker in details["workers"] if worker["ready"]]


async def gone(pid: int) -> None:
    """Wait until a process has ended. It is no child of ours, so there is nothing to await."""
    async with asyncio.timeout(10):
        while Path(f"/proc/{pid}").exists():
            await asyncio.sleep(0.02)


async def test_sigterm_lets_the_streams_of_every_worker_end(tmp_path: Path) -> None:
    """The supervisor waits for the last stream of the last worker; the status is 0."""
    async with running(tmp_path, *TWO) as gateway, aiohttp.ClientSession() as client:
        workers = await pids(gateway)
        answers = [await start_stream(client, gateway, delay_ms=50) for _ in range(6)]
        gateway.signal(signal.SIGTERM)
        texts = [await answer.text() for answer in answers]
        with pytest.raises(aiohttp.ClientConnectorError):
            async with aiohttp.ClientSession() as another:
                await chat(another, gateway)
        status = await gateway.ended()
        for pid in workers:
            await gone(pid)

    assert len(workers) == 2
    assert all(text.rstrip().endswith("data: [DONE]") for text in texts)
    assert status == 0


async def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    """Another takes its place, the other one serves meanwhile, and the restart is counted."""
    async with running(tmp_path, *TWO) as gateway, aiohttp.ClientSession() as client:
        before = await pids(gateway)
        os.kill(before[0], signal.SIGKILL)
        await gateway.logged(f"worker {before[0]} ended with status -9")
        assert await chat(client, gateway) == 200
        async with asyncio.timeout(20):
            while len(after := await pids(gateway)) < 2:
                await asyncio.sleep(0.05)
        metrics = await gateway.metrics()

    assert set(before) & set(after) == {before[1]}
    assert metrics["plano_worker_restarts_total"] == 1


async def test_metrics_are_those_of_all_workers(tmp_path: Path) -> None:
    """Every request is counted, whoever served it, and still after its worker has died."""
    async with running(tmp_path, *TWO) as gateway:
        for _ in range(8):
            async with aiohttp.ClientSession() as client:
                assert await chat(client, gateway) == 200
        os.kill((await pids(gateway))[0], signal.SIGKILL)
        await gateway.logged("ended with status -9")
        metrics = await gateway.metrics()

    name = (
        'http_server_request_duration_seconds_count{http_request_method="POST",'
        'http_response_status_code="200",http_route="/v1/chat/completions"}'
    )
    assert metrics[name] == 8
    assert metrics["plano_inflight"] == 0


async def test_every_worker_reloads(tmp_path: Path) -> None:
    """A new document reaches all of them before the reload is reported."""
    text = TEXT + "model_aliases: {quick: {target: mock/fast}}\n"
    async with running(tmp_path, *TWO) as gateway:
        gateway.path.write_text(text)
        async with (
            aiohttp.ClientSession() as admin,
            admin.post(f"{gateway.admin}/-/reload") as answer,
        ):
            told = await answer.json()
        statuses = []
        for _ in range(8):
            async with aiohttp.ClientSession() as client:
                statuses.append(await chat(client, gateway, "quick"))
        metrics = await gateway.metrics()

    assert told == {"reloaded": True, "generation": 2}
    assert statuses == [200] * 8
    assert metrics['plano_config_reloads_total{result="done"}'] == 1


async def test_a_wrong_file_reaches_no_worker(tmp_path: Path) -> None:
    """The supervisor keeps it, tells why, and starts new workers with the last right one."""
    async with running(tmp_path, *TWO) as gateway, aiohttp.ClientSession() as client:
        gateway.path.write_text("listeners: 7\n")
        gateway.signal(signal.SIGHUP)
        await gateway.logged("not reloaded")
        _, details = await gateway.get("/readyz")
        before = await pids(gateway)
        os.kill(before[0], signal.SIGKILL)
        await gateway.logged("ended with status -9")
        async with asyncio.timeout(20):
            while len(await pids(gateway)) < 2:
                await asyncio.sleep(0.05)
        status = await chat(client, gateway)

    assert "listeners" in details["reload_error"]
    assert status == 200


async def test_workers_end_with_their_supervisor(tmp_path: Path) -> None:
    """When the supervisor is killed, no worker is left behind on its port."""
    async with running(tmp_path, *TWO) as gateway:
        workers = await pids(gateway)
        gateway.signal(signal.SIGKILL)
        for pid in workers:
            await gone(pid)


async def test_a_second_signal_ends_every_worker(tmp_path: Path) -> None:
    """Nothing is left of a supervisor that was told twice."""
    async with running(tmp_path, *TWO) as gateway, aiohttp.ClientSession() as client:
        workers = await pids(gateway)
        answer = await start_stream(client, gateway, delay_ms=60_000)
        gateway.signal(signal.SIGTERM)
        while (await gateway.get("/readyz"))[0] == 200:
            pass
        gateway.signal(signal.SIGTERM)
        assert await gateway.ended() == 1
        for pid in workers:
            await gone(pid)
        answer.close()


async def test_a_worker_explains_for_its_supervisor(tmp_path: Path) -> None:
    """Many questions at once get their own answers; one that is too large is refused."""
    async with running(tmp_path, *TWO) as gateway, aiohttp.ClientSession() as client:

        async def explained(model: str) -> tuple[str, list[str]]:
            body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
            async with client.post(f"{gateway.admin}/-/explain", json=body) as answer:
                found = await answer.json()
            return found["requested"], found["verdict"]["models"]

        found = await asyncio.gather(*(explained(f"mock/m{number}") for number in range(8)))
        large = io.BytesIO(b'{"input": "%b"}' % (b"x" * 5_000_000))
        async with client.post(f"{gateway.admin}/-/explain", data=large) as answer:
            assert answer.status == 413

    assert [requested for requested, _ in found] == [f"mock/m{number}" for number in range(8)]


async def test_every_worker_says_what_its_filters_go_by(tmp_path: Path) -> None:
    """Each reads its sources for itself, so each is asked."""
    async with running(tmp_path, *TWO) as gateway:
        workers = await pids(gateway)
        status, told = await gateway.get("/-/sources")

    assert status == 200
    assert sorted(one["pid"] for one in told["workers"]) == sorted(workers)
    for one in told["workers"]:
        assert one["sources"]["rerank"]["cost"]["used"] == "genai-prices"


async def test_a_report_that_fails_costs_no_worker(tmp_path: Path) -> None:
    """What cannot be written as JSON is an error of that answer; the worker serves on."""
    (tmp_path / "odd.py").write_text(ODD)
    text = TEXT + 'filters: [{use: "./odd.py:Odd"}, alias, upstream]\n'
    async with running(tmp_path, *TWO, text=text) as gateway, aiohttp.ClientSession() as client:
        workers = await pids(gateway)
        first = (await gateway.get("/-/sources"))[1]["workers"]
        assert await chat(client, gateway) == 200
        second = (await gateway.get("/-/sources"))[1]["workers"]

    assert first == second
    assert sorted(one["pid"] for one in first) == sorted(workers)
    assert [one["error"] for one in first] == ["Object of type object is not JSON serializable"] * 2
