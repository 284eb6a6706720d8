"""The catalogue of models.dev: prices, and what models take.

Source: `{provider: {"models": {id: {"cost": {"input", "output", "cache_read"?, "cache_write"?,
"context_over_200k"?}, "tool_call"?, "structured_output"?, "modalities"?: {"input"},
"limit"?: {"context"}}}}}` at https://models.dev/api.json; USD per million tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from plano_filters import providers
from plano_filters.prices.catalog import (
    Ability,
    Catalog,
    Model,
    context,
    flag,
    rates,
    scaled,
)
from plano_filters.prices.rates import Rates, Tier

URL: Final = "https://models.dev/api.json"
LONG: Final = 200_000
"""Prompt tokens above which `context_over_200k` holds."""
_RATES: Final = ("input", "output", "cache_read", "cache_write")
PROVIDERS: Final[Mapping[str, str]] = {
    "alibaba": "qwen",
    "amazon-bedrock": "amazon_bedrock",
    "azure": "azure_openai",
    "fireworks-ai": "fireworks",
    "github-models": "github",
    "google": "gemini",
    "llama": "meta",
    "nvidia": "nvidia_nim",
    "togetherai": "together_ai",
    "zhipuai": "zhipu",
}
"""Our prefixes of its providers, where they differ."""
FIRST_PARTY: Final = (
    "openai", "anthropic", "google", "mistral", "deepseek", "xai", "moonshotai", "alibaba",
    "zai", "zhipuai", "minimax", "xiaomi", "llama", "cohere", "perplexity",
)  # fmt: skip
"""Providers whose models are their own. A bare id means theirs, not a reseller's."""


def parse(text: bytes, aliases: Mapping[str, str]) -> Catalog:
    """Read the catalogue.

    Args:
        text: JSON.
        aliases: Declared models by the catalogue's names.

    Raises:
        ValueError: It is no such catalogue, or has no usable price.
    """
    document = orjson.loads(text)
    if not isinstance(document, dict):
        raise ValueError("no catalogue of models.dev: it is no object")
    found: dict[str, Model] = {}
    for provider, model_id, model in _models(document):
        for name in (f"{provider}/{model_id}", f"{_prefix(provider)}/{model_id}", model_id):
            found.setdefault(name, model)
    if all(model.rates is None for model in found.values()):
        raise ValueError("a catalogue of models.dev without a price")
    found |= {mine: found[theirs] for theirs, mine in aliases.items() if theirs in found}
    return Catalog(scaled(found))


def _prefix(provider: str) -> str:
    return PROVIDERS.get(provider) or providers.canonical(provider)


def _models(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Model]]:
    """Yield provider, id and model, the makers of models before their resellers."""
    makers = [name for name in FIRST_PARTY if name in document]
    for provider in dict.fromkeys([*makers, *document]):
        held = document[provider]
        models = held.get("models") if isinstance(held, dict) else None
        for model_id, about in models.items() if isinstance(models, dict) else ():
            if isinstance(about, dict):
                yield provider, model_id, _model(about)


def _model(about: Mapping[str, Any]) -> Model:
    cost, modes, limit = (_dict(about.get(key)) for key in ("cost", "modalities", "limit"))
    reads = modes.get("input")
    return Model(
        _rates(cost),
        Ability(
            images="image" in reads if isinstance(reads, list) and reads else None,
            tools=flag(about.get("tool_call")),
            structured=flag(about.get("structured_output")),
            context=context(limit.get("context")),
        ),
    )


def _rates(cost: Mapping[str, Any]) -> Rates | None:
    made = rates(*(cost.get(key) for key in _RATES))
    longer = cost.get("context_over_200k")
    more = rates(*(longer.get(key) for key in _RATES)) if isinstance(longer, dict) else None
    return (
        replace(made, long=(Tier(LONG, more),)) if made is not None and more is not None else made
    )


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
