"""What a request needs of a model: images, tools, a schema for the answer, room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from plano_filters.conversation import parts_within, prompt_texts

BYTES_A_TOKEN: Final = 4
"""Of English text, in UTF-8; code and other languages have fewer. So the estimate is a low one: a
model is left out only if the request can hardly fit."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a request has that not every model takes."""

    images: bool = False
    tools: bool = False
    structured: bool = False
    tokens: int | None = None
    """Estimated; None: not counted."""


def needs_of(payload: Mapping[str, Any], tokens: int | None = None) -> Needs:
    """Read a request body. Whatever is in it, nothing is raised."""
    return Needs(
        images=any(part.kind == "image" for part in parts_within(payload)),
        tools=bool(payload.get("tools") or payload.get("functions")),
        structured=any(_type(one) == "json_schema" for one in _formats(payload)),
        tokens=tokens,
    )


def tokens_of(payload: Mapping[str, Any]) -> int:
    """Estimate the tokens of a prompt; what is no text is not counted."""
    return sum(map(_size, prompt_texts(payload))) // BYTES_A_TOKEN


def _formats(payload: Mapping[str, Any]) -> Iterator[object]:
    """Yield where the dialects write what the answer shall look like."""
    yield payload.get("response_format")  # chat
    yield payload.get("output_format")  # messages, first form
    for outer in ("text", "output_config"):  # responses, messages
        held = payload.get(outer)
        yield held.get("format") if isinstance(held, dict) else None


def _type(part: object) -> object:
    kind = part.get("type") if isinstance(part, dict) else None
    return kind if isinstance(kind, str) else None


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
