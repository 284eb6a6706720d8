"""The example configurations, so changed that everything they name is a server of the test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from plano_filters.config import Compat, Loaded, load_text
from tests.support.gateway import free_port

VARIABLE = re.compile(r"\$\{?([A-Z_][A-Z0-9_]*)\b")
CONFIGS = Path(__file__).parents[2] / "configs"
EXAMPLES = sorted(CONFIGS.rglob("*.yaml"))
KEY = "sk-of-the-client-0123456789"
"""What lets a client in, where an example asks for a key."""
DEFAULT_CHAIN = ["alias", "affinity", "classify", "rerank", "upstream"]


def example(file: Path, provider: str, redis: str) -> Loaded:
    """Load an example.

    Args:
        file: One of `EXAMPLES`.
        provider: Address of the server that answers for every provider.
        redis: Address of a Redis.
    """
    text = file.read_text(encoding="utf-8")
    env = {name: f"{KEY}-{name}" for name in VARIABLE.findall(text)}
    env |= {"TEAM_A_KEY": KEY, "REDIS_URL": redis}
    compat: Compat = "warn" if "--compat warn" in text.partition("\n")[0] else "strict"
    document = yaml.safe_load(text)
    document.pop("tracing", None)
    for entry in _providers(document):
        if not entry["model"].startswith("mock/"):
            entry["base_url"] = provider
    for source in document.get("model_metrics_sources", []):
        source["url"] = f"http://127.0.0.1:{free_port()}"  # nobody: what is bundled stays
    _without_services(document)
    document["filters"] = _patient(document["filters"])
    return load_text(yaml.safe_dump(document), name=str(file), env=env, compat=compat)


def _providers(document: Any) -> Iterator[dict[str, Any]]:
    """Return the declared models, wherever a version puts them."""
    for key, value in document.items() if isinstance(document, dict) else ():
        if key in ("model_providers", "llm_providers"):
            yield from value
        elif key == "listeners":
            for one in value.values() if isinstance(value, dict) else value:
                yield from _providers(one)


def _without_services(document: Any) -> None:
    """Leave remote filters out: an explanation asks none, so it cannot know what they say."""
    filters = document.get("filters") or []
    document["filters"] = [
        one for one in filters if not (isinstance(one, dict) and {"url", "remote"} & one.keys())
    ]
    listeners = document.get("listeners")
    for one in listeners if isinstance(listeners, list) else ():
        for key in ("input_filters", "output_filters", "filter_chain"):
            one.pop(key, None)


def _patient(filters: list[Any]) -> list[Any]:
    """Let `classify` wait for its model however busy the machine is, and `rerank` try nothing."""
    chain: list[Any] = list(filters) or [*DEFAULT_CHAIN]
    for name, setting in (("classify", {"deadline": "60s"}), ("rerank", {"explore": 0})):
        for place, one in enumerate(chain):
            if one == name:
                chain[place] = {name: setting}
            elif isinstance(one, dict) and name in one:
                one[name] = {**(one[name] or {}), **setting}
    return chain
