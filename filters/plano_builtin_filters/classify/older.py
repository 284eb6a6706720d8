"""The forms in which requests brought their routing preferences along before Plano 0.4.15.

They go from model to kinds of requests; `routing_preferences` go from a kind to its models.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from plano_filters import BadRequest, Request
from plano_filters.config.source import parse
from plano_filters.config.types import Model
from plano_filters.errors import ConfigError

POLICY: Final = "routing_policy"
"""A field of the body; Plano 0.4.12 to 0.4.14."""
METADATA: Final = "metadata"
CONFIGS: Final = ("plano_preference_config", "archgw_preference_config")
"""Keys of `metadata`: the same list, as a text of YAML; Plano up to 0.4.11."""
LONGEST_TEXT: Final = 16 * 1024
"""Characters of YAML; reading so many takes 12 ms, in which the event loop stands still."""


class _Kind(Model):
    name: str
    description: str


class _Policy(Model):
    model: str
    routing_preferences: tuple[_Kind, ...]


_POLICIES: Final = TypeAdapter(list[_Policy])


def found(payload: Mapping[str, Any]) -> dict[str, object]:
    """Return the older forms that a body has, by name, the newest form first."""
    given = {POLICY: payload.get(POLICY)}
    held = payload.get(METADATA)
    if isinstance(held, dict):
        given |= {f"{METADATA}.{name}": held.get(name) for name in CONFIGS}
    return {name: value for name, value in given.items() if value is not None}


def strip(request: Request) -> None:
    """Take the older forms out of a body. `metadata` with nothing else goes with them."""
    request.remove(POLICY)
    held = request.payload.get(METADATA)
    if isinstance(held, dict) and not held.keys().isdisjoint(CONFIGS):
        kept = {name: value for name, value in held.items() if name not in CONFIGS}
        if kept:
            request.edit(**{METADATA: kept})
        else:
            request.remove(METADATA)


def modern(name: str, given: object) -> list[dict[str, object]]:
    """Write an older form as `routing_preferences`.

    A kind that several models name gets all of them, in their order, and its first description.

    Args:
        name: As `found` returned it.
        given: Its value.

    Raises:
        BadRequest: It is malformed, or its YAML is too long.
    """
    value = given if name == POLICY else _read(name, given)
    try:
        policies = _POLICIES.validate_python(value)
    except ValidationError as error:
        raise BadRequest(f"{name}{first_fault(error)}", param=name) from None
    rows: dict[str, dict[str, Any]] = {}
    for policy in policies:
        for kind in policy.routing_preferences:
            row = {"name": kind.name, "description": kind.description, "models": []}
            rows.setdefault(kind.name, row)["models"].append(policy.model)
    return list(rows.values())


def first_fault(error: ValidationError) -> str:
    """Say where the first fault of a value is, and what it is: `[0].name: field required`."""
    first = error.errors(include_url=False)[0]
    where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first["loc"])[:200]
    return f"{where}: {first['msg'].lower()}"


def _read(name: str, text: object) -> object:
    if not isinstance(text, str):
        raise BadRequest(f"{name} must be a text of YAML", param=name)
    if len(text) > LONGEST_TEXT:
        raise BadRequest(f"{name} may have {LONGEST_TEXT} characters at most", param=name)
    key = name.rpartition(".")[2]
    indented = textwrap.indent(text.removeprefix("---\n"), " ")  # a document is a mapping
    try:
        return parse(f"{key}:\n{indented}", key).tree[key]
    except ConfigError as error:
        reason = str(error).splitlines()[0].removeprefix("error: ")[:200]
        raise BadRequest(f"{name}: {reason}", param=name) from None
