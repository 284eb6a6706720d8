"""Where a model is asked and how a try signs in, for every row of the provider table."""

from __future__ import annotations

from typing import Any

import pytest

from plano_builtin_filters.upstream import target as targets
from plano_builtin_filters.upstream.target import Target, authentication, client_credential
from plano_filters import BadRequest, providers
from plano_filters.config import ModelProvider
from plano_filters.dialect import Dialect, operation_for

KEY = "sk-configured-0001"


def target(model: str, dialect: Dialect = "chat", **fields: Any) -> Target:
    entry = ModelProvider.model_validate({"model": model, **fields})
    found = targets.target(entry, dialect, entry.model_id)
    assert found is not None
    return found


def signed(where: Target, client: dict[str, str] | None = None) -> dict[str, str]:
    pairs = authentication(where, client or {})
    return {name.decode(): value.decode() for name, value in pairs}


def test_provider_interface_lends_its_prefix() -> None:
    """An unknown provider is asked as the one whose interface it has."""
    where = target("corp/m", base_url="http://h", provider_interface="groq", access_key=KEY)

    assert str(where.url) == "http://h/openai/v1/chat/completions"
    assert signed(where) == {"authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize("row", [n for n in providers.PROVIDERS if n not in ("mock", "chatgpt")])
@pytest.mark.parametrize("dialect", ["chat", "messages"])
def test_exactly_one_credential(row: str, dialect: Dialect) -> None:
    """Whatever the provider, a key goes up once, in one header, in the provider's way."""
    where = target(f"{row}/m", dialect, base_url="http://h", access_key=KEY)
    sent = signed(where)

    own = where.dialect == "messages" and not where.converse
    style = "x-api-key" if own else providers.PROVIDERS[row].auth
    expected = {
        "bearer": {"authorization": f"Bearer {KEY}"},
        "api-key": {"api-key": KEY},
        "x-api-key": {"x-api-key": KEY},
    }[style]
    sent.pop("anthropic-version", None)
    assert sent == expected


@pytest.mark.parametrize(
    ("model", "dialect", "sent"),
    [
        ("openai/m", "chat", {"authorization": f"Bearer {KEY}"}),
        ("anthropic/m", "chat", {"x-api-key": KEY, "anthropic-version": "2023-06-01"}),
        ("openai/m", "messages", {"authorization": f"Bearer {KEY}"}),
        ("anthropic/m", "messages", {"x-api-key": KEY, "anthropic-version": "2023-06-01"}),
        ("azure/m", "chat", {"api-key": KEY}),
        ("bedrock/openai.m", "chat", {"authorization": f"Bearer {KEY}"}),
        ("bedrock/m", "messages", {"authorization": f"Bearer {KEY}"}),
        ("mock/m", "chat", {}),
    ],
)
def test_authentication(model: str, dialect: Dialect, sent: dict[str, str]) -> None:
    """Bearer, `x-api-key` with a version, or `api-key`: as the provider has it."""
    assert signed(target(model, dialect, base_url="http://h", access_key=KEY)) == sent


def test_the_clients_anthropic_version_stands() -> None:
    """A version that the client names is not overridden."""
    where = target("anthropic/m", "messages", access_key=KEY)

    assert signed(where, {"anthropic-version": "2026-10-21"}) == {"x-api-key": KEY}


@pytest.mark.parametrize(
    ("client", "credential"),
    [
        ({"authorization": "Bearer theirs"}, "theirs"),
        ({"authorization": "bearer   theirs "}, "theirs"),
        ({"authorization": "theirs"}, "theirs"),
        ({"x-api-key": "theirs"}, "theirs"),
        ({"authorization": "Bearer one", "x-api-key": "two"}, "one"),
        ({"authorization": "Bearer ", "x-api-key": "two"}, "two"),
        ({"authorization": " ", "x-api-key": "two"}, "two"),
        ({"authorization": "Bearer"}, None),
        ({}, None),
    ],
)
def test_passthrough_auth(client: dict[str, str], credential: str | None) -> None:
    """The client's credential goes on, in the provider's style; none goes on as none."""
    where = target("openai/m", passthrough_auth=True, access_key=KEY)

    assert client_credential(client) == credential
    assert signed(where, client) == (
        {"authorization": f"Bearer {credential}"} if credential else {}
    )


def test_a_translated_request_has_a_version_of_our_own() -> None:
    """Whatever the client says of an API that is not asked; and the translator knows it."""
    client = {"anthropic-version": "2026-10-21"}
    where = target("anthropic/m", access_key=KEY)
    configured = target("anthropic/m", access_key=KEY, headers={"Anthropic-Version": "2026-10-21"})

    assert signed(where, client)["anthropic-version"] == "2023-06-01"
    assert where.traits.anthropic_version == "2023-06-01"
    assert configured.traits.anthropic_version == "2026-10-21"


@pytest.mark.parametrize(
    ("model", "client", "dialect", "translated"),
    [
        ("openai/m", "chat", "chat", False),
        ("openai/m", "messages", "chat", True),
        ("openai/m", "responses", "responses", False),
        ("mistral/m", "responses", "chat", True),
        ("anthropic/m", "chat", "messages", True),
        ("anthropic/m", "messages", "messages", False),
        ("anthropic/m", "responses", "messages", True),
        ("openai/m", "embeddings", "embeddings", False),
    ],
)
def test_a_request_is_translated_if_the_provider_does_not_speak_its_dialect(
    model: str, client: Dialect, dialect: Dialect, translated: bool
) -> None:
    """And only then."""
    where = target(model, client, access_key=KEY)

    assert where.dialect == dialect
    assert (where.translate is not None) == translated


def test_traits_are_those_of_the_row() -> None:
    """The provider table says what a translator has to know."""
    openai, deepseek = target("openai/m", access_key=KEY), target("deepseek/m", access_key=KEY)

    assert openai.traits.max_tokens_field == "max_completion_tokens"
    assert openai.traits.developer_role
    assert deepseek.traits.max_tokens_field == "max_tokens"
    assert deepseek.traits.reasoning_content
    assert not target("mistral/m", access_key=KEY).traits.stream_usage


def test_passthrough_auth_changes_the_style() -> None:
    """A Bearer token of the client's becomes the `x-api-key` that the provider wants."""
    where = target("anthropic/m", "messages", passthrough_auth=True)

    assert signed(where, {"authorization": "Bearer theirs"})["x-api-key"] == "theirs"


def test_without_a_key() -> None:
    """A hosted provider needs one; one at an address of the user's, or on this host, may not."""
    with pytest.raises(BadRequest, match='no access key configured for model provider "openai/m"'):
        signed(target("openai/m"))
    with pytest.raises(BadRequest):
        signed(target("openai/m", access_key=""))

    assert signed(target("openai/m", base_url="http://h")) == {}
    assert signed(target("ollama/m")) == {}


def test_configured_headers() -> None:
    """`headers` and `http_host` go up as they stand; secrets among them are known as such."""
    where = target(
        "openai/m",
        base_url="http://10.0.0.1",
        http_host="llm.example",
        access_key=KEY,
        headers={"X-Team": "a", "X-Token": "a-long-enough-token"},
    )

    assert where.headers == (
        (b"host", b"llm.example"),
        (b"x-team", b"a"),
        (b"x-token", b"a-long-enough-token"),
    )
    assert where.secrets == (KEY, "a-long-enough-token")


@pytest.mark.parametrize(
    ("base", "query", "url"),
    [
        ("http://h/v1", "", "http://h/v1/chat/completions"),
        ("http://h/v1", "beta=true", "http://h/v1/chat/completions?beta=true"),
        ("http://h/v1?a=1", "beta=true", "http://h/v1/chat/completions?a=1&beta=true"),
        ("http://h/v1", "q=a%2Fb%20c", "http://h/v1/chat/completions?q=a%2Fb%20c"),
    ],
)
def test_the_clients_query(base: str, query: str, url: str) -> None:
    """It goes up as the client wrote it, behind the configured one."""
    where = target("openai/m", base_url=base)
    chat = operation_for("/v1/chat/completions", {})

    assert str(targets.address(where, chat, query)) == url


def test_a_query_does_not_go_to_another_api() -> None:
    """`?beta=true` of an Anthropic client would mean nothing to a chat provider, or worse."""
    where = target("openai/m", "messages", base_url="http://h?a=1")
    messages = operation_for("/v1/messages", {})

    found = targets.address(where, messages, "beta=true")

    assert str(found) == "http://h/v1/chat/completions?a=1"


@pytest.mark.parametrize(
    ("model", "client", "counts"),
    [
        ("anthropic/m", "messages", True),
        ("anthropic/m", "chat", False),
        ("vllm/m", "messages", False),
        ("openai/m", "messages", False),
    ],
)
def test_who_counts_tokens(model: str, client: Dialect, counts: bool) -> None:
    """Only a provider that has the endpoint, and only in its own dialect."""
    where = target(model, client, base_url="http://h", access_key=KEY)
    asked = operation_for("/v1/messages/count_tokens", {})

    assert where.counts_tokens is counts
    assert targets.address(where, asked, "").path.endswith("/count_tokens")


@pytest.mark.parametrize(
    ("base_url", "port"), [("http://h", 80), ("https://h", 443), ("http://h:8000", 8000)]
)
def test_port(base_url: str, port: int) -> None:
    """The port of the ledger is the one that is dialled."""
    assert target("openai/m", base_url=base_url).port == port
