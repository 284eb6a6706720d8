"""The YAML document, after migration to v0.4: what every key means and what it defaults to.

Plano's keys keep Plano's names. Keys that are read by nobody here are in `unsupported.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from plano_filters.config.cases import Case
from plano_filters.config.remote import RemoteFilter
from plano_filters.config.storage import StateStorage
from plano_filters.config.types import Duration, Model, Secret

Version = Literal["v0.1", "v0.1.0", "0.1-beta", "0.2.0", "v0.3.0", "v0.4.0"]


class TLS(Model):
    """Serve a listener over TLS; HTTP/2 is then offered by ALPN."""

    cert: str
    """Path of the certificate chain, PEM."""
    key: str
    """Path of the private key, PEM."""


class Listener(Model):
    """An address the gateway serves."""

    older_keys = ("filter_chain", "message_format", "llm_providers", "router", "agents")

    type: Literal["model"] = "model"
    name: str
    address: str = "0.0.0.0"  # noqa: S104 - Plano's default; `init` and `demo` write 127.0.0.1
    port: int = Field(default=12000, ge=0, le=65535)
    timeout: Duration = Field(default=300.0, gt=0)
    """Deadline of a whole exchange, streams included."""
    max_retries: int | None = Field(default=None, ge=0)
    """Tries of one model after the first; sets `upstream.attempts` where that is not set."""
    input_filters: tuple[str, ...] = ()
    """Ids of remote filters that see requests, in this order."""
    output_filters: tuple[str, ...] = ()
    """Ids of remote filters that see answers, in this order."""
    tls: TLS | None = None


class ModelProvider(Model):
    """A model, or with `provider/*` all models, of a provider."""

    older_keys = ("routing_preferences",)

    model: str
    """`<provider>/<model id>` or `<provider>/*`. The id may contain `/` and `:`."""
    name: str = ""
    """Defaults to the model."""
    access_key: Secret | None = None
    default: bool = False
    """Serve requests that name no model."""
    base_url: str | None = None
    """Scheme, host and port of the provider; a path in it replaces the provider's own prefix."""
    http_host: str | None = None
    """`Host` header and TLS server name to send instead of the URL's."""
    provider_interface: str | None = None
    """Which provider's API an unknown prefix speaks."""
    passthrough_auth: bool = False
    """Send the client's credential instead of `access_key`."""
    headers: dict[str, Secret] = Field(default_factory=dict)
    """Extra headers towards the provider, set last."""

    @property
    def provider(self) -> str:
        """The prefix of the model: `openai` of `openai/gpt-5.2`."""
        return self.model.partition("/")[0]

    @property
    def model_id(self) -> str:
        """What the provider calls the model: `gpt-5.2` of `openai/gpt-5.2`."""
        return self.model.partition("/")[2]

    @property
    def wildcard(self) -> bool:
        """Whether it stands for all models of the provider."""
        return self.model_id == "*"


class ModelAlias(Model):
    """Another name for a declared model."""

    target: str
    """Full name or bare id of a declared model."""


class SelectionPolicy(Model):
    """How the models of a preference are ordered."""

    prefer: Literal["cheapest", "fastest", "none"]


class RoutingPreference(Model):
    """A kind of request, in words, and the models for it, best first."""

    name: str = Field(min_length=1)
    description: str
    models: tuple[str, ...] = Field(min_length=1)
    selection_policy: SelectionPolicy | None = None


class SessionCache(Model):
    """Where pins are kept."""

    type: Literal["memory", "redis"] = "memory"
    url: Secret | None = None
    """`redis://` or `rediss://`; required for redis."""
    tenant_header: str | None = None
    """Request header whose value separates tenants."""


class RoutingBudget(Model):
    """How much money a session may spend on changing models."""

    max_switch_spend_pct: float = Field(ge=0, le=100)
    """Per cent of what reading its prompts from the cache of its first model would have cost."""
    replenish_on_rebind: bool = True
    """Begin with empty accounts when its prompt is no longer in a cache."""
    cache_read_discount: float = Field(default=0.1, ge=0, le=1)
    """Price of a cached prompt token as a share of an uncached one, where none is published."""
    record_counterfactual: bool = False
    """Write the model that a session was kept from on the span."""


class Routing(Model):
    """Sessions, and who decides."""

    llm_provider: str | None = None
    model: str | None = None
    session_ttl_seconds: int = Field(default=600, ge=1)
    session_max_entries: int = Field(default=10000, ge=1, le=10000)
    session_cache: SessionCache = SessionCache()
    routing_budget: RoutingBudget | None = None
    route_on_user_only: bool = False
    override_explicit: bool = True
    """Let a matched preference override a model that the client named."""


