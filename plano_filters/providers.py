"""The provider table: what we know of each provider's API. A new one is one row.

Sources: the providers' API references; base URLs as Plano and LiteLLM have them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from plano_filters.dialect import Dialect

Auth = Literal["bearer", "api-key", "none"]
_CHAT: frozenset[Dialect] = frozenset({"chat", "embeddings"})
_RESPONSES: frozenset[Dialect] = frozenset({"chat", "embeddings", "responses"})
_MESSAGES: frozenset[Dialect] = frozenset({"chat", "embeddings", "messages"})
_ALL: frozenset[Dialect] = frozenset({"chat", "embeddings", "responses", "messages"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider's API."""

    base_url: str | None = None
    """With the path in front of `/chat/completions`; None: the user must give one."""
    path: str = "/v1"
    """The path where there is no `base_url`."""
    aliases: tuple[str, ...] = ()
    auth: Auth = "bearer"
    """How the credential is sent; on `messages` it is always `x-api-key`."""
    dialects: frozenset[Dialect] = _CHAT
    """What it speaks natively; the others are translated as far as that is possible."""
    env_key: str | None = None
    """The variable its credential is usually in."""
    gen_ai: str = ""
    """`gen_ai.provider.name`, where it is not the prefix."""
    prices: str = ""
    """Its id in `genai-prices`, where it is not the prefix."""
    needs_key: bool = True
    own: bool = False
    """Runs on machines of one's own: nobody charges for its tokens."""
    messages_path: str = ""
    """The path in front of `/messages`, where it is not that of the other dialects."""
    messages_models: tuple[str, ...] = ()
    """Parts of ids. Where given, models with one of them speak `messages` only, the others not."""
    converse_but: str = ""
    """A part of ids. Where given, models without it are asked by Converse, AWS's own API, unless
    `base_url` has the path of the other."""
    counts_tokens: bool = False
    """Whether its Messages API has `/messages/count_tokens`."""
    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_tokens"
    """What `chat` calls the limit of the answer. OpenAI has given up the name others copied."""
    developer_role: bool = False
    """Whether `chat` knows `developer` messages; `system` is understood everywhere."""
    stream_usage: bool = True
    """Whether `chat` takes `stream_options.include_usage`."""
    reasoning_content: bool = False
    """Whether `chat` wants to be told again what the model thought."""
    cache_breakpoints: bool = False
    """Whether `chat` knows `prompt_cache_breakpoint` on a content part."""

    @property
    def prefix(self) -> str:
        """The path in front of `/chat/completions`, such as `/openai/v1`; no slash at its end."""
        if self.base_url is None:
            return self.path
        _, _, path = self.base_url.partition("://")[2].partition("/")
        return f"/{path}" if path else ""


