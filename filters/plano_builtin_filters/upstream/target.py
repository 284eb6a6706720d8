"""Where a try goes and what it carries: URL, credential, headers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

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
HOP_BY_HOP: Final = frozenset({
    "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    "proxy-authenticate", "proxy-authorization",
})  # fmt: skip
CREDENTIALS: Final = frozenset({"authorization", "x-api-key", "api-key", "cookie"})
NOT_UP: Final = HOP_BY_HOP | CREDENTIALS | {
    "host", "content-length", "accept-encoding", "expect", "traceparent", "tracestate", "baggage",
    "forwarded", "via", "x-request-id", "x-model-affinity",
}  # fmt: skip
"""Of a client's request: what says who or where the client is, and what we say ourselves."""
NOT_UP_PREFIXES: Final = ("x-plano-", "x-forwarded-", "x-mock-", "x-arch-")
NOT_DOWN: Final = HOP_BY_HOP | {"content-length", "set-cookie", "server", "date", "alt-svc"}


@dataclass(frozen=True, slots=True)
class Target:
    """Where the tries of one model go, in one dialect."""

    url: str
    host: str
    port: int
    headers: tuple[tuple[str, str], ...]
    """The credential and the configured headers; they override the client's."""
    server_name: str | None
    """`Host` header and TLS server name, if they are not the URL's."""
    secrets: tuple[str, ...]
    """What must not come back to a client."""
    mock: bool


def resolve(entry: ModelProvider, dialect: Dialect, client: Mapping[str, str]) -> Target:
    """Work out the target of a model.

    Args:
        entry: Its declaration.
        dialect: What it is asked in.
        client: The client's headers; read for its credential, if the entry passes that on.

    Raises:
        BadRequest: The provider needs a credential and none is configured.
    """
    row = providers.find(entry.provider_interface or entry.provider) or Provider()
    url = base(entry, row) + PATHS[dialect]
    parts = urlsplit(url)
    key = _credential(entry, row, client)
    headers = list(_authentication(key, row, dialect, client))
    headers += [(name.lower(), value.reveal()) for name, value in entry.headers.items()]
    secrets = [value.reveal() for value in entry.headers.values() if value.reference]
    return Target(
        url=url,
        host=parts.hostname or "",
        port=parts.port or (443 if parts.scheme == "https" else 80),
        headers=tuple(headers),
        server_name=entry.http_host,
        secrets=tuple(s for s in [*secrets, key or ""] if len(s) > 3),
        mock=providers.canonical(entry.provider) == "mock",
    )


def base(entry: ModelProvider, row: Provider) -> str:
    """Return the URL in front of the endpoint's path.

    A path in `base_url` replaces the provider's own prefix; none takes the usual one.
    """
    if entry.base_url is None:
        return (row.base_url or "").rstrip("/")
    parts = urlsplit(entry.base_url)
    path = parts.path.rstrip("/") or row.prefix
    return f"{parts.scheme}://{parts.netloc}{path}"


def request_headers(client: Iterable[tuple[str, str]], target: Target) -> list[tuple[str, str]]:
    """Return what goes up: the client's headers less what is ours to say, then the target's."""
    client = list(client)
    listed = {
        token.strip().lower()
        for name, value in client
        if name == "connection"
        for token in value.split(",")
    }
    own = {name for name, _ in target.headers} | {"accept-encoding"}
    prefixes = tuple(p for p in NOT_UP_PREFIXES if not (p == "x-mock-" and target.mock))
    kept = [
        (name, value)
        for name, value in client
        if name not in NOT_UP
        and name not in listed
        and name not in own
        and not name.startswith(prefixes)
    ]
    identity = [("accept-encoding", "identity")]
    host = [("host", target.server_name)] if target.server_name else []
    return [*kept, *identity, *host, *target.headers]


def response_headers(provider: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what comes down: rate limits, ids and types; not the provider's own connection."""
    renamed = {"x-request-id": "x-upstream-request-id", "request-id": "x-upstream-request-id"}
    provider = [(name.lower(), value) for name, value in provider]
    listed = {
        token.strip().lower()
        for name, value in provider
        if name == "connection"
        for token in value.split(",")
    }
    return [
        (renamed.get(name, name), value)
        for name, value in provider
        if name not in NOT_DOWN and name not in listed and not name.startswith("x-plano-")
    ]


def client_credential(client: Mapping[str, str]) -> str | None:
    """Return the credential a client sent: `Authorization`, with or without Bearer, or `x-api-key`."""
    given = client.get("authorization", "").strip()
    if given[:7].lower() == "bearer ":
        given = given[7:].strip()
    return given or client.get("x-api-key", "").strip() or None


def _credential(entry: ModelProvider, row: Provider, client: Mapping[str, str]) -> str | None:
    if entry.passthrough_auth:
        return client_credential(client)
    if entry.access_key is not None:
        return entry.access_key.reveal()
    if row.needs_key and entry.base_url is None:
        raise BadRequest(f'no access key is configured for the model provider "{entry.model}"')
    return None


def _authentication(
    key: str | None, row: Provider, dialect: Dialect, client: Mapping[str, str]
) -> list[tuple[str, str]]:
    version = []
    if dialect == "messages" and "anthropic-version" not in client:
        version = [("anthropic-version", ANTHROPIC_VERSION)]
    if key is None or row.auth == "none":
        return version
    if dialect == "messages" or row.auth == "x-api-key":
        return [("x-api-key", key), *version]
    if row.auth == "api-key":
        return [("api-key", key)]
    return [("authorization", f"Bearer {key}")]
