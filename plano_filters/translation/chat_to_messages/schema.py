"""JSON schemas as structured output of a Messages API takes them."""

from __future__ import annotations

from typing import Any, Final

from plano_filters import jsonbody
from plano_filters.translation.base import Document

_REFUSED: Final = frozenset(
    {
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
        "minLength", "maxLength", "minItems", "maxItems", "uniqueItems",
    }
)  # fmt: skip
_OF_NAMES: Final = ("properties", "$defs", "definitions")
_OF_LISTS: Final = ("anyOf", "allOf", "oneOf", "prefixItems")


def narrowed(schema: dict[str, Any], path: str, dropped: list[str]) -> Document:
    """Rewrite a schema so that the API takes it; what fits the result fits the schema.

    Objects are closed. Bounds, which the API refuses, are told to the model in the description,
    where they are not enforced, and count as dropped.

    Args:
        schema: As the client wrote it. Not changed.
        path: Where it stands in the body.
        dropped: Takes the paths of what is not enforced.

    Source:
        Anthropic's documentation of structured outputs, "JSON Schema limitations", and what its
        own SDK does in `transform_schema`.
    """
    made: Document = {}
    told: Document = {}
    for key, value in schema.items():
        at = f"{path}.{key}"
        if key in _REFUSED and not (key == "minItems" and value in (0, 1)):
            told[key] = value
            dropped.append(at)
        elif key in _OF_NAMES and isinstance(value, dict):
            made[key] = {name: _any(each, f"{at}.{name}", dropped) for name, each in value.items()}
        elif key in _OF_LISTS and isinstance(value, list):
            made[key] = [_any(each, f"{at}.{n}", dropped) for n, each in enumerate(value)]
        elif key == "items":
            made[key] = _any(value, at, dropped)
        elif key == "additionalProperties":
            if isinstance(value, dict):
                dropped.append(at)  # names that are not known before cannot be expressed
        else:
            made[key] = value
    kind = schema.get("type")
    if kind == "object" or "properties" in schema or (isinstance(kind, list) and "object" in kind):
        made["additionalProperties"] = False
    if told:
        bounds = jsonbody.encode(told).decode()
        described = schema.get("description")
        made["description"] = f"{described}\n\n{bounds}" if described else bounds
    return made


def _any(schema: object, path: str, dropped: list[str]) -> object:
    return narrowed(schema, path, dropped) if isinstance(schema, dict) else schema
