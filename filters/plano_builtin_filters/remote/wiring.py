"""From a definition in the document to something that can be asked."""

from __future__ import annotations

from plano_builtin_filters.remote.headers import Pair
from plano_builtin_filters.remote.http_service import HttpService
from plano_builtin_filters.remote.mcp_service import McpService
from plano_builtin_filters.remote.service import Service
from plano_filters import FactoryContext
from plano_filters.config import Document, RemoteFilter
from plano_filters.config.words import meant


def definition(name: str, document: Document) -> RemoteFilter:
    """Return the definition of a remote filter.

    Raises:
        ValueError: There is none.
    """
    known = {one.id: one for one in document.remote_filters}
    if name not in known:
        hint = meant(name, known) or "give `filters` an entry with an `id` and a `url`"
        raise ValueError(f'no remote filter "{name}" is defined in filters; {hint}')
    return known[name]


def configured(about: RemoteFilter) -> list[Pair]:
    """Return the headers of a definition."""
    return [
        (name.lower().encode("latin-1"), value.reveal().encode("utf-8"))
        for name, value in about.headers.items()
    ]


def service(about: RemoteFilter, context: FactoryContext) -> Service:
    """Return the service of a definition. Nothing is opened yet."""
    limit = context.document.limits.body
    if about.type == "http":
        return HttpService(about.url, context.transport, timeout=about.timeout, limit=limit)
    return McpService(
        about.url,
        about.tool or about.id,
        context.transport,
        timeout=about.timeout,
        limit=limit,
        headers=configured(about),
    )
