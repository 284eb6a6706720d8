"""Write the bundled list of model ids from the data of `genai-prices` (MIT licence, Pydantic).

pip install genai-prices && python tools/update_models.py
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from genai_prices.data import providers as priced

from plano_filters.providers import PROVIDERS

TARGET = Path(__file__).parent.parent / "plano_filters/models.json"
WILDCARDS = ("openai", "anthropic", "gemini", "groq", "deepseek", "mistral", "xai", "moonshotai")


def main() -> None:
    """Write the file."""
    by_id = {provider.id: provider for provider in priced}
    models = {}
    for name in WILDCARDS:
        provider = by_id.get(PROVIDERS[name].prices or name)
        if provider is not None:
            models[name] = sorted({m.id for m in provider.models if ":" not in m.id})
    document = {"source": f"genai-prices {version('genai-prices')}, MIT", "models": models}
    TARGET.write_text(json.dumps(document, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
