"""Which JSON schemas OpenAI can be strict about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_REFUSED: Final = frozenset(
    {
        "allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas",
        "patternProperties", "default",
    }
)  # fmt: skip


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Say whether it is an object, and every object in it is closed and requires all it has.

    Anthropic keeps an answer to any schema it takes; OpenAI refuses to be strict about one with
    optional properties, and keeps to it as well as it can when it is not asked to be strict.

    Source: OpenAI, "Structured model outputs", supported schemas.
    """
    if schema.get("type") != "object" or "anyOf" in schema:
        return False
    todo: list[Any] = [schema]
    while todo:
        found = todo.pop()
        if isinstance(found, list):
            todo += found
        elif isinstance(found, Mapping):
            if not _REFUSED.isdisjoint(found) or not _is_closed(found):
                return False
            todo += found.values()
    return True


def _is_closed(schema: Mapping[str, Any]) -> bool:
    properties, required = schema.get("properties"), schema.get("required")
    names = properties if isinstance(properties, Mapping) else {}
    if not names and schema.get("type") != "object":
        return True
    needed = required if isinstance(required, list) else []
    return schema.get("additionalProperties") is False and all(name in needed for name in names)
