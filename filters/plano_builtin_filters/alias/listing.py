"""`GET /v1/models` and `GET /v1/models/{id}`, answered from the document."""

from __future__ import annotations

from urllib.parse import unquote

from plano_filters import Exchange, ModelNotFound, Response
from plano_filters.dialect import MODELS_PREFIX, Dialect
from plano_filters.models import ModelIndex

OWNER_OF_ALIASES = "plano-filters"
CREATED = 0
"""Epoch seconds. When a model was made is not known here, and SDKs want a number."""


def answer(exchange: Exchange, index: ModelIndex) -> Response:
    """List the models and aliases, or describe one.

    Raises:
        ModelNotFound: No model or alias has this id.
    """
    owners = {name: name.partition("/")[0] for name in index.listed()}
    owners |= {alias: OWNER_OF_ALIASES for alias in index.aliases if alias not in owners}
    path = exchange.request.path
    if path.startswith(MODELS_PREFIX):
        name = unquote(path.removeprefix(MODELS_PREFIX))
        resolved = index.resolve(name)
        if name not in owners and (resolved is None or name in index.aliases):
            raise ModelNotFound(f'the model "{name[:200]}" is not declared', param="model")
        owner = owners.get(name) or (resolved.models[0].partition("/")[0] if resolved else "")
        exchange.decide(f"described {name[:200]}")
        return Response.from_json(_model(name, owner, exchange.dialect))
    exchange.decide(f"listed {len(owners)} models")
    models = [_model(name, owner, exchange.dialect) for name, owner in owners.items()]
    if exchange.dialect == "messages":
        ids = list(owners)
        first, last = (ids[0], ids[-1]) if ids else (None, None)
        return Response.from_json(
            {"data": models, "has_more": False, "first_id": first, "last_id": last}
        )
    return Response.from_json({"object": "list", "data": models})


def _model(name: str, owner: str, dialect: Dialect) -> dict[str, object]:
    if dialect == "messages":
        return {
            "type": "model",
            "id": name,
            "display_name": name,
            "created_at": "1970-01-01T00:00:00Z",
            "lifecycle": "active",
        }
    return {"id": name, "object": "model", "created": CREATED, "owned_by": owner}
