"""An estimate of the tokens of a Messages request, for providers that do not count them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

CHARACTERS: Final = 4
"""Of a token, in English prose; code and other languages take more tokens."""
IMAGE: Final = 1600
"""Tokens of an image, at most: Anthropic scales larger ones down to 1.15 megapixels, and counts
width x height / 750."""
PAGE: Final = 2000
"""Tokens of a page of a PDF; Anthropic says 1500 to 3000."""
BYTES_OF_PAGE: Final = 100_000
"""Base64 characters; a guess, since only a parser could count the pages."""
OVERHEAD: Final = 4
"""Tokens of a message besides its content."""


def estimate(request: Mapping[str, Any]) -> int:
    """Estimate the input tokens of a request; at least 1."""
    messages = request.get("messages")
    total = sum(_tokens(request.get(name)) for name in ("system", "tools", "messages"))
    return max(1, total + OVERHEAD * (len(messages) if isinstance(messages, list) else 0))


def _tokens(value: object) -> int:
    """Count what a value says: text and names as characters, images and documents as such."""
    if isinstance(value, str):
        return -(-len(value) // CHARACTERS)
    if isinstance(value, list):
        return sum(map(_tokens, value))
    if not isinstance(value, dict):
        return 0 if value is None else 1
    if value.get("type") == "image":
        return IMAGE
    source = value.get("source")
    if value.get("type") == "document" and isinstance(source, dict):
        data = source.get("data")
        if source.get("type") == "base64" and isinstance(data, str):
            return PAGE * (1 + len(data) // BYTES_OF_PAGE)
    return sum(_tokens(inner) for name, inner in value.items() if name not in _SILENT)


_SILENT: Final = frozenset({"type", "role", "cache_control", "id", "tool_use_id", "signature"})
"""Fields that are no part of the prompt, or a fixed one."""
