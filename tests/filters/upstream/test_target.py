"""Where a model is asked and how a try signs in, for every row of the provider table."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from plano_builtin_filters.upstream import target as targets
from plano_builtin_filters.upstream.target import Target, authentication, client_credential
from plano_filters import BadRequest, providers
from plano_filters.config import ModelProvider
from plano_filters.dialect import Dialect

KEY = "sk-configured-0001"


def target(model: str, dialect: Dialect = "chat", **fields: Any) -> Target:
    entry = ModelProvider.model_validate({"model": model, **fields})
    return targets.target(entry, dialect)


def signed(where: Target, client: dict[str, str] | None = None) -> dict[str, str]:
    pairs = authentication(where, client or {})
    return {name.decode(): value.decode() for name, value in pairs}


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("openai/gpt-5.2", "https://api.openai.com/v1/chat/completions"),
        ("anthropic/claude", "https://api.anthropic.com/v1/chat/completions"),
        (
            "gemini/gemini-3",
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
        ),
        (
            "google/gemini-3",
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
        ),
        ("groq/llama", "https://api.groq.com/openai/v1/chat/completions"),
        ("mistral/small", "https://api.mistral.ai/v1/chat/completions"),
        ("deepseek/chat", "https://api.deepseek.com/v1/chat/completions"),
        ("xai/grok-4", "https://api.x.ai/v1/chat/completions"),
        ("moonshotai/kimi", "https://api.moonshot.ai/v1/chat/completions"),
        ("zhipu/glm", "https://open.bigmodel.cn/api/paas/v4/chat/completions"),
        ("together/qwen/qwen-3", "https://api.together.xyz/v1/chat/completions"),
        ("do/llama", "https://inference.do-ai.run/v1/chat/completions"),
        ("xiaomi/mimo", "https://api.xiaomimimo.com/v1/chat/completions"),
        ("openrouter/a/b:free", "https://openrouter.ai/api/v1/chat/completions"),
        ("perplexity/sonar", "https://api.perplexity.ai/chat/completions"),
        ("github/gpt", "https://models.github.ai/inference/chat/completions"),
        ("ollama/llama3", "http://127.0.0.1:11434/v1/chat/completions"),
    ],
)
def test_url_of_a_known_provider(model: str, url: str) -> None:
    """A known provider needs no base_url."""
    assert str(target(model).url) == url


@pytest.mark.parametrize(
    ("model", "base_url", "url"),
    [
        # no path: the provider's usual prefix
        ("openai/m", "http://h:8000", "http://h:8000/v1/chat/completions"),
        ("openai/m", "http://h:8000/", "http://h:8000/v1/chat/completions"),
        ("groq/m", "http://h", "http://h/openai/v1/chat/completions"),
        ("zhipu/m", "https://h", "https://h/api/paas/v4/chat/completions"),
        ("perplexity/m", "https://h", "https://h/chat/completions"),
        ("vllm/m", "http://h:8000", "http://h:8000/v1/chat/completions"),
        ("ollama/m", "http://h:11434", "http://h:11434/v1/chat/completions"),
        ("azure_openai/m", "https://r.example", "https://r.example/openai/v1/chat/completions"),
        ("amazon_bedrock/m", "https://b.example", "https://b.example/openai/v1/chat/completions"),
        # a path replaces it; slashes at its end do not matter
        ("openai/m", "http://h/api", "http://h/api/chat/completions"),
        ("groq/m", "http://h/v1", "http://h/v1/chat/completions"),
        ("groq/m", "http://h/v1//", "http://h/v1/chat/completions"),
        ("openai/m", "http://h/a/b/v2/", "http://h/a/b/v2/chat/completions"),
        ("qwen/m", "https://h/compatible-mode/v1", "https://h/compatible-mode/v1/chat/completions"),
        # a query stays
        ("azure/m", "https://h/x?api-version=1", "https://h/x/chat/completions?api-version=1"),
    ],
)
def test_base_url(model: str, base_url: str, url: str) -> None:
    """A path in base_url replaces the provider's prefix; none, or `/`, takes the usual one."""
    assert str(target(model, base_url=base_url).url) == url


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        ("chat", "/v1/chat/completions"),
        ("responses", "/v1/responses"),
        ("embeddings", "/v1/embeddings"),
        ("messages", "/v1/messages"),
    ],
)
def test_path_of_a_dialect(dialect: Dialect, path: str) -> None:
    """Each dialect has its endpoint behind the same prefix."""
    assert target("vllm/m", dialect, base_url="http://h").url.path == path


def test_provider_interface_lends_its_prefix() -> None:
    """An unknown provider is asked as the one whose interface it has."""
    where = target("corp/m", base_url="http://h", provider_interface="groq", access_key=KEY)

    assert str(where.url) == "http://h/openai/v1/chat/completions"
    assert signed(where) == {"authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize("row", [n for n, r in providers.PROVIDERS.items() if n != "mock"])
@pytest.mark.parametrize("dialect", ["chat", "messages"])
def test_exactly_one_credential(row: str, dialect: Dialect) -> None:
    """Whatever the provider, a key goes up once, in one header, in the provider's way."""
    sent = signed(target(f"{row}/m", dialect, base_url="http://h", access_key=KEY))

    style = "x-api-key" if dialect == "messages" else providers.PROVIDERS[row].auth
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
        ("anthropic/m", "chat", {"authorization": f"Bearer {KEY}"}),
        ("anthropic/m", "messages", {"x-api-key": KEY, "anthropic-version": "2023-06-01"}),
        ("azure/m", "chat", {"api-key": KEY}),
        ("bedrock/m", "chat", {"authorization": f"Bearer {KEY}"}),
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
        ("http://h/v1", "", "http://h/v1"),
        ("http://h/v1", "beta=true", "http://h/v1?beta=true"),
        ("http://h/v1?a=1", "beta=true", "http://h/v1?a=1&beta=true"),
        ("http://h/v1", "q=a%2Fb%20c", "http://h/v1?q=a%2Fb%20c"),
    ],
)
def test_with_query(base: str, query: str, url: str) -> None:
    """The client's query goes up as it wrote it, behind the configured one."""
    assert str(targets.with_query(httpx.URL(base), query)) == url


@pytest.mark.parametrize(
    ("base_url", "port"), [("http://h", 80), ("https://h", 443), ("http://h:8000", 8000)]
)
def test_port(base_url: str, port: int) -> None:
    """The port of the ledger is the one that is dialled."""
    assert target("openai/m", base_url=base_url).port == port