class Overrides(Model):
    """Settings of Plano's runtime."""

    older_keys = ("agent_orchestration_model", "use_agent_orchestrator")

    llm_routing_model: str | None = None
    """Router model, such as `plano/Plano-Orchestrator`."""
    orchestrator_model_context_length: int = Field(default=8192, ge=1)
    upstream_connect_timeout: Duration = Field(default=5.0, gt=0)
    upstream_tls_ca_path: str | None = None
    """CA bundle for providers, PEM; the system's unless given."""
    disable_signals: bool = False


class SpanAttributes(Model):
    """Attributes to put on every root span."""

    header_prefixes: tuple[str, ...] = ()
    """Request headers to copy: the prefix is removed, `-` becomes `.`."""
    static: dict[str, str] = Field(default_factory=dict)


class Tracing(Model):
    """Where spans go. The standard `OTEL_*` variables say the same."""

    older_keys = ("exporters",)

    random_sampling: int | None = Field(default=None, ge=0, le=100)
    """Percent of the traces to keep that no caller has decided about."""
    opentracing_grpc_endpoint: str | None = None
    """Plano's collector address, `http://host:4317`; spans go by OTLP/HTTP to port 4318 of it."""
    otlp_endpoint: str | None = None
    """OTLP/HTTP base address, such as `http://localhost:4318`."""
    trace_arch_internal: bool = False
    span_attributes: SpanAttributes = SpanAttributes()
    propagate_to_upstream: bool = False
    """Send `traceparent` to providers. Off, because it shows them your topology."""
    capture_content: bool = False
    """Record prompts and answers on spans; needs
    `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` too."""


class CostSource(Model):
    """Where prices come from."""

    type: Literal["cost"]
    provider: Literal["digitalocean", "models.dev", "genai-prices", "file"]
    """`genai-prices`: those that come with the package; they count where nothing is declared."""
    url: str | None = None
    """Address of the catalogue, or path of the file. Default: the catalogue's public address."""
    refresh_interval: int | None = Field(default=None, ge=1)
    """Seconds between two readings. Default: 3600, for a file 60."""
    model_aliases: dict[str, str] = Field(default_factory=dict)
    """Declared models, in full, by the catalogue's names for them."""


class LatencySource(Model):
    """Where latencies come from."""

    type: Literal["latency"]
    provider: Literal["prometheus", "self"]
    """`self`: the times to first byte that the gateway measures; they count where nothing is
    declared."""
    url: str | None = None
    """Address of Prometheus, without `/api/v1`."""
    query: str | None = None
    """PromQL; one row for each model, named by the label `model_name`."""
    refresh_interval: int | None = Field(default=None, ge=1)
    """Seconds between two queries. Default: 60."""


class FilterEntry(Model):
    """One link of the chain, in its long form."""

    use: str
    """Name of an installed filter, `package.module:Class`, or `./file.py:Class`."""
    id: str = ""
    """Unique in its chain; defaults to the name, of a file to the file's."""
    enabled: bool = True
    on_error: Literal["fail", "skip"] = "fail"
    """What an unexpected error or a timeout does to the request."""
    timeout: Duration | None = Field(default=None, gt=0)
    """Longest time one hook may take. None: no limit."""
    config: dict[str, Any] = Field(default_factory=dict)


class MiddlewareEntry(Model):
    """A plain ASGI middleware around the gateway."""

    use: str
    """`package.module:Class`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of its constructor."""


class Limits(Model):
    """What a request may be. Every limit answers with its own error."""

    body: int = Field(default=8 * 1024 * 1024, ge=1024)
    """Largest request body, bytes."""
    headers: int = Field(default=100, ge=10)
    """Most request headers."""
    header_bytes: int = Field(default=32 * 1024, ge=1024)
    """Size of all request headers together, bytes."""
    connections: int = Field(default=4096, ge=1)
    """Most exchanges in flight; more are answered 503."""
    drain: Duration = Field(default=600.0, ge=0)
    """How long streams may go on after SIGTERM."""


class Document(Model):
    """The whole configuration."""

    version: Version = "v0.4.0"
    listeners: tuple[Listener, ...] = (Listener(name="egress_traffic"),)
    model_providers: tuple[ModelProvider, ...] = ()
    model_aliases: dict[str, ModelAlias] = Field(default_factory=dict)
    routing_preferences: tuple[RoutingPreference, ...] = ()
    model_metrics_sources: tuple[
        Annotated[CostSource | LatencySource, Field(discriminator="type")], ...
    ] = ()
    routing: Routing = Routing()
    state_storage: StateStorage | None = None
    overrides: Overrides = Overrides()
    tracing: Tracing = Tracing()
    limits: Limits = Limits()
    filters: tuple[FilterEntry, ...] = ()
    """The chain; top to bottom is the way of a request."""
    remote_filters: tuple[RemoteFilter, ...] = ()
    """The entries of `filters` that have a `url`."""
    middleware: tuple[MiddlewareEntry, ...] = ()
    """ASGI middleware around the gateway, outermost first."""
    tests: tuple[Case, ...] = ()
    """What `plano-filters test` does; nothing to the gateway."""
