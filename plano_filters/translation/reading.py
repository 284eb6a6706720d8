"""Readers of clients' JSON that more than one translator needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from plano_filters.errors import BadRequest

_NOTHING: Final[tuple[object, ...]] = (None, "", [], {})


def left_out(document: Mapping[str, Any], known: Collection[str], path: str = "") -> list[str]:
    """List the members of a document that say something and have no known name, by their paths.

    Null and what is empty say nothing: clients send messages back as their SDK printed them.

    Args:
        document: A JSON object.
        known: The names that somebody else reads.
        path: Where the object stands in the body; empty for the body itself.
    """
    prefix = f"{path}." if path else ""
    return [
        f"{prefix}{name}"
        for name, value in document.items()
        if name not in known and value not in _NOTHING
    ]


def objects(value: object, path: str) -> list[dict[str, Any]]:
    """Return a list of objects; an empty one for null.

    Raises:
        BadRequest: It is something else.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequest(f"{path} must be a list of objects", param=path)
    for position, item in enumerate(value):
        if not isinstance(item, dict):
            raise BadRequest(f"{path}.{position} must be an object", param=f"{path}.{position}")
    return value


def member(document: Mapping[str, Any], name: str, path: str) -> dict[str, Any]:
    """Return a member that has to be an object.

    Raises:
        BadRequest: It is missing, or something else.
    """
    value = document.get(name)
    if not isinstance(value, dict):
        raise BadRequest(f"{path}.{name} must be an object", param=f"{path}.{name}")
    return value


def text(document: Mapping[str, Any], name: str, path: str) -> str:
    """Return a member that has to be a string.

    Raises:
        BadRequest: It is missing, or something else.
    """
    value = document.get(name)
    if not isinstance(value, str):
        raise BadRequest(f"{path}.{name} must be a string", param=f"{path}.{name}")
    return value
