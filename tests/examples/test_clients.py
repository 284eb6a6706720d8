"""The examples together in a running gateway, with the official SDKs in front of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest
import pytest_asyncio

from tests.examples.test_examples import EXAMPLES, NAMES
from tests.support.distributions import install, installed_env
from tests.support.gateway import run_gateway

CHAIN = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers: [{model: mock/fast, default: true}, {model: mock/smart}]
filters:
  - prompt_cache
  - pii_redact
  - alias
  - ab_split: {experiments: [{name: exp, arms: [{name: smart, model: mock/smart}]}]}
  - upstream
"""
MAIL = "ann.lee@mail.example"
NO_DELAY = {"x-mock-delay-ms": "0"}
TOOL = {"type": "object", "properties": {"where": {"type": "string"}}}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True)
class Clients:
    """Both SDKs."""

    openai: openai.AsyncOpenAI
    anthropic: anthropic.AsyncAnthropic


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Clients]:
    """Serve one gateway with all three examples installed."""
    folders = [install(EXAMPLES / name, tmp_path_factory.mktemp(name)) for name in NAMES]
    options: dict[str, Any] = {"api_key": "none", "max_retries": 0, "default_headers": NO_DELAY}
    async with (
        run_gateway(CHAIN, installed_env(*folders)) as gateway,
        openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", **options) as one,
        anthropic.AsyncAnthropic(base_url=gateway.url, **options) as other,
    ):
        yield Clients(one, other)


async def test_chat(clients: Clients) -> None:
    """Streamed by the model, then from memory, then as a document: all say the same."""
    asked: Any = {"model": "fast", "messages": [{"role": "user", "content": f"I am {MAIL}"}]}
    texts = []
    for expected in ("miss", "hit"):
        raw = await clients.openai.chat.completions.with_raw_response.create(**asked, stream=True)
        chunks = [chunk async for chunk in raw.parse()]
        texts.append("".join(c.choices[0].delta.content or "" for c in chunks if c.choices))

        assert raw.headers["x-cache"] == expected
        assert raw.headers["x-plano-model"] == "mock/smart"
        assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    plain = await clients.openai.chat.completions.create(**asked)
    texts.append(plain.choices[0].message.content or "")

    assert len(set(texts)) == 1
    assert texts[0].endswith(f"You said: I am {MAIL}")


async def test_a_tool_is_called_from_memory(clients: Clients) -> None:
    """The SDK puts the call together from the events of a kept document."""
    function = {"name": "look", "parameters": TOOL}
    asked: Any = {
        "model": "fast",
        "messages": [{"role": "user", "content": "look"}],
        "tools": [{"type": "function", "function": function}],
    }
    plain = await clients.openai.chat.completions.create(**asked)
    async with clients.openai.chat.completions.stream(**asked) as stream:
        final = await stream.get_final_completion()
    (called,), (again,) = (one.choices[0].message.tool_calls or [] for one in (plain, final))

    assert called.type == again.type == "function"
    assert (again.id, again.function.name) == (called.id, "look")
    assert again.function.arguments == called.function.arguments


async def test_responses(clients: Clients) -> None:
    """Every event of the replay is one the SDK knows, and its last has the whole answer."""
    asked: Any = {"model": "fast", "input": f"I am {MAIL}"}
    first = await clients.openai.responses.create(**asked)
    raw = await clients.openai.responses.with_raw_response.create(**asked, stream=True)
    text, last = "", None
    async for event in raw.parse():
        text += event.delta if event.type == "response.output_text.delta" else ""
        last = event

    assert raw.headers["x-cache"] == "hit"
    assert text == first.output_text
    assert text.endswith(MAIL)
    assert last is not None
    assert last.type == "response.completed"
    assert last.response.output_text == first.output_text


async def test_messages(clients: Clients) -> None:
    """Anthropic's SDK, which checks the order of events, puts the replay together."""
    asked: Any = {
        "model": "fast", "max_tokens": 99,
        "messages": [{"role": "user", "content": f"I am {MAIL}"}],
    }  # fmt: skip
    async with clients.anthropic.messages.stream(**asked) as stream:
        first = await stream.get_final_message()
    async with clients.anthropic.messages.stream(**asked) as stream:
        again = await stream.get_final_message()
        cached = stream.response.headers["x-cache"]

    assert cached == "hit"
    assert again.to_dict() == first.to_dict()
    assert first.content[0].type == "text"
    assert first.content[0].text.endswith(MAIL)
