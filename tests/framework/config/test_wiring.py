"""Providers that need more than a row of the table."""

from __future__ import annotations

import pytest

from plano_filters.config import ModelProvider
from tests.framework.config.reading import ENV, read


def provider(entry: str, **env: str) -> ModelProvider:
    loaded = read(f"version: v0.4.0\nmodel_providers: [{{{entry}}}]\n", env={**ENV, **env})
    loaded.report.raise_errors()
    return loaded.document.model_providers[0]


def headers(entry: ModelProvider) -> dict[str, str]:
    return {name: secret.reveal() for name, secret in entry.headers.items()}


def test_chatgpt_uses_the_users_own_login() -> None:
    """With the headers of the client that the backend expects."""
    entry = provider("model: chatgpt/gpt-5-codex", CHATGPT_ACCOUNT_ID="account")

    sent = headers(entry)

    assert entry.passthrough_auth
    assert len(sent.pop("session_id")) == 36
    assert sent.pop("user-agent").startswith("codex_cli_rs")
    assert sent == {"originator": "codex_cli_rs", "ChatGPT-Account-Id": "account"}


def test_chatgpt_without_an_account_sends_none() -> None:
    """An unset variable is no error here, and what is set stays."""
    entry = provider("model: chatgpt/x, headers: {Originator: mine}, passthrough_auth: false")

    assert not entry.passthrough_auth
    assert headers(entry)["Originator"] == "mine"
    assert {"originator", "ChatGPT-Account-Id"}.isdisjoint(headers(entry))


@pytest.mark.parametrize(
    ("base_url", "wired"),
    [
        ("https://api.kimi.com/coding", "https://api.kimi.com/coding/v1"),
        ("https://api.kimi.com/coding/", "https://api.kimi.com/coding/v1"),
        ("https://api.kimi.com/coding/v1", "https://api.kimi.com/coding/v1"),
        ("https://example.com/coding", "https://example.com/coding"),
    ],
)
def test_the_coding_plan_of_kimi_has_its_own_path(base_url: str, wired: str) -> None:
    """And answers only to its own client's name."""
    entry = provider(f"model: moonshotai/kimi, base_url: '{base_url}'")

    assert entry.base_url == wired
    assert ("User-Agent" in entry.headers) == (wired != base_url)
