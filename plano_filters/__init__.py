"""An LLM gateway assembled from filters in YAML.

These names are the public API; everything else may change without notice.
"""

from plano_filters.asgi import Gateway
from plano_filters.chain import Chain
from plano_filters.clock import Clock
from plano_filters.compile import Services, compile_chain, load_chain
from plano_filters.config import Document, Report, load, load_text
from plano_filters.errors import (
    BadRequest,
    Blocked,
    ConfigError,
    FilterFailed,
    GatewayError,
    ModelNotFound,
    NotFound,
    PermissionDenied,
    RateLimited,
    Unauthorized,
    Unavailable,
    UpstreamFailed,
    UpstreamTimeout,
)
from plano_filters.exchange import Decision, Exchange, Outcome
from plano_filters.facts import (
    Attempt,
    AttemptResult,
    Attempts,
    Candidates,
    Continued,
    Cost,
    Decided,
    Pin,
    Principal,
    Route,
    Served,
    SessionInfo,
    Usage,
)
from plano_filters.filter import FactoryContext, Filter, FilterConfig, TerminalFilter
from plano_filters.messages import Request, Response
from plano_filters.middleware import FilterChainMiddleware
from plano_filters.registry import Registry
from plano_filters.state import FilterState

__all__ = [
    "Attempt",
    "AttemptResult",
    "Attempts",
    "BadRequest",
    "Blocked",
    "Candidates",
    "Chain",
    "Clock",
    "ConfigError",
    "Continued",
    "Cost",
    "Decided",
    "Decision",
    "Document",
    "Exchange",
    "FactoryContext",
    "Filter",
    "FilterChainMiddleware",
    "FilterConfig",
    "FilterFailed",
    "FilterState",
    "Gateway",
    "GatewayError",
    "ModelNotFound",
    "NotFound",
    "Outcome",
    "PermissionDenied",
    "Pin",
    "Principal",
    "RateLimited",
    "Registry",
    "Report",
    "Request",
    "Response",
    "Route",
    "Served",
    "Services",
    "SessionInfo",
    "TerminalFilter",
    "Unauthorized",
    "Unavailable",
    "UpstreamFailed",
    "UpstreamTimeout",
    "Usage",
    "compile_chain",
    "load",
    "load_chain",
    "load_text",
]
