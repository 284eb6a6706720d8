"""Plano's older shapes to v0.4, on the parsed tree. Every move is remembered, for positions.

The command `migrate --write` makes the same changes to the text of a file (`rewrite.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from plano_filters.config.problems import Path, Report
from plano_filters.config.source import Source

CURRENT: Final = "v0.4.0"
OLD_VERSIONS: Final = frozenset({"v0.1", "v0.1.0", "0.1-beta", "0.2.0", "v0.3.0"})
LEGACY_LISTENERS: Final = {"egress_traffic": ("model", 12000), "ingress_traffic": ("prompt", 10000)}


def migrate(tree: dict[str, Any], source: Source, report: Report) -> dict[str, Any]:
    """Return the tree in v0.4's shape. Problems and deprecations are reported."""
    tree = dict(tree)
    if "version" not in tree:
        report.warning((), f"no version is given; {CURRENT} is assumed", hint=f"version: {CURRENT}")
    _provider_key(tree, source, report)
    _listeners(tree, source, report)
    _filter_chain(tree, source, report)
    if str(tree.get("version", CURRENT)) in OLD_VERSIONS:
        tree["version"] = CURRENT
        _inline_preferences(tree, source, report)
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
    for name, listener in listeners.items():
        if name not in LEGACY_LISTENERS or not isinstance(listener, dict):
            report.error(
                ("listeners", name),
                f'a legacy listener is "egress_traffic" or "ingress_traffic", not "{name}"',
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
        report.error(("listeners", name, "message_format"), 'message_format must be "openai"')


def _listener_providers(
    tree: dict[str, Any], entry: dict[str, Any], name: str, source: Source, report: Report
) -> None:
    for key in ("model_providers", "llm_providers"):
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
    for index, listener in enumerate(listeners if isinstance(listeners, list) else []):
        if isinstance(listener, dict) and "filter_chain" in listener:
            here = ("listeners", index)
            report.warning(
                (*here, "filter_chain"),
                "filter_chain is deprecated",
                hint="rename it to input_filters",
                on_key=True,
            )
            source.moved((*here, "input_filters"), (*here, "filter_chain"))
            changed = dict(listener)
            changed.setdefault("input_filters", changed.pop("filter_chain"))
            listeners[index] = changed


def _inline_preferences(tree: dict[str, Any], source: Source, report: Report) -> None:
    """Move the preferences inside providers to the top level, as Plano's own migration does."""
    entries = tree.get("model_providers")
    if not isinstance(entries, list):
        return
    preferences = list(tree.get("routing_preferences") or [])
    configured = {p.get("name") for p in preferences if isinstance(p, dict)}
    moved: dict[str, dict[str, Any]] = {}
    for provider, inline, path in _inline(entries, report):
        for position, entry in enumerate(inline):
            name = entry.get("name", "")
            here = (*path, position)
            if name in configured:
                continue  # the top-level entry wins outright
            if name not in moved:
                source.moved(("routing_preferences", len(preferences) + len(moved)), here)
                moved[name] = {**entry, "models": [provider]}
                continue
            moved[name]["models"].append(provider)
            if entry.get("description") != moved[name].get("description"):
                report.warning(
                    here,
                    f'routing preference "{name}" has another description elsewhere; '
                    "the first one is kept",
                )
    if moved:
        report.warning(
            ("model_providers",),
            "routing_preferences inside model_providers is deprecated and was moved to the "
            "top-level routing_preferences of v0.4.0",
            hint="run `plano-filters migrate --write`",
            on_key=True,
        )
    tree["model_providers"] = [
        {k: v for k, v in e.items() if k != "routing_preferences"} if isinstance(e, dict) else e
        for e in entries
    ]
    if preferences or moved:
        tree["routing_preferences"] = [*preferences, *moved.values()]


def _inline(
    entries: list[Any], report: Report
) -> Iterator[tuple[str, list[dict[str, Any]], Path]]:
    """Yield the model, the preferences and the place of each provider that has some."""
    for index, entry in enumerate(entries):
        if not (isinstance(entry, dict) and "routing_preferences" in entry):
            continue
        path = ("model_providers", index, "routing_preferences")
        model = str(entry.get("model", ""))
        if model.endswith("/*"):
            message = f"{model} has routing_preferences but is a wildcard; name one model"
            report.error(path, message, on_key=True)
            continue
        inline = entry["routing_preferences"]
        good = [p for p in inline if isinstance(p, dict)] if isinstance(inline, list) else []
        yield model, good, path
