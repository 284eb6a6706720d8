"""The `auth` filter in front of a chain."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import httpx
import openai
import pytest
import pytest_asyncio

from tests.support.answers import SAID
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.provider import FakeProvider

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "team-a-key-0123456789abcdef"
DOCUMENT = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers: [{model: openai/main, access_key: $MAIN_KEY, base_url: $MAIN_URL}]
filters:
  - auth: {keys: [{id: team-a, key: $TEAM_A_KEY}]}
  - alias
  - upstream
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded() -> AsyncGenerator[tuple[RunningGateway, FakeProvider]]:
    """Start a gateway that wants a key."""
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(FakeProvider().serve())
        env = {"MAIN_KEY": "sk-main", "MAIN_URL": provider.url, "TEAM_A_KEY": KEY}
        yield await stack.enter_async_context(run_gateway(DOCUMENT, env)), provider


async def test_the_right_key(guarded: tuple[RunningGateway, FakeProvider]) -> None:
    """A key that is configured is let in, its holder is in the log, and the key goes no further."""
    gateway, provider = guarded
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=KEY) as sdk:
        answer = await sdk.chat.completions.create(
            model="main", messages=[], extra_headers={"x-request-id": "right-key"}
        )

    assert answer.choices[0].message.content == SAID
    assert '"principal": "team-a"' in await gateway.line_with("right-key")
    assert KEY.encode() not in bytes(provider.wire)


@pytest.mark.parametrize("key", ["wrong", KEY[:-1], KEY + "x", KEY.upper()])
async def test_a_wrong_key(guarded: tuple[RunningGateway, FakeProvider], key: str) -> None:
    """Any other key is refused before a provider hears of it, and is not quoted."""
    gateway, provider = guarded
    seen = len(provider.requests)
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key) as sdk:
        with pytest.raises(openai.AuthenticationError) as raised:
            await sdk.chat.completions.create(model="main", messages=[])

    assert raised.value.code == "invalid_api_key"
    assert key not in raised.value.message
    assert len(provider.requests) == seen


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions"])
async def test_no_key(guarded: tuple[RunningGateway, FakeProvider], path: str) -> None:
    """Without a key nothing is told, not even which models there are."""
    gateway, _ = guarded
    method = "GET" if path.endswith("models") else "POST"
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as http:
        answer = await http.request(method, path, json={"model": "main"})

    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "authentication_error"


async def test_the_key_in_anthropics_header(
    guarded: tuple[RunningGateway, FakeProvider],
) -> None:
    """`x-api-key` does as well as `Authorization`."""
    gateway, _ = guarded
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as http:
        answer = await http.get("/v1/models", headers={"x-api-key": KEY})

    assert answer.status_code == 200
