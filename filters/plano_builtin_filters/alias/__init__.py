"""Turns the model a client asked for into the declared models that may serve it."""

from plano_builtin_filters.alias.config import AliasConfig
from plano_builtin_filters.alias.filter import Alias

__all__ = ["Alias", "AliasConfig"]
