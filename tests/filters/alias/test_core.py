"""Which models may serve a request, as tables, then as a law."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.alias.core import candidates
from plano_filters import load_text
from plano_filters.config import ModelProvider
from plano_filters.models import ModelIndex

INDEX = ModelIndex.of(
    load_text(
        """
version: v0.4.0
listeners: [{name: m, type: model}]
model_providers:
  - {model: openai/gpt-4o, access_key: sk-aaaaaaaa}
  - {model: anthropic/claude, access_key: sk-aaaaaaaa, default: true}
  - {model: together_ai/meta/llama, access_key: sk-aaaaaaaa}
  - {model: openai/twin, access_key: sk-aaaaaaaa}
  - {model: vllm/twin, base_url: "http://127.0.0.1:8000"}
""",
        env={},
    ).document
)


def test_embeddings_have_no_stand_ins() -> None:
    """Vectors of different models do not compare."""
    found = candidates(["openai/gpt-4o"], ["together_ai/meta/llama"], "embeddings", INDEX)

    assert found == ("openai/gpt-4o",)


def test_deployments_of_one_model_stand_in_for_one_another() -> None:
    """Also for embeddings, also when one is named in full."""
    found = candidates(["vllm/twin"], ["openai/gpt-4o"], "embeddings", INDEX)

    assert found == ("vllm/twin", "openai/twin")


def test_a_model_that_does_not_speak_the_dialect_is_no_candidate() -> None:
    """Anthropic has no embeddings, and those of another model would be of no use."""
    unnamed = candidates(["anthropic/claude", "openai/gpt-4o"], [], "embeddings", INDEX)

    assert candidates(["anthropic/claude"], ["openai/gpt-4o"], "embeddings", INDEX) == ()
    assert unnamed == ("openai/gpt-4o",)


def test_a_model_stands_in_across_dialects() -> None:
    """What its provider does not speak is translated."""
    found = candidates(["anthropic/claude"], ["openai/gpt-4o"], "responses", INDEX)

    assert found == ("anthropic/claude", "openai/gpt-4o")


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
