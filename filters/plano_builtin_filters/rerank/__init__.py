"""Puts the cheapest or the fastest of a route's models first."""

from plano_builtin_filters.rerank.config import RerankConfig
from plano_builtin_filters.rerank.filter import Rerank

__all__ = ["Rerank", "RerankConfig"]
