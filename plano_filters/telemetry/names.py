"""Every name this gateway emits: the one table.

Sources: OpenTelemetry semantic conventions for HTTP and for generative AI ("Development").
"""

from __future__ import annotations

from typing import Final

SERVICE: Final = "plano-filters"
SCOPE: Final = "plano_filters"

# Spans
CHAIN_SPAN: Final = "plano.filter_chain"
FILTER_SPAN: Final = "plano.filter"
FILTER_EVENT: Final = "plano.filter"
DECISION_EVENT: Final = "plano.decision"

# Attributes of HTTP
HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"
HTTP_RESEND: Final = "http.request.resend_count"
URL_PATH: Final = "url.path"
URL_SCHEME: Final = "url.scheme"
PROTOCOL_VERSION: Final = "network.protocol.version"
USER_AGENT: Final = "user_agent.original"
CLIENT_ADDRESS: Final = "client.address"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"

KNOWN_METHODS: Final = frozenset({
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
})  # fmt: skip
OTHER_METHOD: Final = "_OTHER"
"""For a method that a client made up; the conventions' word."""

# Attributes of generative AI
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
API_TYPE: Final = "openai.api.type"
STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
CHOICE_COUNT: Final = "gen_ai.request.choice.count"
REASONING_LEVEL: Final = "gen_ai.request.reasoning.level"
SERVICE_TIER: Final = "openai.request.service_tier"
OUTPUT_TYPE: Final = "gen_ai.output.type"
OUTPUT_TYPES: Final = {"text": "text", "json_object": "json", "json_schema": "json"}
"""Of a `response_format`."""
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
REQUEST_FIELDS: Final = {
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "seed": "gen_ai.request.seed",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
}
"""Fields of a request body, and the attribute that takes their number."""
OPERATIONS: Final = {
    "chat": "chat",
    "messages": "chat",
    "responses": "chat",
    "embeddings": "embeddings",
}
API_TYPES: Final = {"chat": "chat_completions", "responses": "responses"}

# Our own
ROUTE_NAME: Final = "plano.route.name"
ROUTE_CONFIDENCE: Final = "plano.route.confidence"
COUNTERFACTUAL: Final = "plano.switch.counterfactual_route"
"""The model, and its route, that a switch budget kept a session from."""
DECIDED_MODEL: Final = "plano.decided.model"
REQUEST_ID: Final = "plano.request.id"
ATTEMPTS: Final = "plano.attempts"
FILTER_NAME: Final = "plano.filter.name"
FILTER_PHASE: Final = "plano.filter.phase"
FILTER_ACTION: Final = "plano.filter.action"
FILTER_MICROSECONDS: Final = "plano.filter.duration_us"
DECISION: Final = "plano.decision"
COST_USD: Final = "plano.cost.usd"
COST_SOURCE: Final = "plano.cost.source"
COST_WHOLE: Final = "plano.cost.whole"
DISCONNECTED: Final = "plano.client.disconnected"

# Metrics, as Prometheus spells them; counters get `_total` when they are rendered
DURATION_BUCKETS: Final = tuple(0.01 * 2**i for i in range(14))
TOKEN_BUCKETS: Final = tuple(4**i for i in range(14))
FIRST_TOKEN_BUCKETS: Final = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
TOKEN_TIME_BUCKETS: Final = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
)  # fmt: skip
HTTP_BUCKETS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
FILTER_BUCKETS: Final = (
    0.00001, 0.000025, 0.0001, 0.00025, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0,
)  # fmt: skip
OVERHEAD_BUCKETS: Final = (
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
)  # fmt: skip
COST: Final = "plano_cost"
COST_UNKNOWN: Final = "plano_cost_unknown"
OTHER: Final = "other"
"""The label of a model that no document declares."""
