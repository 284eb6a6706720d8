"""Routing tables, those of a document and those of a request: tables, then a law."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.classify.preferences import (
    INLINE,
    LARGEST,
    LONGEST_DESCRIPTION,
    LONGEST_NAME,
    MOST,
    MOST_MODELS,
    Table,
    configured,
    inline,
)
from plano_builtin_filters.classify.routers.protocol import RouteOption
from plano_filters import BadRequest, load_text
from plano_filters.models import ModelIndex

DOCUMENT = load_text(
    """
version: v0.4.0
listeners: [{name: m, type: model}]
model_providers:
  - {model: openai/gpt-4o, access_key: sk-aaaaaaaa, default: true}
  - {model: anthropic/claude, access_key: sk-aaaaaaaa}
  - {model: openai/twin, access_key: sk-aaaaaaaa}
  - {model: vllm/twin, base_url: "http://127.0.0.1:8000"}
  - {model: "groq/*", access_key: sk-aaaaaaaa}
  - {model: chatgpt/codex, access_key: sk-aaaaaaaa}
model_aliases: {fast: {target: gpt-4o}}
model_metrics_sources: [{type: cost, provider: digitalocean}]
routing_preferences:
  - {name: code, description: writing code, models: [openai/gpt-4o, anthropic/claude]}
  - name: poems
    description: verses
    models: [anthropic/claude]
    selection_policy: {prefer: cheapest}
""",
    env={},
).document
INDEX = ModelIndex.of(DOCUMENT, {})


def row(name: str = "code", models: Any = ("openai/gpt-4o",), **more: Any) -> dict[str, Any]:
    """Return one route as a client writes it."""
    return {"name": name, "description": "writing code", "models": list(models), **more}


def read(*rows: Any) -> Table:
    """Read a request's table."""
    table = inline({INLINE: list(rows)}, INDEX)
    assert table is not None
    return table


def refused(value: Any) -> str:
    """Return why a request's table is refused."""
    with pytest.raises(BadRequest) as caught:
        inline({INLINE: value}, INDEX)
    assert caught.value.param == INLINE
    assert len(caught.value.detail) < 1000
    return caught.value.detail


def test_the_documents_table() -> None:
    """Routes keep their order, their models and how these are to be ordered."""
    table = configured(DOCUMENT.routing_preferences, INDEX)

    assert table.options == (RouteOption("code", "writing code"), RouteOption("poems", "verses"))
    assert [one.models for one in table.rows] == [
        ("openai/gpt-4o", "anthropic/claude"),
        ("anthropic/claude",),
    ]
    assert [one.prefer for one in table.rows] == ["none", "cheapest"]


def test_only_routes_that_can_serve_are_asked_about() -> None:
    """For another dialect a route keeps the models that speak it; without one it is left out."""
    table = read(
        row(models=["chatgpt/codex", "anthropic/claude"]), row("old", models=["chatgpt/codex"])
    )

    messages, responses = (table.speaking(d, INDEX) for d in ("messages", "responses"))

    assert [one.models for one in messages.rows] == [("anthropic/claude",)]
    assert messages.options == (RouteOption("code", "writing code"),)
    assert [one.models for one in responses.rows] == [
        ("chatgpt/codex", "anthropic/claude"),
        ("chatgpt/codex",),
    ]


@pytest.mark.parametrize("payload", [{}, {INLINE: None}, {"metadata": {}}])
def test_most_requests_bring_no_table(payload: dict[str, object]) -> None:
    """Absent and null mean that the document's table holds."""
    assert inline(payload, INDEX) is None


def test_an_empty_table_is_a_table() -> None:
    """With `[]` a client says that it wants no routing."""
    assert inline({INLINE: []}, INDEX) == Table(())


@pytest.mark.parametrize(
    ("models", "means"),
    [
        (["openai/gpt-4o"], ("openai/gpt-4o",)),
        (["gpt-4o"], ("openai/gpt-4o",)),
        (["fast"], ("openai/gpt-4o",)),  # an alias
        (["groq/llama-9"], ("groq/llama-9",)),  # covered by a wildcard
        (["twin"], ("openai/twin", "vllm/twin")),  # two deployments
        (["claude", "fast", "gpt-4o"], ("anthropic/claude", "openai/gpt-4o")),
    ],
)
def test_models_are_named_as_everywhere(models: list[str], means: tuple[str, ...]) -> None:
    """In full, by id, by alias, under a wildcard; each model counts once."""
    assert read(row(models=models)).rows[0].models == means


