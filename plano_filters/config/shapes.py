"""The short forms of `filters:` and `middleware:`, brought into the long one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path as FilePath
from typing import Any, Final

from plano_filters import local
from plano_filters.config.document import FilterEntry
from plano_filters.config.problems import Report
from plano_filters.config.source import Source
from plano_filters.config.words import Path, dotted, meant, meant_word

ENVELOPE: Final = frozenset(FilterEntry.model_fields)
UNKNOWN: Final = "?"
"""Stands for a filter that could not be read, so that the others keep their place in the list."""
_FORMS: Final = "write `- name`, `- name: {config}` or `- use: name`"


def split_filters(tree: dict[str, Any], source: Source, report: Report) -> None:
    """Tell the links of the chain from the definitions of remote filters, in place."""
    entries = tree.get("filters")
    if entries is None:
        tree.pop("filters", None)
        return
    if not isinstance(entries, list):
        report.error(("filters",), "filters must be a list", hint=_FORMS)
        del tree["filters"]
        return
    chain: list[Any] = []
    remote: list[Any] = []
    for index, entry in enumerate(entries):
        if isinstance(entry, dict) and "url" in entry and "use" not in entry:
            source.origins["remote_filters", len(remote)] = ("filters", index)
            remote.append(entry)
            continue
        made, config_key = normalise(entry)
        if made is None:
            if not _misspelt(("filters", index), entry, report):
                report.error(("filters", index), "this is no filter of a chain", hint=_FORMS)
            made = {"use": UNKNOWN, "enabled": False}
        target = ("filters", len(chain))
        source.origins[target] = ("filters", index)
        _remember_name(target, config_key, made.get("config"), source)
        chain.append(made)
    tree["filters"] = chain
    if remote:
        tree["remote_filters"] = remote


def _remember_name(path: Path, key: str | None, config: Any, source: Source) -> None:
    """Note where the name and the config of a one-key entry stand, nested entries included."""
    if key is not None:
        there = source.original(path)
        source.values[*there, "use"] = source.keys[*there, key]
        source.moved((*path, "config"), (*path, key))
    nested = config.get("filters") if isinstance(config, dict) else None
    for index, entry in enumerate(nested if isinstance(nested, list) else []):
        made, name = normalise(entry)
        if made is not None:
            _remember_name((*path, "config", "filters", index), name, made.get("config"), source)


def _misspelt(path: Path, entry: Any, report: Report) -> bool:
    """Report a key that was meant to be the one that tells what an entry is."""
    for key in entry if isinstance(entry, dict) else ():
        if meant_word(key, ("use", "url")):
            message = f'unknown key "{key}" in {dotted(path)}'
            report.error((*path, key), message, hint=meant(key, ("use", "url")), on_key=True)
            return True
    return False


def normalise(entry: Any) -> tuple[dict[str, Any] | None, str | None]:
    """Bring one entry into its long form.

    Returns:
        The long form, None if it has no form we know; and the key its config stood under, if that
        was not `config`.
    """
    if isinstance(entry, str) and entry:
        return {"use": entry}, None
    if not isinstance(entry, dict):
        return None, None
    if "use" in entry:
        return dict(entry), None
    if len(entry) == 1:
        (name, config), *_ = entry.items()
        if isinstance(config, dict) or config is None:
            return {"use": name, "config": config or {}}, name
    return None, None


def filter_entries(value: Any) -> Any:
    """Bring a nested list of filters into its long form; for pydantic's `BeforeValidator`.

    Raises:
        ValueError: An entry has no form we know.
    """
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list of filters: {_FORMS}")
    made = []
    for entry in value:
        normal = (entry, None) if isinstance(entry, FilterEntry) else normalise(entry)
        if normal[0] is None:
            raise ValueError(f"an entry is no filter: {_FORMS}")
        made.append(normal[0])
    return made


def local_files(entries: Iterable[Any], folder: FilePath) -> list[FilePath]:
    """Return the files that filters come from, nested ones included.

    Args:
        entries: Links in any form.
        folder: Where relative ones are.
    """
    found = []
    for entry in entries:
        normal = entry.model_dump() if isinstance(entry, FilterEntry) else normalise(entry)[0] or {}
        use, config = normal.get("use"), normal.get("config")
        if isinstance(use, str) and local.is_local(use):
            found.append(local.file_of(use, folder))
        nested = config.get("filters") if isinstance(config, dict) else None
        found += local_files(nested if isinstance(nested, list | tuple) else (), folder)
    return found


def middleware_entries(tree: dict[str, Any], source: Source, report: Report) -> None:
    """Bring `middleware:` into its long form, in place."""
    entries = tree.get("middleware")
    if entries is None:
        tree.pop("middleware", None)
        return
    if not isinstance(entries, list):
        report.error(("middleware",), "middleware must be a list of `package.module:Class`")
        del tree["middleware"]
        return
    made: list[Any] = []
    for index, entry in enumerate(entries):
        normal, key = normalise(entry)
        if normal is None:
            if not _misspelt(("middleware", index), entry, report):
                report.error(
                    ("middleware", index),
                    "a middleware is `package.module:Class`, or that with its options",
                )
            continue
        if "config" in normal:
            normal["options"] = normal.pop("config")
        here = ("middleware", len(made))
        if key is not None:
            source.origins[(*here, "options")] = ("middleware", index, key)
        source.origins[here] = ("middleware", index)
        made.append(normal)
    tree["middleware"] = made
