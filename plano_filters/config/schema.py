"""The JSON Schema of documents as users write them, for editors.

It describes the source: Plano's older shapes and the short forms of filters included, where the
models of `document.py` describe what is left after migration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from plano_filters.config.document import Document

SCHEMA_ID: Final = "urn:plano-filters:configuration"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE: Final = {"type": "string", "pattern": r"\$", "description": "A variable: $NAME"}
_IMPORT_PATH: Final = {"type": "string", "pattern": "^[^:]+:[^:]+$"}
_OBJECT_OR_NULL: Final = {"type": ["object", "null"]}


def document_schema(filter_configs: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    """Return the schema (draft 2020-12) of the document, with the config of each filter.

    Args:
        filter_configs: The config model of every installed filter, by name.
    """
    wanted: list[type[BaseModel]] = [Document, *filter_configs.values()]
    refs, schema = models_json_schema([(model, "validation") for model in wanted])
    parts: dict[str, Any] = {name: _with_references(part) for name, part in schema["$defs"].items()}
    root = parts.pop("Document")
    configs = {name: refs[model, "validation"] for name, model in filter_configs.items()}
    bare = [n for n, model in filter_configs.items() if not _required(model)]
    parts["FilterEntry"] = _link(parts["FilterEntry"], configs, bare)
    parts["InlinePreference"] = _inline_preference()
    parts["ModelProvider"]["properties"]["routing_preferences"] = {
        "type": "array",
        "items": _ref("InlinePreference"),
        "deprecated": True,
        "description": "Before v0.4.0; use the top-level routing_preferences.",
    }
    _listeners(parts)
    return {
        "$schema": _DIALECT,
        "$id": SCHEMA_ID,
        "title": "plano-filters configuration",
        "description": root["description"],
        "type": "object",
        "additionalProperties": False,
        "properties": _properties(root["properties"]),
        "$defs": dict(sorted(parts.items())),
    }


def _properties(found: dict[str, Any]) -> dict[str, Any]:
    """Turn the keys of the effective document into those of a file."""
    made = {name: part for name, part in found.items() if name != "remote_filters"}
    providers = made["model_providers"]
    made["llm_providers"] = {**providers, "deprecated": True, "description": "See model_providers."}
    made["listeners"] = {
        "description": "The addresses the gateway serves.",
        "anyOf": [
            {"type": "array", "items": _ref("Listener")},
            _ref("LegacyListeners"),
        ],
    }
    made["filters"] = {
        **made["filters"],
        "type": ["array", "null"],
        "items": {"anyOf": [_ref("FilterEntry"), _ref("RemoteFilter")]},
    }
    made["middleware"] = {
        **made["middleware"],
        "type": ["array", "null"],
        "items": {"anyOf": [_IMPORT_PATH, _ref("MiddlewareEntry"), _one_key({})]},
    }
    return made


def _link(long: dict[str, Any], configs: dict[str, Any], bare: list[str]) -> dict[str, Any]:
    """Describe a link of the chain in its three forms."""
    envelope = long["properties"]
    known = [
        {
            **long,
            "title": name,
            "properties": {**envelope, "use": {"const": name}, "config": config},
        }
        for name, config in sorted(configs.items())
    ]
    imported = {**long, "title": "imported", "properties": {**envelope, "use": _IMPORT_PATH}}
    return {
        "title": "FilterEntry",
        "description": long["description"],
        "anyOf": [
            {"enum": sorted(bare), "title": "name"},
            _IMPORT_PATH,
            _one_key({n: {"anyOf": [c, {"type": "null"}]} for n, c in sorted(configs.items())}),
            *known,
            imported,
        ],
    }


def _one_key(properties: dict[str, Any]) -> dict[str, Any]:
    """Describe `{name: config}`."""
    return {
        "type": "object",
        "properties": properties,
        "patternProperties": {_IMPORT_PATH["pattern"]: _OBJECT_OR_NULL},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _listeners(parts: dict[str, Any]) -> None:
    """Add what a listener of an older file may say."""
    listener = parts["Listener"]
    parts["LegacyListener"] = {
        **listener,
        "title": "LegacyListener",
        "description": "A listener as before v0.3.0.",
        "required": [],
        "properties": {
            **{key: part for key, part in listener["properties"].items() if key != "name"},
            "message_format": {"const": "openai"},
            "model_providers": {"type": "array", "items": _ref("ModelProvider")},
            "llm_providers": {"type": "array", "items": _ref("ModelProvider")},
        },
    }
    parts["LegacyListeners"] = {
        "type": "object",
        "title": "LegacyListeners",
        "deprecated": True,
        "properties": {"egress_traffic": _ref("LegacyListener")},
        "additionalProperties": False,
    }
    listener["properties"]["filter_chain"] = {
        **listener["properties"]["input_filters"],
        "deprecated": True,
        "description": "Use input_filters.",
    }


def _inline_preference() -> dict[str, Any]:
    return {
        "type": "object",
        "title": "InlinePreference",
        "properties": {"name": {"type": "string"}, "description": {"type": "string"}},
        "required": ["name", "description"],
        "additionalProperties": False,
    }


def _with_references(part: Any) -> Any:
    """Let a variable stand wherever a number, a boolean or one of a few words is asked for."""
    if isinstance(part, list):
        return [_with_references(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    made = {key: _with_references(inner) for key, inner in part.items()}
    if made.get("type") in ("integer", "number", "boolean") or "enum" in made:
        notes = {key: made.pop(key) for key in ("title", "description", "default") if key in made}
        return {"anyOf": [made, _REFERENCE], **notes}
    return made


def _required(model: type[BaseModel]) -> bool:
    return any(field.is_required() for field in model.model_fields.values())


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}
