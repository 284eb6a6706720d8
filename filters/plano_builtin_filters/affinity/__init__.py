"""Keeps a session at the model that served it first."""

from plano_builtin_filters.affinity.config import AffinityConfig
from plano_builtin_filters.affinity.filter import Affinity

__all__ = ["Affinity", "AffinityConfig"]
