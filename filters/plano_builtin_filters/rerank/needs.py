"""What a request needs of a model: images, tools, a schema for the answer, room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

BYTES_A_TOKEN: Final = 4
"""Of English text, in UTF-8; code and other languages have fewer. So the estimate is a low one: a
model is left out only if the request can hardly fit."""
IMAGES: Final = frozenset({"image", "image_url", "input_image"})
"""Types of content parts: messages, chat, responses."""
_TEXTS: Final = ("messages", "input", "system", "instructions", "tools", "functions")
"""Fields that the model reads."""
_DATA: Final = frozenset(
    {"data", "file_data", "image_url", "url", "encrypted_content", "signature"}
)
"""Fields below them that are no text."""


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
        images=any(_type(part) in IMAGES for part in _walk(payload.get("messages")))
        or any(_type(part) in IMAGES for part in _walk(payload.get("input"))),
        tools=bool(payload.get("tools") or payload.get("functions")),
        structured=any(_type(one) == "json_schema" for one in _formats(payload)),
        tokens=tokens,
    )


def tokens_of(payload: Mapping[str, Any]) -> int:
    """Estimate the tokens of a prompt; what is no text is not counted."""
    found = 0
    for field in _TEXTS:
        for one in _walk(payload.get(field)):
            texts = one.items() if isinstance(one, dict) else (("", one),)
            found += sum(_size(text) for key, text in texts if key not in _DATA)
    return found // BYTES_A_TOKEN


def _formats(payload: Mapping[str, Any]) -> Iterator[object]:
    """Yield where the dialects write what the answer shall look like."""
    yield payload.get("response_format")  # chat
    yield payload.get("output_format")  # messages, first form
    for outer in ("text", "output_config"):  # responses, messages
        held = payload.get(outer)
        yield held.get("format") if isinstance(held, dict) else None


def _walk(value: object) -> Iterator[object]:
    """Yield everything in a value but texts in objects, which come with their object."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += [
                inner
                for key, inner in one.items()
                if isinstance(inner, dict | list) and key not in _DATA
            ]
        elif isinstance(one, list):
            waiting += one
        else:
            yield one


def _type(part: object) -> object:
    kind = part.get("type") if isinstance(part, dict) else None
    return kind if isinstance(kind, str) else None


def _size(text: object) -> int:
    return len(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) else 0
