"""Where a model is asked and in which dialect, for every row of the provider table."""

from __future__ import annotations

from typing import Any

import pytest

from plano_filters import endpoints
from plano_filters.config import ModelProvider
from plano_filters.dialect import Dialect
from plano_filters.translation import translator


def entry(model: str, base_url: str | None = None, **fields: Any) -> ModelProvider:
    return ModelProvider.model_validate({"model": model, "base_url": base_url, **fields})


def asked(model: str, dialect: Dialect = "chat", base_url: str | None = None) -> str:
    declared = entry(model, base_url)
    return endpoints.url(declared, dialect, declared.model_id)


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("openai/gpt-5.2", "https://api.openai.com/v1/chat/completions"),
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
    assert asked(model) == url


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
        ("bedrock/openai.m", "https://b.example", "https://b.example/openai/v1/chat/completions"),
        (
            "bedrock/m",
            "https://b.example/openai/v1",
            "https://b.example/openai/v1/chat/completions",
        ),
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
    assert asked(model, base_url=base_url) == url


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
    assert asked("vllm/m", dialect, base_url="http://h") == f"http://h{path}"


@pytest.mark.parametrize(
    ("model", "base_url", "url"),
    [
        ("anthropic/m", None, "https://api.anthropic.com/v1/messages"),
        ("anthropic/m", "https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
        ("anthropic/m", "https://api.anthropic.com/", "https://api.anthropic.com/v1/messages"),
        ("anthropic/m", "https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"),
        ("anthropic/m", "https://api.anthropic.com/v1/", "https://api.anthropic.com/v1/messages"),
        ("anthropic/m", "http://h/proxy", "http://h/proxy/v1/messages"),
        ("anthropic/m", "http://h/proxy/v1?k=1", "http://h/proxy/v1/messages?k=1"),
        ("openrouter/m", None, "https://openrouter.ai/api/v1/messages"),
        ("ollama/m", "http://h:11434", "http://h:11434/v1/messages"),
        ("deepseek/m", None, "https://api.deepseek.com/anthropic/v1/messages"),
        ("deepseek/m", "https://h/v1", "https://h/anthropic/v1/messages"),
        ("deepseek/m", "https://h/anthropic", "https://h/anthropic/v1/messages"),
        ("zai/m", None, "https://api.z.ai/api/anthropic/v1/messages"),
        ("bedrock_mantle/anthropic.claude-x", "https://b", "https://b/anthropic/v1/messages"),
        ("bedrock_mantle/anthropic.claude-x", "https://b/v1", "https://b/anthropic/v1/messages"),
    ],
)
def test_url_of_messages(model: str, base_url: str | None, url: str) -> None:
    """With and without `/v1` at the end of `base_url`, and where the API has another prefix."""
    assert asked(model, "messages", base_url) == url


@pytest.mark.parametrize(
    ("model", "base_url", "url"),
    [
        ("amazon.nova-x-v1:0", "http://b", "http://b/model/amazon.nova-x-v1%3A0/converse"),
        ("us.meta.x", "http://b/proxy/?k=1", "http://b/proxy/model/us.meta.x/converse?k=1"),
        ("openai.gpt-x", "http://b/model/", "http://b/model/openai.gpt-x/converse"),
        ("arn:aws:a/b", "http://b", "http://b/model/arn%3Aaws%3Aa%2Fb/converse"),
    ],
)
def test_url_of_converse(model: str, base_url: str, url: str) -> None:
    """The model is in the path, as one segment of it."""
    assert asked(f"amazon_bedrock/{model}", "messages", base_url) == url


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        (
            "https://r.openai.azure.com",
            "https://r.openai.azure.com/openai/v1/chat/completions",
        ),
        (
            "https://r.example/openai/deployments?api-version=2024-10-21",
            "https://r.example/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
        ),
        (
            "https://r.example/openai/deployments/mine?api-version=2024-10-21",
            "https://r.example/openai/deployments/mine/chat/completions?api-version=2024-10-21",
        ),
        (
            "https://r.example/openai/deployments/",
            (
                "https://r.example/openai/deployments/gpt-4o/chat/completions"
                "?api-version=2025-01-01-preview"
            ),
        ),
    ],
)
def test_azure_has_an_older_api(base_url: str, url: str) -> None:
    """It is asked where `base_url` says so; the model is then in the path."""
    assert asked("azure/gpt-4o", base_url=base_url) == url


@pytest.mark.parametrize(
    ("model", "base_url", "client", "dialect"),
    [
        ("openai/m", None, "chat", "chat"),
        ("openai/m", None, "messages", "chat"),
        ("openai/m", None, "responses", "responses"),
        ("openai/m", None, "embeddings", "embeddings"),
        ("anthropic/m", None, "chat", "messages"),
        ("anthropic/m", None, "messages", "messages"),
        ("anthropic/m", None, "responses", "messages"),
        ("anthropic/m", None, "embeddings", None),
        ("mistral/m", None, "responses", "chat"),
        ("openrouter/m", None, "messages", "messages"),
        ("chatgpt/m", None, "responses", "responses"),
        ("chatgpt/m", None, "chat", None),
        ("deepseek/m", None, "messages", "messages"),
        ("deepseek/m", None, "chat", "chat"),
        # a path of the user's is for one of its two APIs
        ("deepseek/m", "http://h/mine", "messages", "chat"),
        ("deepseek/m", "http://h/anthropic/v1", "chat", "messages"),
        ("deepseek/m", "http://h/anthropic", "messages", "messages"),
        # on Bedrock each model has its route
        ("bedrock_mantle/anthropic.claude-x", "http://b", "chat", "messages"),
        ("bedrock_mantle/anthropic.claude-x", "http://b", "messages", "messages"),
        ("bedrock_mantle/openai.gpt-x", "http://b", "messages", "chat"),
        ("bedrock_mantle/openai.gpt-x", "http://b", "responses", "responses"),
        # the older API of AWS has all but OpenAI's, unless the path says what is asked
        ("bedrock/us.anthropic.claude-x", "http://b", "chat", "messages"),
        ("bedrock/amazon.nova-x", "http://b", "responses", "messages"),
        ("bedrock/amazon.nova-x", "http://b", "embeddings", None),
        ("bedrock/amazon.nova-x", "http://b/openai/v1", "chat", "chat"),
        ("bedrock/us.openai.gpt-x", "http://b", "chat", "chat"),
        ("bedrock/us.openai.gpt-x", "http://b/model", "chat", "messages"),
        # the older API of Azure has no Responses
        ("azure/m", "http://h/openai/deployments", "responses", "chat"),
        ("azure/m", "http://h", "responses", "responses"),
        ("mock/fast", None, "messages", "messages"),
    ],
)
def test_the_dialect_to_ask_in(
    model: str, base_url: str | None, client: Dialect, dialect: Dialect | None
) -> None:
    """The client's own where the provider speaks it, else the nearest that it does."""
    declared = entry(model, base_url)

    assert endpoints.asked_in(declared, declared.model_id, client) == dialect


@pytest.mark.parametrize(
    ("client", "provider"),
    [(c, p) for c, ways in endpoints.ASKED_IN.items() for p in ways if p != c],
)
def test_every_way_has_a_translator(client: Dialect, provider: Dialect) -> None:
    """What is promised to the routing can be done."""
    assert translator(client, provider) is not None
