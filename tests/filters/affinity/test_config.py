"""What `affinity:` may say."""

from __future__ import annotations

import pytest

from plano_filters import Chain, ConfigError, Registry, compile_chain, load_text

HEAD = """
version: v0.4.0
listeners: [{name: m, type: model}]
model_providers: [{model: mock/fast}]
"""


def compiled(text: str) -> Chain:
    """Compile a document's chain; every problem raises."""
    loaded = load_text(HEAD + text, env={})
    chain = compile_chain(loaded.document, Registry.from_entry_points(), loaded.report)
    loaded.report.raise_errors()
    return chain


def refused(text: str) -> str:
    """Return what is said about a document that is wrong."""
    with pytest.raises(ConfigError) as caught:
        compiled(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("filters: [alias, affinity: {client_keys: [cookie]}, upstream]", "prompt_cache_key"),
        ("filters: [alias, affinity: {deadline: 0s}, upstream]", "greater than 0"),
        ("filters: [alias, affinity: {deadline: 100ms}, upstream]", "`deadline` is for Redis"),
        ("filters: [affinity, alias, upstream]", "Candidates"),
        (
            "routing: {session_cache: {type: redis, url: 'redis://:hush-hush@h:port'}}",
            "routing.session_cache.url cannot be used",
        ),
        (
            "routing: {session_cache: {type: redis, url: 'redis://:hush-hush@h?nonsense=1'}}",
            "routing.session_cache.url cannot be used",
        ),
        (
            "routing: {session_cache: {type: redis, url: 'redis://h?db=hush-hush'}}",
            "routing.session_cache.url cannot be used",
        ),
    ],
)
def test_what_is_wrong_is_told_before_the_start(text: str, said: str) -> None:
    """Without repeating a password."""
    told = refused(text)

    assert said in told
    assert "hush-hush" not in told


def test_the_default_chain_keeps_sessions() -> None:
    """After the model is known, before requests are sorted; and nothing of `routing` is unread."""
    routing = "routing: {session_ttl_seconds: 5, session_max_entries: 3}\n"

    assert str(compiled(routing)) == "alias -> affinity -> classify -> rerank -> upstream"
    assert load_text(HEAD + routing, env={}).report.warnings == []


def test_a_budget_is_read() -> None:
    """By this filter, so a chain without it is warned. Prices need no source of their own."""
    budget = HEAD + "routing: {routing_budget: {max_switch_spend_pct: 5}}\n"
    without = budget + "filters: [alias, classify, rerank, upstream]\n"

    assert load_text(budget, env={}).report.warnings == []
    told = [problem.message for problem in load_text(without, env={}).report.warnings]
    assert told == ["routing.routing_budget is not read by any filter of this chain"]