PROVIDERS: dict[str, Provider] = {
    "openai": Provider(
        base_url="https://api.openai.com/v1",
        dialects=_RESPONSES,
        env_key="OPENAI_API_KEY",
        max_tokens_field="max_completion_tokens",
        developer_role=True,
        cache_breakpoints=True,
    ),
    # Its chat endpoint is there "to test and compare" only, so it is not used.
    "anthropic": Provider(
        base_url="https://api.anthropic.com/v1",
        dialects=frozenset({"messages"}),
        env_key="ANTHROPIC_API_KEY",
        counts_tokens=True,
    ),
    "gemini": Provider(
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        aliases=("google",),
        env_key="GEMINI_API_KEY",
        gen_ai="gcp.gemini",
        prices="google",
        max_tokens_field="max_completion_tokens",
    ),
    "azure_openai": Provider(
        path="/openai/v1",
        aliases=("azure",),
        auth="api-key",
        dialects=_RESPONSES,
        env_key="AZURE_OPENAI_API_KEY",
        gen_ai="azure.ai.openai",
        prices="azure",
        max_tokens_field="max_completion_tokens",
        developer_role=True,
    ),
    "amazon_bedrock": Provider(
        path="/openai/v1",
        aliases=("amazon", "bedrock"),
        dialects=_RESPONSES,
        converse_but="openai.",
        env_key="AWS_BEARER_TOKEN_BEDROCK",
        gen_ai="aws.bedrock",
        prices="aws",
        max_tokens_field="max_completion_tokens",
        developer_role=True,
    ),
    # A model that is asked on another's route is refused: "model isn't supported on this route".
    "bedrock_mantle": Provider(
        path="/v1",
        dialects=_ALL,
        env_key="AWS_BEARER_TOKEN_BEDROCK",
        gen_ai="aws.bedrock",
        prices="aws",
        messages_path="/anthropic/v1",
        messages_models=("claude",),
        max_tokens_field="max_completion_tokens",
        developer_role=True,
    ),
    # It refuses fields that it does not know, and streams usage unasked.
    "mistral": Provider(
        base_url="https://api.mistral.ai/v1",
        env_key="MISTRAL_API_KEY",
        gen_ai="mistral_ai",
        stream_usage=False,
    ),
    "groq": Provider(
        base_url="https://api.groq.com/openai/v1",
        dialects=_RESPONSES,
        env_key="GROQ_API_KEY",
        max_tokens_field="max_completion_tokens",
    ),
    "deepseek": Provider(
        base_url="https://api.deepseek.com/v1",
        dialects=_MESSAGES,
        env_key="DEEPSEEK_API_KEY",
        messages_path="/anthropic/v1",
        reasoning_content=True,
    ),
    "xai": Provider(
        base_url="https://api.x.ai/v1",
        aliases=("x-ai", "grok"),
        dialects=_RESPONSES,
        env_key="XAI_API_KEY",
        gen_ai="x_ai",
        prices="x-ai",
        max_tokens_field="max_completion_tokens",
    ),
    "together_ai": Provider(
        base_url="https://api.together.xyz/v1",
        aliases=("together",),
        env_key="TOGETHER_API_KEY",
        prices="together",
    ),
    "openrouter": Provider(
        base_url="https://openrouter.ai/api/v1", dialects=_ALL, env_key="OPENROUTER_API_KEY"
    ),
    "digitalocean": Provider(
        base_url="https://inference.do-ai.run/v1", aliases=("do", "do_ai"), env_key="DO_API_KEY"
    ),
    "vercel": Provider(
        base_url="https://ai-gateway.vercel.sh/v1", dialects=_ALL, env_key="AI_GATEWAY_API_KEY"
    ),
    "moonshotai": Provider(
        base_url="https://api.moonshot.ai/v1",
        dialects=_MESSAGES,
        env_key="MOONSHOT_API_KEY",
        gen_ai="moonshot_ai",
        messages_path="/anthropic/v1",
    ),
    # Its version segment is v4, not v1.
    "zhipu": Provider(
        base_url="https://open.bigmodel.cn/api/paas/v4",
        dialects=_MESSAGES,
        env_key="ZHIPU_API_KEY",
        prices="zhipuai",
        messages_path="/api/anthropic/v1",
    ),
    "zai": Provider(
        base_url="https://api.z.ai/api/paas/v4",
        dialects=_MESSAGES,
        env_key="ZAI_API_KEY",
        messages_path="/api/anthropic/v1",
    ),
    "qwen": Provider(
        base_url="https://dashscope.aliyuncs.com/compatible-mode/v1", env_key="DASHSCOPE_API_KEY"
    ),
    "minimax": Provider(
        base_url="https://api.minimax.io/v1",
        dialects=_MESSAGES,
        env_key="MINIMAX_API_KEY",
        messages_path="/anthropic/v1",
    ),
    "xiaomi": Provider(base_url="https://api.xiaomimimo.com/v1", env_key="XIAOMI_API_KEY"),
    "meta": Provider(base_url="https://api.llama.com/compat/v1", env_key="LLAMA_API_KEY"),
    "edenai": Provider(base_url="https://api.edenai.run/v3", env_key="EDENAI_API_KEY"),
    "github": Provider(base_url="https://models.github.ai/inference", env_key="GITHUB_TOKEN"),
    "perplexity": Provider(
        base_url="https://api.perplexity.ai", env_key="PERPLEXITY_API_KEY", stream_usage=False
    ),
    "fireworks": Provider(
        base_url="https://api.fireworks.ai/inference/v1", env_key="FIREWORKS_API_KEY"
    ),
    "cerebras": Provider(
        base_url="https://api.cerebras.ai/v1",
        env_key="CEREBRAS_API_KEY",
        max_tokens_field="max_completion_tokens",
    ),
    "nvidia_nim": Provider(
        base_url="https://integrate.api.nvidia.com/v1", env_key="NVIDIA_NIM_API_KEY"
    ),
    "sambanova": Provider(base_url="https://api.sambanova.ai/v1", env_key="SAMBANOVA_API_KEY"),
    # The backend of a ChatGPT subscription, with the user's own login.
    "chatgpt": Provider(
        base_url="https://chatgpt.com/backend-api/codex", dialects=frozenset({"responses"})
    ),
    "plano": Provider(base_url="https://archfc.katanemo.dev/v1", needs_key=False),
    "ollama": Provider(
        base_url="http://127.0.0.1:11434/v1",
        dialects=_ALL,
        auth="bearer",
        needs_key=False,
        own=True,
    ),
    "vllm": Provider(dialects=_ALL, needs_key=False, own=True),
    "sglang": Provider(dialects=_MESSAGES, needs_key=False, own=True),
    "lmstudio": Provider(dialects=_MESSAGES, needs_key=False, own=True),
    "llamacpp": Provider(needs_key=False, own=True),
    # In this process: answers without a network and without a key (plano_filters.mock).
    "mock": Provider(
        base_url="http://mock.invalid/v1",
        auth="none",
        dialects=_ALL,
        needs_key=False,
        counts_tokens=True,
        max_tokens_field="max_completion_tokens",
        developer_role=True,
        own=True,
    ),
}
"""Rows by prefix: the part of a model name before the first slash."""

_PLAIN_INTERFACES = frozenset({"astraflow", "astraflow_cn"})
"""Interfaces of Plano's without a row: OpenAI-compatible, at an address of the user's."""
_BY_ALIAS = {alias: name for name, row in PROVIDERS.items() for alias in row.aliases}


def canonical(prefix: str) -> str:
    """Return the name of the row that a prefix or one of its aliases means; itself if unknown."""
    return _BY_ALIAS.get(prefix, prefix)


def find(prefix: str) -> Provider | None:
    """Return the row of a prefix or alias; None if there is none."""
    return PROVIDERS.get(canonical(prefix))


def is_interface(name: str) -> bool:
    """Say whether `provider_interface` may name it."""
    return find(name) is not None or name in _PLAIN_INTERFACES
