"""Plano's keys that nobody here reads are errors that say so, or warnings on demand."""

from __future__ import annotations

import pytest

from tests.framework.config.reading import PROVIDERS, errors_of, read, warnings_of

IGNORES = "(`--compat warn` ignores it)"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("agents: [{id: a, url: b}]", "5:1 agents are not supported"),
        ("endpoints: {a: {endpoint: b}}", "5:1 endpoints are not supported; they belong to"),
        ("prompt_targets: [{name: a}]", "5:1 prompt_targets are not supported"),
        ("prompt_guards: {input_guards: {}}", "5:1 prompt_guards are not supported; use a filter"),
        ("ratelimits: [{model: a}]", "5:1 ratelimits are not supported yet"),
        (
            "state_storage: {type: postgres, connection_string: 'postgresql://a:b@c/d'}",
            "5:1 state_storage of type postgres is not supported; use redis",
        ),
        ("prompt_caching: {enabled: true}", "5:1 prompt_caching is not supported yet"),
        ("system_prompt: be kind", "5:1 system_prompt is not supported; it belongs to"),
        ("mode: prompt", "5:1 mode is not supported; this gateway always serves models"),
        (
            "overrides: {use_agent_orchestrator: true}",
            "5:13 overrides.use_agent_orchestrator is not supported; agents are not supported",
        ),
        (
            "overrides: {optimize_context_window: true}",
            "5:13 overrides.optimize_context_window is not supported; this gateway never",
        ),
        (
            "tracing: {exporters: [{type: posthog}]}",
            "5:11 tracing.exporters is not supported; spans go by OTLP only",
        ),
        (
            "listeners: [{name: a, type: prompt}]",
            "5:13 a listener of type prompt is not supported",
        ),
        (
            "listeners: [{name: a, agents: [{id: b, input_filters: [c]}]}]",
            "5:23 agents is not supported; it belongs to agents, and so do the filters of its",
        ),
        (
            "listeners: [{name: a, router: plano_orchestrator_v1}]",
            "5:23 router is not supported; it belongs to agents",
        ),
    ],
)
def test_a_key_that_is_not_supported_is_named(text: str, told: str) -> None:
    """An error by default; with `--compat warn` a warning, and the rest stands."""
    (error,) = errors_of(PROVIDERS + text + "\n")
    assert error.startswith(told)
    assert error.endswith(IGNORES)

    assert errors_of(PROVIDERS + text + "\n", compat="warn") == []
    (warning,) = warnings_of(PROVIDERS + text + "\n", compat="warn")
    assert warning.startswith(told)
    assert warning.endswith(": ignored")


@pytest.mark.parametrize(
    "text",
    [
        "agents: []",
        "prompt_targets:",
        "prompt_caching: {enabled: false, session_affinity: true}",
        "prompt_caching: {}",
        "mode: llm",
        "overrides: {use_agent_orchestrator: false}",
        "tracing: {exporters: []}",
    ],
)
def test_a_key_that_asks_for_nothing_is_accepted(text: str) -> None:
    """What is switched off needs no support."""
    assert errors_of(PROVIDERS + text + "\n") == []
    assert warnings_of(PROVIDERS + text + "\n") == []


def test_ignoring_an_agent_listener_leaves_the_others() -> None:
    """They keep their settings and their places in errors; without one there is the default."""
    text = PROVIDERS + "listeners:\n  - {type: agent, name: a}\n  - {name: b, port: 1, prot: 2}\n"
    loaded = read(text, compat="warn")

    assert [(one.name, one.port) for one in loaded.document.listeners] == [("b", 1)]
    assert errors_of(text, compat="warn") == [
        '7:24 unknown key "prot" in listeners[0] (did you mean "port"?)'
    ]
    alone = read(PROVIDERS + "listeners: [{type: agent, name: a}]\n", compat="warn")
    assert [one.name for one in alone.document.listeners] == ["egress_traffic"]
