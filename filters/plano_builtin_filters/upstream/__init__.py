"""The end of the chain: asks providers, retries, falls back, relays."""

from plano_builtin_filters.upstream.config import UpstreamConfig
from plano_builtin_filters.upstream.filter import Upstream

__all__ = ["Upstream", "UpstreamConfig"]
