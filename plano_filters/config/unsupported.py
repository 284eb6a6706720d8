"""Plano's keys that this gateway knows and does not support. Each is an error that says so."""

from __future__ import annotations

from typing import Any, Final, Literal

from plano_filters.config.problems import Path, Report

Compat = Literal["strict", "warn"]

_ROOT: Final = {
    "agents": "agent listeners are not supported",
    "endpoints": "endpoints belong to prompt targets, which are not supported",
    "prompt_targets": "prompt targets are not supported",
    "prompt_guards": "prompt guards are not supported; use a filter",
    "ratelimits": "ratelimits are not supported yet",
    "state_storage": "state_storage is not supported yet",
    "prompt_caching": "prompt_caching is not supported yet",
    "system_prompt": "system_prompt belongs to prompt targets, which are not supported",
    "mode": "mode is not supported; this gateway always serves models",
}
_OVERRIDES: Final = (
    "agent_orchestration_model",
    "use_agent_orchestrator",
    "optimize_context_window",
    "prompt_target_intent_matching_threshold",
)


def drop_unsupported(tree: dict[str, Any], report: Report, compat: Compat) -> None:
    """Report the keys nobody here reads, and take them out of the tree."""

    def tell(path: Path, message: str) -> None:
        if compat == "warn":
            report.warning(path, f"{message}: ignored", on_key=True)
        else:
            report.error(path, message, hint="`--compat warn` ignores it", on_key=True)

    for key, message in _ROOT.items():
        if key not in tree:
            continue
        value = tree.pop(key)
        off = value in (None, [], {}) or (isinstance(value, dict) and value.get("enabled") is False)
        if not off:
            tell((key,), message)
    overrides = tree.get("overrides")
    if isinstance(overrides, dict):
        tree["overrides"] = overrides = dict(overrides)
        for key in _OVERRIDES:
            if overrides.pop(key, None) is not None:
                tell(("overrides", key), f"overrides.{key} belongs to agents and prompt targets")
    tracing = tree.get("tracing")
    if isinstance(tracing, dict) and "exporters" in tracing:
        tree["tracing"] = {key: value for key, value in tracing.items() if key != "exporters"}
        tell(("tracing", "exporters"), "tracing.exporters (PostHog) is not supported")
    _listeners(tree, tell)


def _listeners(tree: dict[str, Any], tell: Any) -> None:
    listeners = tree.get("listeners")
    if not isinstance(listeners, list):
        return
    for index, listener in enumerate(listeners):
        if isinstance(listener, dict) and listener.get("type") in ("prompt", "agent"):
            kind = listener["type"]
            tell(("listeners", index), f"a listener of type {kind} is not supported")
            listeners[index] = None
        elif isinstance(listener, dict):
            for key in ("router", "agents"):
                if key in listener:
                    tell(("listeners", index, key), f"{key} belongs to agent listeners")
                    listeners[index] = {k: v for k, v in listener.items() if k != key}
