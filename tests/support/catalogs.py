"""What the tests of prices work with: documents, catalogues in their real shapes, a clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from plano_filters import FactoryContext, load_text
from plano_filters.testing import make_context
from plano_filters.transport import UpstreamTransport

GPT, MINI, CLAUDE, LLAMA, OWN = (
    "openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-haiku-4-5",
    "together_ai/meta/llama", "vllm/own",
)  # fmt: skip
DOCUMENT = """\
version: v0.4.0
model_providers:
  - {model: openai/gpt-4o, access_key: sk-aaaaaaaa, default: true}
  - {model: openai/gpt-4o-mini, access_key: sk-aaaaaaaa}
  - {model: anthropic/claude-haiku-4-5, access_key: sk-aaaaaaaa}
  - {model: together_ai/meta/llama, access_key: sk-aaaaaaaa}
  - {model: vllm/own, base_url: "http://127.0.0.1:8000"}
filters: [alias, classify, rerank, upstream]
"""
MODELS_DEV: dict[str, Any] = {
    "reseller": {
        "id": "reseller", "name": "Reseller", "npm": "@ai-sdk/openai-compatible",
        "models": {"gpt-4o": {"id": "gpt-4o", "cost": {"input": 99, "output": 99}}},
    },
    "openai": {
        "id": "openai", "env": ["OPENAI_API_KEY"], "doc": "https://platform.openai.com/docs/models",
        "models": {
            "gpt-4o": {
                "id": "gpt-4o", "name": "GPT-4o", "attachment": True, "reasoning": False,
                "tool_call": True, "structured_output": True, "release_date": "2024-05-13",
                "modalities": {"input": ["text", "image"], "output": ["text"]},
                "cost": {"input": 2.5, "output": 10, "cache_read": 1.25},
                "limit": {"context": 128000, "output": 16384},
            },
            "gpt-4o-mini": {
                "id": "gpt-4o-mini", "tool_call": True,
                "modalities": {"input": ["text", "image"], "output": ["text"]},
                "cost": {"input": 0.15, "output": 0.6},
                "limit": {"context": 128000, "output": 16384},
            },
            "no-cost": {"id": "no-cost", "limit": {"context": 0, "output": 0}},
        },
    },
    "togetherai": {
        "id": "togetherai",
        "models": {
            "meta/llama": {
                "id": "meta/llama", "tool_call": False, "structured_output": False,
                "modalities": {"input": ["text"], "output": ["text"]},
                "cost": {"input": 0, "output": 0}, "limit": {"context": 8192, "output": 4096},
            }
        },
    },
    "google": {"models": {"gemini-2.5-pro": {"cost": {"input": 1.25, "output": 10}}}},
}  # fmt: skip
"""As https://models.dev/api.json is shaped, with its irregularities."""
DIGITALOCEAN: dict[str, Any] = {
    "data": [
        {
            "model_id": "openai-gpt-4o", "creator": "OpenAI",
            "pricing": {
                "input_price_per_million": 0.0000025, "output_price_per_million": 0.00001,
                "cache_read_input_price_per_million": 0.00000125,
            },
        },
        {
            "model_id": "gpt-4o-mini", "creator": "OpenAI",
            "pricing": {
                "input_price_per_million": 0.00000015, "output_price_per_million": 0.0000006,
                "input_cache_read": 0.000000075,
            },
        },
        {
            "model_id": "claude-haiku-4-5", "creator": "Anthropic",
            "pricing": {"input_price_per_million": None, "output_price_per_million": None},
        },
        {"model_id": "unpriced"},
        {"name": "a row without an id"},
    ]
}  # fmt: skip
"""As DigitalOcean's catalogue is shaped: USD per token in fields called per million."""


def bytes_of(document: object) -> bytes:
    """Write a document as a server would."""
    return json.dumps(document).encode()


class StepClock:
    """Time that passes only when the test lets it: a sleeper waits for `wake`."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._now = 1000.0
        self._asleep = asyncio.Semaphore(0)
        self._go = asyncio.Semaphore(0)

    def now(self) -> float:
        return self._now

    def time(self) -> float:
        return 1_800_000_000 + self._now

    def pass_(self, seconds: float) -> None:
        """Let time pass without waking anyone."""
        self._now += seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._asleep.release()
        await self._go.acquire()
        self._now += seconds

    async def asleep(self) -> None:
        """Wait until somebody sleeps."""
        async with asyncio.timeout(20):
            await self._asleep.acquire()

    async def next(self) -> None:
        """Let the sleeper's time pass, and wait until it sleeps again."""
        self._go.release()
        await self.asleep()


def sources(*declared: dict[str, Any]) -> str:
    """Return the document with these metrics sources."""
    return f"{DOCUMENT}model_metrics_sources: {json.dumps(declared)}\n"


@asynccontextmanager
async def real_context(
    text: str = DOCUMENT, clock: StepClock | None = None
) -> AsyncGenerator[FactoryContext]:
    """Return a context with a real transport, and a clock that the test moves."""
    loaded = load_text(text, env={})
    loaded.report.raise_errors()
    transport = UpstreamTransport()
    try:
        yield make_context(
            loaded.document,
            clock=clock or StepClock(),  # type: ignore[arg-type] # not a FakeClock, but a Clock
            transport=lambda: transport,
        )
    finally:
        await transport.aclose()