@pytest.mark.parametrize(
    ("policy", "prefer"),
    [
        (None, "none"), ({}, "none"), ({"prefer": None}, "none"), ({"prefer": ""}, "none"),
        ({"prefer": "none"}, "none"), ({"prefer": "cheapest"}, "cheapest"),
        ({"prefer": "fastest"}, "fastest"),
    ],
)  # fmt: skip
def test_policies(policy: Any, prefer: str) -> None:
    """A policy that says nothing is none, as in Plano."""
    assert read(row(selection_policy=policy)).rows[0].prefer == prefer


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("code", "routing_preferences: input should be a valid list"),
        ({}, "routing_preferences: input should be a valid list"),
        (7, "routing_preferences: input should be a valid list"),
        ([3], "routing_preferences[0]: "),
        ([row(), None], "routing_preferences[1]: "),
        ([{}], "routing_preferences[0].name: field required"),
        ([row(name="")], "routing_preferences[0].name: "),
        ([row() | {"name": 5}], "routing_preferences[0].name: "),
        ([row() | {"description": None}], "routing_preferences[0].description: "),
        ([row(models=[])], "routing_preferences[0].models: "),
        ([row(models=[1])], "routing_preferences[0].models[0]: "),
        ([row() | {"models": "openai/gpt-4o"}], "routing_preferences[0].models: "),
        ([row(selection_policy={"prefer": "random"})],
         "routing_preferences[0].selection_policy.prefer: "),
        ([row(selection_policy="cheapest")], "routing_preferences[0].selection_policy: "),
        ([row(modles=[])], "routing_preferences[0].modles: extra inputs"),
        ([row(), row()], 'routing_preferences[1]: another route is named "code", too'),
        ([row(models=["gpt-4oo"])],
         'routing_preferences[0].models: the model "gpt-4oo" is not declared; did you mean "gpt-'),
        ([row("b"), row("c", ["openai/gpt-4o", "zzz"])],
         'routing_preferences[1].models: the model "zzz" is not declared'),
        ([row(models=[""])], 'routing_preferences[0].models: the model "" is not declared'),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused(value: Any, said: str) -> None:
    """The error names the place, and a model that looks like the one that is not there."""
    assert refused(value).startswith(said)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([row(f"r{n}") for n in range(MOST + 1)], f"may have {MOST} routes at most"),
        ([row("x" * (LONGEST_NAME + 1))], ".name: 256 characters at most"),
        (
            [row() | {"description": "x" * (LONGEST_DESCRIPTION + 1)}],
            ".description: 4096 characters at most",
        ),
        ([row(models=["gpt-4o"] * (MOST_MODELS + 1))], ".models: 32 at most"),
        ([row(models=["x" * 10_000])], "is not declared"),
        ([{"x" * 10_000: 1}], "routing_preferences[0]"),
        ([3] * LARGEST, "may have 256 KiB at most"),
        ([row("x" * LARGEST)], "may have 256 KiB at most"),
    ],
)
def test_a_table_has_bounds(value: Any, said: str) -> None:
    """A request cannot occupy the gateway with its table, nor fill its logs by an error."""
    assert said in refused(value)


def test_a_table_as_large_as_may_be_is_read() -> None:
    """As many routes as are allowed, with long names in another script."""
    rows = [row(f"{n}é" + "漢" * 100, ["fast", "groq/x"]) for n in range(MOST)]

    assert len(read(*rows).rows) == MOST


def test_half_a_surrogate_pair_is_refused() -> None:
    """A name that UTF-8 cannot write could stand in no header."""
    assert refused([row("\ud83d")]).startswith("routing_preferences[0].name: ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["code", "fast", "cheapest", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "description", "models", "selection_policy", "prefer"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(JSON)
def test_no_shape_is_an_error_of_ours(anything: object) -> None:
    """Whatever a client sends is a table, no table, or its own mistake."""
    try:
        table = inline({INLINE: anything}, INDEX)
    except BadRequest:
        return
    assert table is None or all(one.models for one in table.rows)
