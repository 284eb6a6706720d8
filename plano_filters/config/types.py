"""What the document is made of: its base, durations and secrets."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
)
from pydantic.json_schema import JsonSchemaValue, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|)")


def parse_duration(value: object) -> object:
    """Turn `30s`, `500ms`, `5m`, `1h` or a number of seconds into seconds."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError("must be a duration such as 30s, 500ms or 5m")
        return float(match[1]) * _UNITS[match[2]]
    if isinstance(value, bool):
        raise ValueError("must be a duration such as 30s, 500ms or 5m")
    return value


def format_duration(seconds: float) -> str:
    """Write seconds as the document does: `300s`, `0.5s`."""
    return f"{seconds:g}s"


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="unless-none"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|m|h)?$|^\$"},
                {"type": "number", "minimum": 0},
            ]
        }
    ),
]
"""Seconds; written `30s`, `500ms`, `5m`, `1h` or as a number of seconds."""


class Expanded(str):
    """A string that came out of `$VAR` or `file:`; remembers the text it came from."""

    __slots__ = ("reference",)
    reference: str

    def __new__(cls, value: str, reference: str) -> Expanded:
        made = super().__new__(cls, value)
        made.reference = reference
        return made


class Secret:
    """A credential. Its text never appears in a repr, a dump, a log or an error.

    Args:
        value: The credential itself.
        reference: Where it came from, such as `$OPENAI_API_KEY`; None if it stood in the file.
    """

    __slots__ = ("_value", "reference")

    def __init__(self, value: str, reference: str | None = None) -> None:
        self._value = value
        self.reference = reference

    def reveal(self) -> str:
        """Return the credential."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.reference or '***'})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def make(value: object) -> Secret:
            if isinstance(value, Secret):
                return value
            if not isinstance(value, str):
                raise ValueError("must be a string, such as $OPENAI_API_KEY")
            return cls(str(value), getattr(value, "reference", None))

        return core_schema.no_info_plain_validator_function(
            make,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda secret: secret.reference or "***"
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "description": "A reference: $VAR, ${VAR} or file:/path"}


class Model(BaseModel):
    """Base of the document's parts: unknown keys are errors, values do not change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )
    older_keys: ClassVar[tuple[str, ...]] = ()
    """Keys that are gone after migration, or not supported; a misspelt one is still recognised."""


def set_apart(model: BaseModel) -> set[str]:
    """Return the fields that say something else than their defaults.

    What `show` prints has every default in it; an option that is not meant must not be complained
    of because it stands there.
    """
    fields = type(model).model_fields
    return {
        name
        for name in model.model_fields_set
        if getattr(model, name) != fields[name].get_default(call_default_factory=True)
    }
