"""`run --dev` as the writer of a filter uses it: save, ask again."""

from __future__ import annotations

import asyncio

import httpx

from tests.framework.test_local import DOCUMENT, FILTER
from tests.support.gateway import RunningGateway, run_gateway

ASK = {"model": "mock/gpt-mock", "messages": [{"role": "user", "content": "Hello"}]}


async def stamp_of(http: httpx.AsyncClient, gateway: RunningGateway) -> str | None:
    answer = await http.post(f"{gateway.url}/v1/chat/completions", json=ASK)
    assert answer.status_code == 200
    stamp: str | None = answer.headers.get("x-stamp")
    return stamp


async def test_a_saved_filter_serves_the_next_request() -> None:
    """A broken one is told and the old one stays; requests are printed with their decisions."""
    document = DOCUMENT.replace("  - ./stamper.py:Stamper: {text: seen}\n", "")
    async with (
        run_gateway(document, arguments=("--dev",)) as gateway,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        assert await stamp_of(http, gateway) is None
        file = gateway.path.with_name("stamper.py")
        file.write_text(FILTER)
        gateway.path.write_text(DOCUMENT)
        await until(http, gateway, "seen")

        file.write_text("def broken(:\n")
        await gateway.line_with("SyntaxError at line 1", where=gateway.stderr)
        assert await stamp_of(http, gateway) == "seen"

        file.write_text(FILTER.replace("Stamp(self.config.text).text", '"again"'))
        await until(http, gateway, "again")
        await gateway.line_with("served by mock/gpt-mock")


async def until(http: httpx.AsyncClient, gateway: RunningGateway, stamp: str) -> None:
    async with asyncio.timeout(10):
        while await stamp_of(http, gateway) != stamp:
            await asyncio.sleep(0.05)
