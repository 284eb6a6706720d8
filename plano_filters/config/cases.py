"""The document's own tests: what is sent, what the providers do, what is expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from plano_filters.config.types import Duration, Model


@dataclass(frozen=True, slots=True)
class _OrShorter:
    """Says in the JSON Schema that a value may be written shorter."""

    forms: tuple[dict[str, Any], ...]
    listed: bool = False
    """The value is a list, and one of its items may stand alone."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core)
        alone = [schema["items"]] if self.listed else []
        return {"anyOf": [*self.forms, *alone, schema]}


def _sent(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


def _answer(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return {"status": value}
    return {"fails": value} if isinstance(value, str) else value


def _answers(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


class Send(Model):
    """A request. A bare text is what the user says."""

    text: str | None = None
    """What the user says, in the dialect of the path."""
    body: dict[str, Any] | None = None
    """The whole body instead."""
    model: str = ""
    """As the client writes it; none if empty."""
    path: str = "/v1/chat/completions"
    headers: dict[str, str] = Field(default_factory=dict)
    stream: bool = False

    @model_validator(mode="after")
    def _one_content(self) -> Send:
        if (self.text is None) == (self.body is None):
            raise ValueError("needs `text` or `body`, and not both")
        if self.body is not None and (self.model or self.stream):
            raise ValueError("`model` and `stream` are for `text`; write them into `body`")
        return self


class ProviderAnswer(Model):
    """What a provider does with one try. A number is a status, a word a failure."""

    status: int = Field(default=200, ge=200, le=599)
    retry_after: Duration | None = Field(default=None, ge=0)
    """Seconds that an error asks to wait."""
    fails: Literal["connect", "timeout"] | None = None
    """Instead of an answer."""


class Expected(Model):
    """What must come of it. What is not written is not looked at."""

    status: int | None = None
    route: str | None = None
    """Of the routing preferences; null: none."""
    model: str | None = None
    """Who served, by full name; null: nobody."""
    attempts: int | None = Field(default=None, ge=0)
    headers: dict[str, str | None] = Field(default_factory=dict)
    """Of the response; null: absent."""
    decided: tuple[str, ...] = ()
    """Each must be in a decision."""
    error: str | None = None
    """The `code` of an error."""


_SHORT: Final = ({"type": "integer"}, {"enum": ["connect", "timeout"]})


class Case(Model):
    """One test of the configuration; `plano-filters test` runs it, without a network."""

    name: str
    send: Annotated[Send, BeforeValidator(_sent), _OrShorter(({"type": "string"},))]
    providers: dict[
        str,
        Annotated[
            tuple[Annotated[ProviderAnswer, BeforeValidator(_answer), _OrShorter(_SHORT)], ...],
            BeforeValidator(_answers),
            Field(min_length=1),
            _OrShorter((), listed=True),
        ],
    ] = Field(default_factory=dict)
    """By full model name: what it does with its first try, its second and so on; the last repeats.
    Models that are not written answer."""
    expect: Expected
