"""Tool names: Anthropic's may have 128 characters, those of chat completions 64."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

LONGEST: Final = 64
"""Characters. OpenAI refuses a request with a longer function name."""
_KEPT: Final = LONGEST - 9
"""What a short name keeps of a long one, before `_` and eight hex digits of its hash."""


class Names:
    """Shortens the names of one request, and knows what they were."""

    def __init__(self) -> None:
        self._long: dict[str, str] = {}

    def short(self, name: str) -> str:
        """Return a name that a chat provider takes; the same one for the same name, always."""
        if len(name) <= LONGEST:
            return name
        short = f"{name[:_KEPT]}_{sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"
        self._long[short] = name
        return short

    def long(self, name: str) -> str:
        """Return the client's name for one that the provider answered with."""
        return self._long.get(name, name)
