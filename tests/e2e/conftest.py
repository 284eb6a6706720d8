"""One gateway process and three scripted providers for each module of end-to-end tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeVar

import httpx
import openai
import pytest
import pytest_asyncio

from tests.support.gateway import RunningGateway, free_port, run_gateway
from tests.support.provider import FakeProvider

T = TypeVar("T")
CLIENT_KEY = "sk-client-0123456789"
MAIN_KEY = "sk-main-key-0123456789"
BACKUP_KEY = "sk-backup-key-0123456789"

DOCUMENT = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers:
  - {model: openai/main, access_key: $MAIN_KEY, base_url: $MAIN_URL, default: true}
  - {model: groq/backup, access_key: $BACKUP_KEY, base_url: $BACKUP_URL}
  - {model: openai/org/with:slash, access_key: $MAIN_KEY, base_url: $MAIN_URL}
  - {model: anthropic/claude, access_key: $BACKUP_KEY, base_url: $BACKUP_URL}
  - {model: openai/refused, access_key: $MAIN_KEY, base_url: $REFUSED_URL}
  - {model: openai/nowhere, access_key: $MAIN_KEY, base_url: "http://nowhere.invalid/v1"}
model_aliases: {fast: {target: main}}
routing_preferences:
  - name: code
    description: writing code
    models: [openai/main, groq/backup]
filters:
  - alias
  - upstream:
      attempts: 2
      backoff_base: 1ms
      first_byte_timeout: 2s
      idle_timeout: 3s
      keep_alive: 200ms
limits: {body: 65536}
"""


@dataclass(frozen=True, slots=True)
class Stand:
    """What an end-to-end test works with."""

    gateway: RunningGateway
    main: FakeProvider
    """Serves `openai/main`, at `/v1`."""
    backup: FakeProvider
    """Serves `groq/backup`, at `/openai/v1`."""
    sdk: openai.AsyncOpenAI
    """Does not retry by itself."""
    http: httpx.AsyncClient


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncGenerator[Stand]:
    """Start everything, once a module."""
    async with AsyncExitStack() as stack:
        main = await stack.enter_async_context(FakeProvider().serve())
        backup = await stack.enter_async_context(FakeProvider().serve())
        env = {
            "MAIN_KEY": MAIN_KEY,
            "BACKUP_KEY": BACKUP_KEY,
            "MAIN_URL": main.url,
            "BACKUP_URL": backup.url,
            "REFUSED_URL": f"http://127.0.0.1:{free_port()}/v1",
        }
        gateway = await stack.enter_async_context(run_gateway(DOCUMENT, env))
        sdk = openai.AsyncOpenAI(
            base_url=f"{gateway.url}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=20
        )
        await stack.enter_async_context(sdk)
        http = httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=20)
        await stack.enter_async_context(http)
        yield Stand(gateway, main, backup, sdk, http)


@pytest.fixture
def stand(running: Stand) -> Stand:
    """Return the running stand with nothing recorded and nothing scripted."""
    running.main.reset()
    running.backup.reset()
    return running


async def read_into(seen: list[T], stream: AsyncIterable[T]) -> None:
    """Read a stream to its end; what came before an error is in the list."""
    async for one in stream:
        seen.append(one)  # noqa: PERF401 - an extended list would lose what came before the error
