"""The configuration that `init` writes."""

from __future__ import annotations

import pytest

from plano_filters import Registry, compile_chain, load_text
from plano_filters.cli.initial import initial_document
from plano_filters.providers import PROVIDERS

KEYS = sorted({row.env_key for row in PROVIDERS.values() if row.env_key})


@pytest.mark.parametrize(
    ("variables", "models"),
    [
        ([], ["mock/fast", "mock/smart"]),
        (["HOME", "PATH"], ["mock/fast", "mock/smart"]),
        (["OPENAI_API_KEY"], ["openai/*"]),
        (["GROQ_API_KEY", "ANTHROPIC_API_KEY"], ["anthropic/*", "groq/*"]),
        (["AZURE_OPENAI_API_KEY"], ["mock/fast", "mock/smart"]),  # needs an endpoint too
        (["AZURE_OPENAI_API_KEY", "OPENAI_API_KEY"], ["openai/*"]),
        (["GITHUB_TOKEN"], ["mock/fast", "mock/smart"]),  # opens much more than models
    ],
)
def test_the_models_are_those_that_can_be_asked(variables: list[str], models: list[str]) -> None:
    """A provider is declared if its key is there; the mock stands in if none is."""
    document = load_text(initial_document(variables), env=dict.fromkeys(variables, "k")).document

    assert [entry.model for entry in document.model_providers] == models


@pytest.mark.parametrize("variables", [[], KEYS, ["OPENAI_API_KEY"]], ids=["none", "all", "one"])
def test_it_is_valid(variables: list[str]) -> None:
    """Whatever keys are there, what is written has neither an error nor a warning."""
    loaded = load_text(initial_document(variables), env=dict.fromkeys(variables, "k"))
    chain = compile_chain(loaded.document, Registry.from_entry_points(), loaded.report)

    assert (loaded.report.errors, loaded.report.warnings) == ([], [])
    assert str(chain) == "alias -> upstream"


def test_a_provider_without_an_address_is_shown_but_not_used() -> None:
    """A key whose provider needs an endpoint of the user's becomes a comment that says so."""
    text = initial_document(["AZURE_OPENAI_API_KEY"])

    assert '# - {model: "azure_openai/*", access_key: $AZURE_OPENAI_API_KEY, base_url:' in text


def test_a_variable_that_is_no_key_of_a_provider_alone_is_offered_only() -> None:
    """Who has a token for something else has not asked for it to be sent to a model."""
    text = initial_document(["GITHUB_TOKEN", "OPENAI_API_KEY"])

    assert '  # - {model: "github/*", access_key: $GITHUB_TOKEN}\n' in text


def test_it_listens_where_nobody_else_can_reach_it() -> None:
    """A first configuration has no `auth`, so it is for this machine alone."""
    assert [one.address for one in load_text(initial_document([])).document.listeners] == [
        "127.0.0.1"
    ]
