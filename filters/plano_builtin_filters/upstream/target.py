"""Where the tries of a model go and how they sign in: URL, credential, configured headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from plano_builtin_filters.upstream.headers import Pair
from plano_filters import BadRequest, providers
from plano_filters.config import ModelProvider
from plano_filters.dialect import Dialect
from plano_filters.providers import Provider

PATHS: Final[Mapping[Dialect, str]] = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "embeddings": "/embeddings",
    "messages": "/messages",
}
ANTHROPIC_VERSION: Final = "2023-06-01"
"""Sent where the client names none; the API refuses requests without a version."""
SHORTEST_SECRET: Final = 8
"""Characters. Shorter values are words, not keys; to blank them out would garble texts."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the tries of one model go, in one dialect. Made once; the same for every request."""

    entry: ModelProvider
    dialect: Dialect
    row: Provider
    url: httpx.URL
    port: int
    headers: tuple[Pair, ...]
    """The configured ones, and `Host`."""
    secrets: tuple[str, ...]
    """What must not come back to a client."""

    @property
    def mock(self) -> bool:
        """Whether the provider lives in this process."""
        return self.entry.provider == "mock"


def target(entry: ModelProvider, dialect: Dialect) -> Target:
    """Work out where a model is asked, in a dialect."""
    row = providers.find(entry.provider_interface or entry.provider) or Provider()
    headers = [(b"host", entry.http_host.encode())] if entry.http_host else []
    headers += [
        (name.lower().encode("latin-1"), value.reveal().encode("utf-8"))
        for name, value in entry.headers.items()
    ]
    address = httpx.URL(url(entry, row, dialect))
    held = [entry.access_key, *entry.headers.values()]
    secrets = [secret.reveal() for secret in held if secret is not None]
    return Target(
        entry,
        dialect,
        row,
        address,
        address.port or (443 if address.scheme == "https" else 80),
        tuple(headers),
        tuple(secret for secret in secrets if len(secret) >= SHORTEST_SECRET),
    )


def url(entry: ModelProvider, row: Provider, dialect: Dialect) -> str:
    """Return the URL of an endpoint.

    A path in `base_url` replaces the provider's own prefix; none, or `/`, takes the usual one. A
    query in it is kept.
    """
    parts = urlsplit(entry.base_url or row.base_url or "")
    prefix = parts.path.rstrip("/") or ("" if entry.base_url is None else row.prefix)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{prefix}{PATHS[dialect]}{query}"


def with_query(base: httpx.URL, query: str) -> httpx.URL:
    """Return a URL with a client's query added; `?beta=true` switches some endpoints."""
    if not query:
        return base
    own = base.query
    return base.copy_with(query=(own + b"&" if own else b"") + query.encode("latin-1"))


def authentication(target: Target, client: Mapping[str, str]) -> list[Pair]:
    """Return the headers that sign a try in, in the provider's way; never two of them.

    Args:
        target: Where it goes.
        client: The client's headers; read for its credential, if the entry passes that on.

    Raises:
        BadRequest: The provider needs a credential and none is configured.
    """
    headers: list[tuple[str, str]] = []
    key, row = _credential(target, client), target.row
    if key is not None and row.auth != "none":
        if target.dialect == "messages" or row.auth == "x-api-key":
            headers.append(("x-api-key", key))
        elif row.auth == "api-key":
            headers.append(("api-key", key))
        else:
            headers.append(("authorization", f"Bearer {key}"))
    if target.dialect == "messages" and "anthropic-version" not in client:
        headers.append(("anthropic-version", ANTHROPIC_VERSION))
    return [(name.encode(), value.encode("utf-8")) for name, value in headers]


def client_credential(client: Mapping[str, str]) -> str | None:
    """Return a client's credential: `Authorization`, with or without Bearer, or `x-api-key`."""
    given = client.get("authorization", "").strip()
    if given.lower() == "bearer" or given[:7].lower() == "bearer ":
        given = given[7:].strip()
    return given or client.get("x-api-key", "").strip() or None


def _credential(target: Target, client: Mapping[str, str]) -> str | None:
    entry = target.entry
    if entry.passthrough_auth:
        return client_credential(client)
    if entry.access_key is not None and entry.access_key.reveal():
        return entry.access_key.reveal()
    if target.row.needs_key and entry.base_url is None:
        raise BadRequest(f'no access key configured for model provider "{entry.model}"')
    return None
