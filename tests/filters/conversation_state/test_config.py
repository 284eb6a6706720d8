"""What `conversation_state:` and `state_storage:` may say."""

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


def in_chain(config: str) -> str:
    """Return a chain with a config of the filter."""
    return f"filters: [alias, conversation_state: {{{config}}}, upstream]"


REDIS = "\nstate_storage: {type: redis, connection_string: 'redis://h'}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (in_chain("ttl: 0s"), "greater than 0"),
        (in_chain("max_entry_bytes: 8388608, max_bytes: 4194304"), "at least `max_entry_bytes`"),
        (in_chain("deadline: 2s"), "`deadline` does nothing: state_storage is memory"),
        (in_chain("max_entries: 10") + REDIS, "`max_entries` does nothing: state_storage is redis"),
        (in_chain("max_bytes: 33554432") + REDIS, "`max_bytes` does nothing"),
        ("filters: [conversation_state, alias, upstream]", "Candidates"),
        (
            "state_storage: {type: redis, connection_string: 'redis://:hush-hush@h:port'}",
            "state_storage.connection_string cannot be used",
        ),
    ],
)
def test_what_is_wrong_is_told_before_the_start(text: str, said: str) -> None:
    """Without repeating a password."""
    with pytest.raises(ConfigError) as caught:
        compiled(text)

    assert said in str(caught.value)
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize(
    "storage", ["{type: memory}", "{type: redis, connection_string: 'redis://h'}"]
)
def test_state_storage_puts_it_into_the_default_chain(storage: str) -> None:
    """Behind `alias`, so that sessions and routes are found by the whole conversation."""
    ids = [link.id for link in compiled(f"state_storage: {storage}").links]

    assert ids == ["alias", "conversation_state", "affinity", "classify", "rerank", "upstream"]
    assert "conversation_state" not in [link.id for link in compiled("").links]


def test_in_a_chain_it_works_without_state_storage() -> None:
    """Then responses are kept in memory."""
    assert [link.id for link in compiled(in_chain("ttl: 1h")).links][1] == "conversation_state"
