"""Lets in who has a key or a token, and says who that is."""

from plano_builtin_filters.auth.config import AuthConfig
from plano_builtin_filters.auth.filter import Auth

__all__ = ["Auth", "AuthConfig"]
