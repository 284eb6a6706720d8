"""DigitalOcean's catalogue of models and prices.

Source: `{"data": [{"model_id", "creator"?, "pricing": {"input_price_per_million", ...}}]}` at
https://api.digitalocean.com/v2/gen-ai/models/catalog, public. What its fields call per million is
USD per token there, so the document as a whole says which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from plano_filters.prices.catalog import Catalog, Model, rates, scaled
from plano_filters.prices.rates import Rates

URL: Final = "https://api.digitalocean.com/v2/gen-ai/models/catalog"


def parse(text: bytes, aliases: Mapping[str, str]) -> Catalog:
    """Read the catalogue.

    Args:
        text: JSON.
        aliases: Declared models by the catalogue's names.

    Raises:
        ValueError: It is no such catalogue, or has no usable price.
    """
    document = orjson.loads(text)
    items = document.get("data") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise ValueError('no catalogue of DigitalOcean: "data" is no list')
    found: dict[str, Model] = {}
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("model_id"), str):
            continue  # one bad row does not spoil the others
        read = _rates(item.get("pricing"))
        if read is None:
            continue
        for name in _names(item):
            found.setdefault(name, Model(read))
    if not found:
        raise ValueError("a catalogue of DigitalOcean without a price")
    found |= {mine: found[theirs] for theirs, mine in aliases.items() if theirs in found}
    return Catalog(scaled(found))


def _names(item: Mapping[str, Any]) -> list[str]:
    """Return what a row is known by: raw, by its creator, and as served by DigitalOcean."""
    model_id, creator = item["model_id"], item.get("creator")
    found = [model_id, f"digitalocean/{model_id}"]
    if isinstance(creator, str) and creator.strip():
        found.append(f"{creator.strip().lower()}/{model_id}")
    return found


def _rates(pricing: object) -> Rates | None:
    if not isinstance(pricing, dict):
        return None
    cached = pricing.get("cache_read_input_price_per_million")
    if cached is None:
        cached = pricing.get("input_cache_read")
    return rates(
        pricing.get("input_price_per_million"), pricing.get("output_price_per_million"), cached
    )
