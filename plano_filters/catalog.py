"""Model ids by provider, for wildcards. Bundled; see `tools/update_models.py`."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files


@cache
def model_ids() -> dict[str, list[str]]:
    """Return the known model ids of each provider prefix."""
    text = (files(__package__) / "models.json").read_text(encoding="utf-8")
    found: dict[str, list[str]] = json.loads(text)["models"]
    return found
