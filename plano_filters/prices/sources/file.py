"""Prices and abilities from a file of yours, YAML or JSON.

```yaml
models:
  openai/gpt-4o: {input: 2.5, output: 10, cache_read: 1.25, context: 128000, images: true}
  vllm/qwen3-32b: {input: 0.1, output: 0.1, tools: true, structured_output: false}
```

Names are full names; rates are USD per million tokens, and 0 means 0. Every key may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import yaml

from plano_filters.prices.catalog import Ability, Catalog, Model, context, flag, rates

KEYS: Final = frozenset({
    "input", "output", "cache_read", "cache_write", "cache_write_1h", "context", "images", "tools",
    "structured_output",
})  # fmt: skip


def parse(text: bytes, aliases: Mapping[str, str]) -> Catalog:
    """Read the file.

    Args:
        text: YAML, of which JSON is a part.
        aliases: Declared models by the file's names.

    Raises:
        ValueError: It is no such file, has an unknown key, or no model.
    """
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise ValueError("neither YAML nor JSON") from None
    models = document.get("models") if isinstance(document, dict) else None
    if not isinstance(models, dict) or not models:
        raise ValueError('no "models" in it')
    found: dict[str, Model] = {}
    for name, about in models.items():
        if not isinstance(about, dict):
            raise ValueError(f'"{name}" is no mapping')
        unknown = sorted(str(key) for key in about if key not in KEYS)
        if unknown:
            raise ValueError(f'"{name}" has an unknown key "{unknown[0]}"')
        found[str(name)] = Model(
            rates(
                about.get("input"),
                about.get("output"),
                about.get("cache_read"),
                about.get("cache_write"),
                about.get("cache_write_1h"),
                free=True,
            ),
            Ability(
                flag(about.get("images")),
                flag(about.get("tools")),
                flag(about.get("structured_output")),
                context(about.get("context")),
            ),
        )
    found |= {mine: found[theirs] for theirs, mine in aliases.items() if theirs in found}
    return Catalog(found)
