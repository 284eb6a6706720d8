"""The effective document, to look at: defaults filled in, secrets as references."""

from __future__ import annotations

from typing import Any

import yaml

from plano_filters.config.document import Document
from plano_filters.config.secrets import is_secret, mask
from plano_filters.config.words import Path


def effective(document: Document) -> dict[str, Any]:
    """Return the document as plain data. A credential is `$NAME`, or `***` if it was literal."""
    dumped: dict[str, Any] = document.model_dump(mode="python", exclude_none=True)
    dumped["filters"] = [*dumped.pop("remote_filters"), *dumped["filters"]]  # as in a file
    dumped = {key: value for key, value in dumped.items() if value not in ([], {}, ())}
    for provider in dumped.get("model_providers", []):
        provider["name"] = provider["name"] or provider["model"]
    shown: dict[str, Any] = _plain(dumped, ())
    return shown


def as_yaml(document: Document) -> str:
    """Return the effective document as YAML."""
    return yaml.safe_dump(effective(document), sort_keys=False, allow_unicode=True, width=100)


def _plain(value: Any, path: Path) -> Any:
    """Turn tuples into lists, expanded values into their references, and mask what is literal."""
    if isinstance(value, dict):
        return {key: _plain(inner, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, path) for inner in value]
    if not isinstance(value, str):
        return value
    reference = getattr(value, "reference", None)
    if reference is not None:
        return str(reference)
    return "***" if is_secret(path, value) else mask(str(value))
