"""Where a declared model is asked, and in which dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from plano_filters import providers
from plano_filters.config import ModelProvider
from plano_filters.dialect import Dialect
from plano_filters.providers import Provider

PATHS: Final[Mapping[Dialect, str]] = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "embeddings": "/embeddings",
    "messages": "/messages",
}
ASKED_IN: Final[Mapping[Dialect, tuple[Dialect, ...]]] = {
    "chat": ("chat", "messages"),
    "responses": ("responses", "chat", "messages"),
    "messages": ("messages", "chat"),
    "embeddings": ("embeddings",),
}
"""By the client's dialect: what its provider may be asked in, best first. All but the first is
translation, and each step of it loses something."""
DEPLOYMENTS: Final = "/openai/deployments"
"""In the path of Azure's older API, which names the model there."""
DEPLOYMENTS_VERSION: Final = "2025-01-01-preview"
"""`api-version` for that API where the URL gives none; Plano's. The new one needs none."""
CONVERSE: Final = "/model"
"""In front of a model's name in the path of AWS's Converse."""
VERSION: Final = "/v1"
"""In front of `/messages` everywhere. Anthropic's SDKs append it to a base URL, others do not."""


def row(entry: ModelProvider) -> Provider:
    """Return what is known of an entry's provider."""
    return providers.find(entry.provider_interface or entry.provider) or Provider()


def by_converse(entry: ModelProvider, model_id: str) -> bool:
    """Say whether a model is asked by Converse, which is a Messages API by other names.

    OpenAI's models have their own API there, unless the path of `base_url` is that of Converse.

    Args:
        entry: Its declaration, or a wildcard's.
        model_id: What the provider calls it.
    """
    known, path = row(entry), _path(entry)
    if not known.converse_but or "/openai" in path or path.endswith(VERSION):
        return False
    return known.converse_but not in model_id or path.endswith(CONVERSE)


def spoken(entry: ModelProvider, model_id: str) -> frozenset[Dialect]:
    """Return the dialects that a model's provider speaks itself.

    Args:
        entry: Its declaration, or a wildcard's.
        model_id: What the provider calls it.
    """
    known, path = row(entry), _path(entry)
    if by_converse(entry, model_id):
        return frozenset({"messages"})
    if DEPLOYMENTS in path:
        return frozenset({"chat", "embeddings"})
    if known.messages_models:
        alone = any(part in model_id for part in known.messages_models)
        return frozenset({"messages"}) if alone else known.dialects - {"messages"}
    if known.messages_path and path not in ("", known.prefix):
        # The Messages API is elsewhere, so a path of the user's is for one of the two.
        alone = path.endswith((known.messages_path.removesuffix(VERSION), known.messages_path))
        return frozenset({"messages"}) if alone else known.dialects - {"messages"}
    return known.dialects


def asked_in(entry: ModelProvider, model_id: str, client: Dialect) -> Dialect | None:
    """Return the dialect to ask a model in for a client; None if there is no way."""
    found = spoken(entry, model_id)
    return next((dialect for dialect in ASKED_IN[client] if dialect in found), None)


def url(entry: ModelProvider, dialect: Dialect, model_id: str) -> str:
    """Return the URL of a provider's endpoint.

    A path in `base_url` replaces the provider's own prefix; none, or `/`, takes the usual one. A
    query in it is kept.
    """
    known = row(entry)
    parts = urlsplit(entry.base_url or known.base_url or "")
    path, query = parts.path.rstrip("/"), parts.query
    if by_converse(entry, model_id):
        path = f"{path.removesuffix(CONVERSE)}{CONVERSE}/{quote(model_id, safe='')}/converse"
        return f"{parts.scheme}://{parts.netloc}{path}{'?' if query else ''}{query}"
    if DEPLOYMENTS in path:
        if path.endswith(DEPLOYMENTS):
            path += "/" + quote(model_id, safe="")
        query = query or f"api-version={DEPLOYMENTS_VERSION}"
    elif dialect == "messages":
        if known.messages_path and path in ("", known.prefix):
            path = known.messages_path
        path = path or known.prefix
        if not path.endswith(VERSION):
            path += VERSION
    elif not path and entry.base_url is not None:
        path = known.prefix
    return f"{parts.scheme}://{parts.netloc}{path}{PATHS[dialect]}{'?' if query else ''}{query}"


def _path(entry: ModelProvider) -> str:
    return urlsplit(entry.base_url or "").path.rstrip("/")
