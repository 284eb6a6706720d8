"""Plano's keys that this gateway knows and does not support. Each is an error that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from plano_filters.config.problems import Report
from plano_filters.config.words import Path

Compat = Literal["strict", "warn"]
Tell = Callable[[Path, str], None]

UNSUPPORTED: Final = {
    "agents": "agents are not supported",
    "endpoints": "endpoints are not supported; they belong to prompt targets",
    "prompt_targets": "prompt_targets are not supported",
    "prompt_guards": "prompt_guards are not supported; use a filter",
    "ratelimits": "ratelimits are not supported yet",
    "prompt_caching": "prompt_caching is not supported yet",
    "system_prompt": "system_prompt is not supported; it belongs to prompt targets",
    "mode": "mode is not supported; this gateway always serves models",
}
_NESTED: Final = {
    ("overrides", "agent_orchestration_model"): "agents are not supported",
    ("overrides", "use_agent_orchestrator"): "agents are not supported",
    ("overrides", "optimize_context_window"): "this gateway never shortens a prompt",
    ("overrides", "prompt_target_intent_matching_threshold"): "prompt targets are not supported",
    ("tracing", "exporters"): "spans go by OTLP only",
}
_LISTENER: Final = ("router", "agents")


def drop_unsupported(tree: dict[str, Any], report: Report, compat: Compat) -> None:
    """Report the keys nobody here reads, and take them out of the tree."""

    def tell(path: Path, message: str) -> None:
        if compat == "warn":
            report.warning(path, f"{message}: ignored", on_key=True)
        else:
            report.error(path, message, hint="`--compat warn` ignores it", on_key=True)

    for key, message in UNSUPPORTED.items():
        if key in tree and not _off(key, tree.pop(key)):
            tell((key,), message)
    _storage(tree, tell)
    for (section, key), why in _NESTED.items():
        found = tree.get(section)
        if isinstance(found, dict) and key in found:
            tree[section] = {name: value for name, value in found.items() if name != key}
            if found[key] not in (None, False, [], {}):
                tell((section, key), f"{section}.{key} is not supported; {why}")
    listeners = tree.get("listeners")
    if isinstance(listeners, list):
        tree["listeners"] = [_listener(i, one, tell) for i, one in enumerate(listeners)]


def _storage(tree: dict[str, Any], tell: Tell) -> None:
    storage = tree.get("state_storage")
    if isinstance(storage, dict) and storage.get("type") == "postgres":
        del tree["state_storage"]
        tell(("state_storage",), "state_storage of type postgres is not supported; use redis")


def _off(key: str, value: Any) -> bool:
    """Say whether a key asks for nothing."""
    if key == "prompt_caching" and isinstance(value, dict):
        return value.get("enabled") in (None, False)
    return value in (None, [], {}) or (key == "mode" and value == "llm")


def _listener(index: int, listener: Any, tell: Tell) -> Any:
    """Return a listener without what is not supported; None for one of another type."""
    if not isinstance(listener, dict):
        return listener
    if listener.get("type") in ("prompt", "agent"):
        message = f"a listener of type {listener['type']} is not supported"
        tell(("listeners", index), message)
        return None
    for key in _LISTENER:
        if key in listener:
            also = ", and so do the filters of its entries" if _filtered(listener[key]) else ""
            told = f"{key} is not supported; it belongs to agents{also}"
            tell(("listeners", index, key), told)
    return {key: value for key, value in listener.items() if key not in _LISTENER}


def _filtered(agents: Any) -> bool:
    """Say whether an agent of a listener has filters of its own."""
    keys = {"filter_chain", "input_filters"}
    entries = agents if isinstance(agents, list) else ()
    return any(isinstance(one, dict) and not keys.isdisjoint(one) for one in entries)
