"""Where the tries of a model go and how they sign in: URL, credential, configured headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from plano_builtin_filters.upstream.headers import Pair
from plano_filters import BadRequest, endpoints
from plano_filters.config import ModelProvider
from plano_filters.dialect import Dialect, Operation
from plano_filters.providers import Provider
from plano_filters.translation import Traits, Translate, converse, translator

ANTHROPIC_VERSION: Final = "2023-06-01"
"""Sent where the client names none; the API refuses requests without a version."""
SHORTEST_SECRET: Final = 8
"""Characters. Shorter values are words, not keys; to blank them out would garble texts."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the tries of one model go, for clients of one dialect; the same for every request."""

    entry: ModelProvider
    client: Dialect
    dialect: Dialect
    """What the provider is asked in."""
    translate: Translate | None
    """Of requests, where the two differ."""
    row: Provider
    url: httpx.URL
    port: int
    headers: tuple[Pair, ...]
    """The configured ones, and `Host`."""
    secrets: tuple[str, ...]
    """What must not come back to a client."""
    converse: bool = False
    """Whether the provider's Messages API is Converse, whose model is in the URL."""

    @property
    def mock(self) -> bool:
        """Whether the provider lives in this process."""
        return self.entry.provider == "mock"

    @property
    def counts_tokens(self) -> bool:
        """Whether the provider counts the tokens of a request by itself."""
        return self.client == self.dialect == "messages" and self.row.counts_tokens

    @property
    def traits(self) -> Traits:
        """What a translator has to know of the provider."""
        row = self.row
        return Traits(
            anthropic_version=dict(self.headers)
            .get(b"anthropic-version", ANTHROPIC_VERSION.encode())
            .decode(),
            max_tokens_field=row.max_tokens_field,
            developer_role=row.developer_role,
            stream_usage=row.stream_usage,
            reasoning_content=row.reasoning_content,
            cache_breakpoints=row.cache_breakpoints,
        )


def target(entry: ModelProvider, client: Dialect, model_id: str) -> Target | None:
    """Work out where a model is asked, for clients of a dialect; None if there is no way.

    Args:
        entry: The model's declaration, or a wildcard's.
        client: The dialect of the clients.
        model_id: What the provider calls the model.
    """
    dialect = endpoints.asked_in(entry, model_id, client)
    if dialect is None:
        return None
    by_converse = endpoints.by_converse(entry, model_id)
    translate = converse(client) if by_converse else translator(client, dialect)
    if translate is None and (dialect != client or by_converse):
        return None
    headers = [(b"host", entry.http_host.encode())] if entry.http_host else []
    headers += [
        (name.lower().encode("latin-1"), value.reveal().encode("utf-8"))
        for name, value in entry.headers.items()
    ]
    address = httpx.URL(endpoints.url(entry, dialect, model_id))
    held = [entry.access_key, *entry.headers.values()]
    secrets = [secret.reveal() for secret in held if secret is not None]
    return Target(
        entry,
        client,
        dialect,
        translate,
        endpoints.row(entry),
        address,
        address.port or (443 if address.scheme == "https" else 80),
        tuple(headers),
        tuple(secret for secret in secrets if len(secret) >= SHORTEST_SECRET),
        converse=by_converse,
    )


def address(target: Target, operation: Operation, query: str, *, stream: bool = False) -> httpx.URL:
    """Return the URL of one request.

    A client's query goes with it, since `?beta=true` switches some endpoints; but not to another
    API than the client thinks it asks.

    Args:
        target: Where it goes.
        operation: What the client's path asks for.
        query: The client's.
        stream: Whether a stream is asked for, which Converse says in the path.
    """
    base = target.url
    if target.converse and stream:
        path, mark, own_query = base.raw_path.partition(b"?")
        base = base.copy_with(raw_path=path + b"-stream" + mark + own_query)
    if operation.endpoint == "count_tokens":
        base = base.copy_with(path=f"{base.path}/count_tokens")
    if not query or target.translate is not None:
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
        if target.dialect == "messages" and not target.converse:
            headers.append(("x-api-key", key))
        elif row.auth == "api-key":
            headers.append(("api-key", key))
        else:
            headers.append(("authorization", f"Bearer {key}"))
    unsaid = target.translate is not None or "anthropic-version" not in client
    if target.dialect == "messages" and unsaid and not target.converse:
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
