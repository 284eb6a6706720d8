"""The effective document, to look at: defaults filled in, secrets as references."""

from __future__ import annotations

from typing import Any

import yaml

from plano_filters.config.document import Document
from plano_filters.config.source import mask


def effective(document: Document) -> dict[str, Any]:
    """Return the document as plain data. A credential is `$NAME (set)`, or `***` if it was literal."""
    dumped: dict[str, Any] = document.model_dump(mode="json", exclude_none=True)
    dumped = {key: value for key, value in dumped.items() if value not in ([], {}, ())}
    for provider in dumped.get("model_providers", []):
        provider["name"] = provider["name"] or provider["model"]
    shown: dict[str, Any] = _plain(dumped)
    return shown


def as_yaml(document: Document) -> str:
    """Return the effective document as YAML."""
    return yaml.safe_dump(effective(document), sort_keys=False, allow_unicode=True, width=100)


def _plain(value: Any) -> Any:
    """Turn tuples into lists, expanded values into their references, and mask what is literal."""
    if isinstance(value, dict):
        return {key: _secret(key, _plain(inner)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    reference = getattr(value, "reference", None)
    if reference is not None:
        return f"{reference} (set)"
    return str(value) if isinstance(value, str) else value


def _secret(key: str, value: Any) -> Any:
    """Mask literals of a filter's own config, which the document does not know to be secret."""
    if isinstance(value, str) and not value.endswith("(set)") and value != "***":
        masked = mask(f"{key}: {value}")
        if masked != f"{key}: {value}":
            return "***" if masked.startswith(f"{key}: *") else masked.partition(": ")[2]
    return value
