"""What users write under `pii_redact:`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from plano_filters import FilterConfig

Kind = Literal["EMAIL", "PHONE", "CARD"]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,31}$")]


def _expression(text: str) -> str:
    """Refuse what is no regular expression, or finds nothing everywhere.

    Raises:
        ValueError: It says why.
    """
    try:
        found = re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    if found.search(""):
        raise ValueError("would match an empty text")
    return text


class PiiRedactConfig(FilterConfig):
    """What is hidden."""

    kinds: tuple[Kind, ...] = ("EMAIL", "PHONE", "CARD")
    """Of the built-in kinds, those to hide."""
    patterns: dict[Name, Annotated[str, AfterValidator(_expression)]] = Field(default_factory=dict)
    """More kinds: a name for the placeholders, and a regular expression. They come first."""
    restore: bool = True
    """Whether the client gets the real values back in the answer."""
