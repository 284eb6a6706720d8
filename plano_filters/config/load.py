"""From a file to the effective document: parse, expand, migrate, validate, cross-check.

Problems are collected, not raised, so that the chain can be compiled and everything be told at
once. Only a file that is no YAML mapping stops here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Final

from plano_filters import providers
from plano_filters.config.check import check
from plano_filters.config.document import Document, FilterEntry, Listener
from plano_filters.config.env import expand, read_dotenv
from plano_filters.config.migrate import CURRENT, OLD_VERSIONS, migrate
from plano_filters.config.placing import place
from plano_filters.config.problems import Problem, Report
from plano_filters.config.shapes import middleware_entries, split_filters
from plano_filters.config.source import Source, parse
from plano_filters.config.unsupported import Compat, drop_unsupported
from plano_filters.config.validate import validate
from plano_filters.config.wiring import wire
from plano_filters.errors import ConfigError

DEFAULT_CHAIN: Final = ("alias", "affinity", "classify", "rerank", "upstream")
"""The chain of a document that names none."""
STATE: Final = "conversation_state"
"""The filter that joins it where there is a `state_storage`, behind the first: what comes after
reads whole conversations."""
NAMES: Final = ("config.yaml", "plano_config.yaml")
"""Where a document is looked for in a directory, in this order."""
ZERO_CONFIG: Final = (
    "openai", "anthropic", "gemini", "groq", "deepseek",
    "mistral", "digitalocean", "vercel", "openrouter", "edenai",
)  # fmt: skip
"""Providers that are there without a document, in Plano's order."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A document and what is to be said about it."""

    document: Document
    """Where the report has errors, sections that are not valid hold their defaults."""
    report: Report
    name: str
    text: str


def load(
    path: str | FilePath, *, env: Mapping[str, str] | None = None, compat: Compat = "strict"
) -> Loaded:
    """Load a file. Variables come from `env`, then from a `.env` file beside it.

    Raises:
        ConfigError: The file cannot be read, or is no YAML mapping.
    """
    file = FilePath(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError([Problem("error", f"cannot read {file}: {reason}")]) from None
    found = {**read_dotenv(file.parent / ".env"), **(os.environ if env is None else env)}
    return load_text(text, name=str(path), env=found, compat=compat)


def load_text(
    text: str,
    *,
    name: str = "<string>",
    env: Mapping[str, str] | None = None,
    compat: Compat = "strict",
) -> Loaded:
    """Load YAML text.

    Raises:
        ConfigError: It is no YAML mapping.
    """
    env = os.environ if env is None else env
    source = parse(text, name)
    report = Report(source)
    tree = expand(source.tree, env, report)
    tree = migrate(tree, source, report)
    drop_unsupported(tree, report, compat)
    _default_listener(tree, source, report)
    split_filters(tree, source, report)
    middleware_entries(tree, source, report)
    wire(tree, env)
    document, wrong = validate(tree, report)
    if not document.filters and ("filters",) not in wrong:
        first, *others = DEFAULT_CHAIN
        names = [first, *([STATE] if document.state_storage else []), *others]
        chain = tuple(FilterEntry(use=use) for use in names)
        document = document.model_copy(update={"filters": chain})
    check(document, report, wrong)
    return Loaded(place(document, source), report, name, text)


def discover(path: str | FilePath | None) -> FilePath | None:
    """Find the document: a file as it is, a directory's by its usual names, or None.

    Raises:
        ConfigError: A path was given and nothing is there.
    """
    place = FilePath(path) if path is not None else FilePath()
    if place.is_file() or (path is not None and not place.is_dir()):
        return place
    found = next((place / name for name in NAMES if (place / name).is_file()), None)
    if found is None and path is not None:
        raise ConfigError([Problem("error", f"neither {' nor '.join(NAMES)} is in {place}")])
    return found


def zero_config(env: Mapping[str, str]) -> Loaded:
    """Return the document of a gateway without one: every known provider, by wildcard.

    Providers whose key is in the environment use it; the others pass the client's on.
    """
    entries = []
    for name in ZERO_CONFIG:
        key = providers.PROVIDERS[name].env_key or ""
        auth = f"access_key: ${key}" if env.get(key) else "passthrough_auth: true"
        entries.append(f'  - {{model: "{name}/*", {auth}}}')
    text = "\n".join(
        [
            f"version: {CURRENT}",
            "listeners: [{type: model, name: llm, address: 127.0.0.1, port: 12000}]",
            "model_providers:",
            *entries,
        ]
    )
    return load_text(text, name="<zero config>", env=env)


def _default_listener(tree: dict[str, Any], source: Source, report: Report) -> None:
    """Give a document a model listener, if it has none."""
    listeners = tree.get("listeners")
    if listeners is None and "listeners" in tree:
        report.error(("listeners",), "listeners must be a list of listeners")
        del tree["listeners"]
    if not isinstance(listeners, list):
        return
    kept: list[Any] = []
    for index, listener in enumerate(listeners):
        if listener is not None:
            if index != len(kept):
                source.moved(("listeners", len(kept)), ("listeners", index))
            kept.append(listener)
    if not kept:
        kept.append(Listener(name="egress_traffic").model_dump(exclude_none=True))
    tree["listeners"] = kept


__all__ = ["CURRENT", "OLD_VERSIONS", "Loaded", "discover", "load", "load_text", "zero_config"]
