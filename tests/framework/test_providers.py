"""The provider table: whole, consistent, and found by every name."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from plano_filters.providers import PROVIDERS, Provider, canonical, find


@pytest.mark.parametrize(("name", "row"), PROVIDERS.items())
def test_a_row_is_usable(name: str, row: Provider) -> None:
    """A URL without a slash at its end, a prefix, a dialect, a way to get in."""
    if row.base_url is not None:
        parts = urlsplit(row.base_url)
        assert parts.scheme in ("http", "https")
        assert not row.base_url.endswith("/")
        assert row.prefix == parts.path
    assert row.prefix == "" or row.prefix.startswith("/")
    assert row.dialects & {"chat", "responses", "messages"}
    assert not row.messages_path or row.messages_path.endswith("/v1")
    assert row.env_key or not row.needs_key or name == "chatgpt"


def test_an_alias_means_one_row() -> None:
    """And never hides one."""
    aliases = [alias for row in PROVIDERS.values() for alias in row.aliases]

    assert len(aliases) == len(set(aliases))
    assert not set(aliases) & set(PROVIDERS)


@pytest.mark.parametrize(
    ("prefix", "name"), [("google", "gemini"), ("x-ai", "xai"), ("openai", "openai"), ("?", "?")]
)
def test_a_prefix_is_found_by_its_aliases(prefix: str, name: str) -> None:
    """Unknown ones stay what they are."""
    assert canonical(prefix) == name
    assert find(prefix) is PROVIDERS.get(name)


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("openai", "/v1"),
        ("groq", "/openai/v1"),
        ("gemini", "/v1beta/openai"),
        ("zhipu", "/api/paas/v4"),
        ("perplexity", ""),
        ("vllm", "/v1"),
        ("azure_openai", "/openai/v1"),
    ],
)
def test_a_prefix_is_the_path_of_the_url(name: str, prefix: str) -> None:
    """Not every provider's API is under /v1."""
    assert PROVIDERS[name].prefix == prefix
