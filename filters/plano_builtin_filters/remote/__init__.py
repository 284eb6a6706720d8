"""Ask a service on the network what it thinks of a request, or of an answer."""

from plano_builtin_filters.remote.config import RemoteConfig
from plano_builtin_filters.remote.filter import Remote

__all__ = ["Remote", "RemoteConfig"]
