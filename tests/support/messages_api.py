"""What a Messages API takes, as Anthropic's own SDK says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from anthropic.types import MessageCreateParams
from pydantic import TypeAdapter

_REQUEST: Final[TypeAdapter[Any]] = TypeAdapter(MessageCreateParams)


def read(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the API's newest version knows of a request: unknown fields are not in it.

    Raises:
        ValidationError: A field that it knows is not as it has to be.
    """
    return cast("dict[str, Any]", _read(_REQUEST.validate_python(payload)))


def _read(value: object) -> object:
    """Walk what pydantic validates only while it is walked."""
    if isinstance(value, dict):
        return {name: _read(each) for name, each in value.items()}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return [_read(each) for each in cast("Any", value)]
