"""The effective document, to look at: defaults filled in, secrets as references."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import yaml
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from plano_filters.config.document import Document
from plano_filters.config.secrets import is_secret, mask
from plano_filters.config.words import Path

_NONE: Final[Mapping[str, BaseModel]] = MappingProxyType({})


def effective(document: Document, configs: Mapping[str, BaseModel] = _NONE) -> dict[str, Any]:
    """Return the document as plain data. A credential is `$NAME`, or `***` if it was literal.

    Args:
        document: The document.
        configs: Of the chain's filters, by id; their defaults are filled in too.
    """
    dumped: dict[str, Any] = document.model_dump(mode="python", exclude_none=True)
    # What a test does not expect it does not look at, and `null` is expected where it stands.
    dumped["tests"] = [case.model_dump(exclude_unset=True) for case in document.tests]
    for entry in dumped["filters"]:
        entry["id"] = entry["id"] or entry["use"]
        if entry["id"] in configs:
            entry["config"] = _filled(configs[entry["id"]], entry["config"])
    dumped["filters"] = [*dumped.pop("remote_filters"), *dumped["filters"]]  # as in a file
    dumped = {key: value for key, value in dumped.items() if value not in ([], {}, ())}
    for provider in dumped.get("model_providers", []):
        provider["name"] = provider["name"] or provider["model"]
    shown: dict[str, Any] = _plain(dumped, ())
    return shown


def as_yaml(document: Document, configs: Mapping[str, BaseModel] = _NONE) -> str:
    """Return the effective document as YAML."""
    shown = effective(document, configs)
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100)


def _filled(config: BaseModel, written: Any) -> Any:
    """Return a filter's config as it is written, with the defaults of what is not."""
    try:
        return _over(config.model_dump(mode="json", by_alias=True, exclude_none=True), written)
    except PydanticSerializationError:
        return written


def _over(whole: Any, written: Any) -> Any:
    if not (isinstance(whole, dict) and isinstance(written, dict)):
        return written
    added = {key: _over(whole.get(key), value) for key, value in written.items()}
    return {**whole, **added}


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
