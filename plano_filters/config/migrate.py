"""Plano's older shapes to v0.4, on the parsed tree. Every move is remembered, for positions.

The command `migrate --write` makes the same changes to the text of a file (`rewrite.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from plano_filters.config.problems import Report
from plano_filters.config.source import Source
from plano_filters.config.words import Path, dotted, meant, meant_word

CURRENT: Final = "v0.4.0"
OLD_VERSIONS: Final = frozenset({"v0.1", "v0.1.0", "0.1-beta", "0.2.0", "v0.3.0"})
PROVIDER_KEYS: Final = ("model_providers", "llm_providers")
INLINE_KEYS: Final = ("name", "description")
LEGACY_LISTENERS: Final = {"egress_traffic": ("model", 12000), "ingress_traffic": ("prompt", 10000)}


def migrate(tree: dict[str, Any], source: Source, report: Report) -> dict[str, Any]:
    """Return the tree in v0.4's shape. Problems and deprecations are reported."""
    tree = dict(tree)
    old = tree.get("version") != CURRENT  # an unknown one too: what it is, validation tells
    if "version" not in tree:
        report.warning((), f"no version is given; {CURRENT} is assumed", hint=f"version: {CURRENT}")
    _provider_key(tree, source, report)
    _listeners(tree, source, report)
    _filter_chain(tree, source, report)
    if old:
        if "version" not in tree or str(tree["version"]) in OLD_VERSIONS:
            tree["version"] = CURRENT
        _inline_preferences(tree, source, report)
    else:
        _stray_preferences(tree, report)
    return tree


def _provider_key(tree: dict[str, Any], source: Source, report: Report) -> None:
    if "llm_providers" not in tree:
        return
    if "model_providers" in tree:
        report.error(
            ("llm_providers",),
            "llm_providers and model_providers are the same key; use one of them",
            hint="llm_providers is deprecated: move its entries to model_providers",
            on_key=True,
        )
        del tree["llm_providers"]
        return
    report.warning(
        ("llm_providers",),
        "llm_providers is deprecated",
        hint="rename it to model_providers",
        on_key=True,
    )
    source.moved(("model_providers",), ("llm_providers",))
    tree["model_providers"] = tree.pop("llm_providers")


def _listeners(tree: dict[str, Any], source: Source, report: Report) -> None:
    listeners = tree.get("listeners")
    if not isinstance(listeners, dict):
        return
    made: list[Any] = []
    for name, given in listeners.items():
        listener = {} if given is None else given
        if name not in LEGACY_LISTENERS or not isinstance(listener, dict):
            report.error(
                ("listeners", name),
                f'a legacy listener is "egress_traffic" or "ingress_traffic", not "{name}"',
                hint=meant(name, LEGACY_LISTENERS),
                on_key=True,
            )
            continue
        kind, port = LEGACY_LISTENERS[name]
        entry = {"name": name, "type": kind, "port": port, **listener}
        _message_format(entry, name, report)
        _listener_providers(tree, entry, name, source, report)
        source.moved(("listeners", len(made)), ("listeners", name))
        made.append(entry)
    tree["listeners"] = made


def _message_format(entry: dict[str, Any], name: str, report: Report) -> None:
    given = entry.pop("message_format", "openai")
    if given != "openai":
        report.error(
            ("listeners", name, "message_format"),
            'message_format must be "openai"',
            hint=meant(str(given), ["openai"]),
        )


def _listener_providers(
    tree: dict[str, Any], entry: dict[str, Any], name: str, source: Source, report: Report
) -> None:
    for key in PROVIDER_KEYS:
        if key not in entry:
            continue
        if tree.get("model_providers"):
            report.error(
                ("listeners", name, key),
                "model_providers is set in more than one place",
                hint="keep one list, at the top of the document",
                on_key=True,
            )
            del entry[key]
            continue
        source.moved(("model_providers",), ("listeners", name, key))
        tree["model_providers"] = entry.pop(key)


def _filter_chain(tree: dict[str, Any], source: Source, report: Report) -> None:
    listeners = tree.get("listeners")
    if isinstance(listeners, list):
        tree["listeners"] = [
            _renamed_chain(("listeners", index), listener, source, report)
            for index, listener in enumerate(listeners)
        ]


