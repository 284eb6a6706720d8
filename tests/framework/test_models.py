"""What a name means: the index of the declared models, as tables."""

from __future__ import annotations

import pytest

from plano_filters import Document, load_text
from plano_filters.models import ModelIndex

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


def test_the_router_model_serves_nobody_who_did_not_name_it() -> None:
    """Its answers are names of routes, not what a client waits for."""
    index = ModelIndex.of(
        document("""
version: v0.4.0
listeners: [{name: m, type: model}]
model_providers:
  - {model: plano/Arch-Router, base_url: "http://127.0.0.1:8001"}
  - {model: openai/gpt-4o, access_key: sk-aaaaaaaa}
overrides: {llm_routing_model: plano/Arch-Router}
""")
    )

    assert index.unnamed() == ["openai/gpt-4o"]
    assert index.fallbacks("openai/gpt-4o", ["first"]) == ["openai/gpt-4o"]
    named = index.resolve("plano/Arch-Router")
    assert named is not None
    assert named.models == ("plano/Arch-Router",)


def test_a_request_without_a_model_goes_to_the_default_then_the_others() -> None:
    """The declared order stands."""
    assert list(dict.fromkeys(INDEX.unnamed())) == [
        "anthropic/claude", "openai/gpt-4o", "together_ai/meta/llama", "openai/twin", "vllm/twin",
    ]  # fmt: skip


def test_one_account_is_one_place_and_one_credential() -> None:
    """Whatever the model; nobody declared has none."""
    own = "{model: openai/a, access_key: sk-aaaaaaaa}"
    others = (
        ("{model: openai/b, access_key: sk-aaaaaaaa}", True),
        ("{model: openai/b, access_key: sk-bbbbbbbb}", False),
        ("{model: openai/b, access_key: sk-aaaaaaaa, base_url: 'http://b/v1'}", False),
        ("{model: openai/b, passthrough_auth: true}", False),
        ("{model: xai/b, access_key: sk-aaaaaaaa}", False),
        ("{model: 'openai/*', access_key: sk-aaaaaaaa}", True),
    )
    for other, same in others:
        index = ModelIndex.of(
            document(f"""
version: v0.4.0
model_providers: [{own}, {other}]
""")
        )
        models = [entry.model.replace("*", "b") for entry in index.entries]
        assert index.same_account(*models) is same
        assert not index.same_account(models[0], "groq/none")
