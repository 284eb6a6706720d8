"""Write the bundled prices from the data of `genai-prices` (MIT licence, Pydantic).

pip install genai-prices && python tools/update_prices.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices.data import providers as priced

from plano_filters.providers import PROVIDERS

TARGET = Path(__file__).parent.parent / "plano_filters/prices/prices.json"
TODAY = datetime.now(UTC).date()


def main() -> None:
    """Write the file."""
    by_id = {provider.id: provider for provider in priced}
    found = {}
    for name, row in PROVIDERS.items():
        provider = by_id.get(row.prices or name)
        rows = [made for model in provider.models if (made := entry(model))] if provider else []
        if rows:
            found[name] = rows
    source = f"genai-prices {version('genai-prices')}, MIT"
    lines = ",\n".join(
        f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]"
        for name, rows in found.items()
    )
    head = f'{{"source": {json.dumps(source)}, "date": "{TODAY}", "providers": {{\n'
    TARGET.write_text(f"{head}{lines}\n}}}}\n", encoding="utf-8")


RATES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
}
"""Our names of its rates."""


def entry(model: Any) -> dict[str, Any] | None:
    """Return a model as the file has it; None if it has no price and no context."""
    prices = current(model.prices)
    known: dict[str, Any] = rates(prices, 0)
    if "input" in known and "embed" in model.id.lower():
        known.setdefault("output", 0.0)  # there are no output tokens
    longer = [[start, rates(prices, start + 1)] for start in starts(prices)]
    if longer:
        known["long"] = longer
    if model.context_window is not None:
        known["context"] = model.context_window
    if not {"input", "output"} <= known.keys() and "context" not in known:
        return None
    return {"match": sorted({f"={model.id.lower()}", *rules(model.match)}), **known}


def rates(prices: Any, tokens: int) -> dict[str, float]:
    """Return the known rates for a prompt of so many tokens."""
    found = {ours: rate(getattr(prices, theirs, None), tokens) for ours, theirs in RATES.items()}
    return {name: value for name, value in found.items() if value is not None}


def starts(prices: Any) -> list[int]:
    """Return the prompt lengths above which other rates hold."""
    tiered = [getattr(getattr(prices, theirs, None), "tiers", ()) for theirs in RATES.values()]
    return sorted({tier.start for tiers in tiered for tier in tiers})


def current(prices: Any) -> Any:
    """Return today's prices: the last that have begun; those of certain hours do not count."""
    if not isinstance(prices, list):
        return prices
    begun = [
        one.prices
        for one in prices
        if one.constraint is None or getattr(one.constraint, "start_date", TODAY) <= TODAY
        if not hasattr(one.constraint, "start_time")
    ]
    return begun[-1] if begun else prices[0].prices


def rate(value: Any, tokens: int) -> float | None:
    """Return a rate, for a prompt of so many tokens if it depends on that."""
    found = getattr(value, "base", value)
    for tier in getattr(value, "tiers", ()):
        found = tier.price if tokens > tier.start else found
    return None if found is None else float(found)


def rules(clause: Any) -> Iterator[str]:
    """Yield a clause as rules of one character and a text; conjunctions are left out."""
    for kind, name in (
        ("=", "equals"),
        ("^", "starts_with"),
        ("$", "ends_with"),
        ("*", "contains"),
    ):
        if hasattr(clause, name):
            yield kind + getattr(clause, name).lower()
    for inner in getattr(clause, "or_", ()):
        yield from rules(inner)


if __name__ == "__main__":
    main()
