"""Model resolution as tables, then as laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.alias.core import ModelIndex, candidates
from plano_filters import Document, load_text
from plano_filters.config import ModelProvider

CATALOG = {"groq": ["llama-3"], "mistral": ["mistral-small"]}


def document(text: str) -> Document:
    loaded = load_text(text, env={})
    assert not loaded.report.errors
    return loaded.document


DOCUMENT = document("""
version: v0.4.0
listeners: [{name: m, type: model}]
model_providers:
  - {model: openai/gpt-4o, access_key: sk-aaaaaaaa}
  - {model: anthropic/claude, name: claude, access_key: sk-aaaaaaaa, default: true}
  - {model: together_ai/meta/llama, access_key: sk-aaaaaaaa}
  - {model: openai/twin, access_key: sk-aaaaaaaa}
  - {model: vllm/twin, base_url: "http://127.0.0.1:8000"}
  - {model: "groq/*", access_key: sk-aaaaaaaa}
  - {model: "google/*", access_key: sk-aaaaaaaa}
model_aliases:
  fast: {target: gpt-4o}
  slow: {target: anthropic/claude}
routing_preferences:
  - {name: code, description: writing code, models: [together_ai/meta/llama, openai/gpt-4o]}
""")
INDEX = ModelIndex.of(DOCUMENT, CATALOG)


@pytest.mark.parametrize(
    ("requested", "models"),
    [
        ("openai/gpt-4o", ("openai/gpt-4o",)),  # exact
        ("gpt-4o", ("openai/gpt-4o",)),  # bare id
        ("claude", ("anthropic/claude",)),  # provider name, and bare id
        ("meta/llama", ("together_ai/meta/llama",)),  # an id with a slash
        ("fast", ("openai/gpt-4o",)),  # alias to a bare id
        ("slow", ("anthropic/claude",)),  # alias to a full name
        ("twin", ("openai/twin", "vllm/twin")),  # two deployments of one model
        ("anything/gpt-4o", ("openai/gpt-4o",)),  # the part after the slash, as Plano does
        ("groq/new-model", ("groq/new-model",)),  # wildcard
        ("gemini/flash", ("google/flash",)),  # wildcard under another name of the provider
        ("llama-3", ("groq/llama-3",)),  # known in the catalogue of a wildcard
        ("mistral-small", None),  # known, but that provider is not declared
        ("gpt-5", None),
        ("groq/", None),
        ("groq/*", None),
        ("fast/gpt", None),
    ],
)
def test_a_name_means_what_the_document_says(
    requested: str, models: tuple[str, ...] | None
) -> None:
    """Each way to name a model, and what names nothing."""
    found = INDEX.resolve(requested)

    assert (found.models if found else None) == models


def test_an_alias_is_one_step() -> None:
    """An alias of an alias means nothing; the loader refuses it."""
    index = ModelIndex(INDEX.entries, {"a": "b", "b": "gpt-4o"}, ())

    assert index.resolve("a") is None


@pytest.mark.parametrize(
    ("model", "sources", "expected"),
    [
        ("openai/gpt-4o", ("preferences",), ["together_ai/meta/llama", "openai/gpt-4o"]),
        ("openai/gpt-4o", ("default", "first"), ["anthropic/claude", "openai/gpt-4o"]),
        ("vllm/twin", ("preferences",), []),
        ("vllm/twin", (), []),
    ],
)
def test_fallbacks_come_from_the_named_sources(
    model: str, sources: tuple[str, ...], expected: list[str]
) -> None:
    """In the order of the sources."""
    assert INDEX.fallbacks(model, sources) == expected


def test_a_request_without_a_model_goes_to_the_default_then_the_others() -> None:
    """The declared order stands."""
    assert list(dict.fromkeys(INDEX.unnamed())) == [
        "anthropic/claude", "openai/gpt-4o", "together_ai/meta/llama", "openai/twin", "vllm/twin",
    ]  # fmt: skip


def test_embeddings_have_no_stand_ins() -> None:
    """Vectors of different models do not compare."""
    found = candidates(["openai/gpt-4o"], ["together_ai/meta/llama"], "embeddings", INDEX)

    assert found == ("openai/gpt-4o",)


def test_deployments_of_one_model_stand_in_for_one_another() -> None:
    """Also for embeddings, also when one is named in full."""
    found = candidates(["vllm/twin"], ["openai/gpt-4o"], "embeddings", INDEX)

    assert found == ("vllm/twin", "openai/twin")


def test_a_model_that_does_not_speak_the_dialect_is_no_candidate() -> None:
    """Anthropic has no Responses API, OpenAI has."""
    found = candidates(["anthropic/claude"], ["openai/gpt-4o"], "responses", INDEX)

    assert found == ("openai/gpt-4o",)


NAMES = st.sampled_from(["a", "b", "c"])
MODELS = st.builds(lambda p, m: f"{p}/{m}", st.sampled_from(["openai", "groq", "vllm"]), NAMES)


@given(
    st.lists(MODELS, min_size=1, max_size=6, unique=True),
    MODELS,
    st.sets(st.sampled_from(["preferences", "default", "first"])),
)
def test_candidates_begin_with_what_was_asked_and_repeat_nothing(
    declared: list[str], asked: str, sources: set[str]
) -> None:
    """Whatever is declared."""
    entries = tuple(ModelProvider(model=model, base_url="http://x") for model in declared)
    index = ModelIndex(entries, {}, (tuple(declared),))
    resolution = index.resolve(asked)
    if resolution is None:
        assert asked not in declared
        return

    found = candidates(
        resolution.models, index.fallbacks(resolution.models[0], sorted(sources)), "chat", index
    )

    assert found[0] == resolution.models[0]
    assert len(set(found)) == len(found)
    assert set(found) <= set(declared)
    assert asked not in declared or found[0] == asked