def _renamed_chain(path: Path, listener: Any, source: Source, report: Report) -> Any:
    if not (isinstance(listener, dict) and "filter_chain" in listener):
        return listener
    here = (*path, "filter_chain")
    changed = {key: value for key, value in listener.items() if key != "filter_chain"}
    if "input_filters" in listener:
        message = "filter_chain and input_filters are the same key; use input_filters"
        report.error(here, message, on_key=True)
        return changed
    hint = "rename it to input_filters"
    report.warning(here, "filter_chain is deprecated", hint=hint, on_key=True)
    source.moved((*path, "input_filters"), here)
    return {**changed, "input_filters": listener["filter_chain"]}


def _inline_preferences(tree: dict[str, Any], source: Source, report: Report) -> None:
    """Move the preferences inside providers to the top level, as Plano's own migration does."""
    given = tree.get("routing_preferences") or []
    if not isinstance(given, list):
        return  # told by validation
    configured = [p.get("name") for p in given if isinstance(p, dict)]
    moved: list[Any] = []
    for model, entry, origin in list(_inline(tree, report)):
        if entry.get("name") in configured:
            report.warning(
                origin,
                f'routing preference "{entry.get("name")}" is declared at the top too, '
                "and that one is kept",
            )
            continue
        same = next((one for one in moved if one.get("name") == entry.get("name")), None)
        if same is None:
            same = {**entry, "models": []}
            source.moved(("routing_preferences", len(given) + len(moved)), origin)
            moved.append(same)
            if not given and len(moved) == 1:
                source.moved(("routing_preferences",), origin[:3])
        elif entry.get("description") != same.get("description"):
            report.warning(
                origin,
                f'routing preference "{entry.get("name")}" has another description elsewhere; '
                "the first one is kept",
            )
        at = ("routing_preferences", len(given) + moved.index(same), "models", len(same["models"]))
        source.moved(at, (*origin[:2], "model"))
        same["models"].append(model)
    if moved:
        report.warning(
            ("model_providers",),
            "routing_preferences inside model_providers is deprecated and was moved to the "
            "top-level routing_preferences of v0.4.0",
            hint="run `plano-filters migrate --write`",
            on_key=True,
        )
    for entry in _providers_with_preferences(tree).values():
        del entry["routing_preferences"]
    if moved:
        tree["routing_preferences"] = [*given, *moved]


def _providers_with_preferences(tree: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Return the providers that have preferences, by index; the list becomes our own copy."""
    entries = tree.get("model_providers")
    if not isinstance(entries, list):
        return {}
    copies = [dict(entry) if isinstance(entry, dict) else entry for entry in entries]
    tree["model_providers"] = copies
    has = (isinstance(entry, dict) and "routing_preferences" in entry for entry in copies)
    return {index: copies[index] for index, found in enumerate(has) if found}


def _inline(tree: dict[str, Any], report: Report) -> Iterator[tuple[str, dict[str, Any], Path]]:
    """Yield each preference inside a provider, with the provider's model and its own place."""
    for index, entry in _providers_with_preferences(tree).items():
        path = ("model_providers", index, "routing_preferences")
        model, inline = str(entry.get("model", "")), entry["routing_preferences"]
        if model.endswith("/*"):
            message = f"{model} has routing_preferences but is a wildcard; name one model"
            report.error(path, message, on_key=True)
            continue
        if not isinstance(inline, list):
            report.error(path, "routing_preferences must be a list")
            continue
        for position, preference in enumerate(inline):
            here = (*path, position)
            if isinstance(preference, dict):
                yield model, _known(preference, here, report), here
            else:
                report.error(here, "a routing preference needs a name")


def _known(preference: dict[str, Any], path: Path, report: Report) -> dict[str, Any]:
    """Return a preference with its keys as they were meant; merging would lose unknown ones."""
    known: dict[str, Any] = {}
    for key, value in preference.items():
        word = key if key in INLINE_KEYS else meant_word(key, INLINE_KEYS)
        if word != key:
            message = f'unknown key "{key}" in {dotted(path)}'
            report.error((*path, key), message, hint=meant(key, INLINE_KEYS), on_key=True)
        if word:
            known.setdefault(word, value)
    return known


def _stray_preferences(tree: dict[str, Any], report: Report) -> None:
    for index, entry in _providers_with_preferences(tree).items():
        report.error(
            ("model_providers", index, "routing_preferences"),
            f"since {CURRENT}, routing_preferences stand at the top of the document",
            hint="move it there and list the models of each",
            on_key=True,
        )
        del entry["routing_preferences"]
