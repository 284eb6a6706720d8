"""What is the same question, what may be kept, and the memory. No I/O, no clock."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

FORM: Final = frozenset({"stream", "stream_options"})
"""Fields that decide how an answer is written, not what it says."""
_HEADERS: Final = frozenset({
    "authorization", "x-api-key", "api-key",  # whom a provider or a gateway without `auth` knows
    "anthropic-version", "anthropic-beta", "openai-beta", "openai-organization", "openai-project",
})  # fmt: skip
_HEADER_PREFIX: Final = "x-plano-"
OVERHEAD: Final = 512
"""Bytes that an entry takes besides its body, roughly."""


def key_of(
    principal: str,
    path: str,
    headers: Mapping[str, str],
    payload: Mapping[str, Any],
    ignore: Collection[str],
) -> bytes:
    """Return a digest that two requests share only if one may have the other's answer.

    Args:
        principal: Who asks. Nobody gets what was said to somebody else.
        path: Endpoint and query string.
        headers: Of the request, names in lower case; those count that change an answer.
        payload: The body; neither the order of its fields nor spaces count.
        ignore: Top-level fields of it that do not count.
    """
    body = {name: part for name, part in payload.items() if name not in FORM | set(ignore)}
    told = sorted(
        (name, value)
        for name, value in headers.items()
        if name in _HEADERS or name.startswith(_HEADER_PREFIX)
    )
    text = json.dumps([principal, path, told, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


def directives(value: str) -> frozenset[str]:
    """Return the directives of a `cache-control` header, in lower case."""
    return frozenset(part.partition("=")[0].strip().lower() for part in value.split(","))


def why_not(payload: Mapping[str, Any], control: Collection[str], *, sampled: bool) -> str:
    """Say why a request goes past the cache; empty if it does not.

    Args:
        payload: The body.
        control: Directives of its `cache-control`.
        sampled: Whether a temperature above 0 does not matter.
    """
    if "no-store" in control:
        return "the request says no-store"
    temperature = payload.get("temperature")
    if not sampled and isinstance(temperature, int | float) and temperature > 0:
        return "its temperature is above 0"
    if payload.get("conversation") is not None or payload.get("background"):
        return "the provider keeps its state"
    return ""


def whole(body: bytes) -> bool:
    """Say whether a plain answer came to its end: not a failure that is told with status 200."""
    try:
        document = json.loads(body)
    except ValueError:
        return False
    if not isinstance(document, dict) or document.get("error"):
        return False
    return document.get("status") in (None, "completed")  # of a response, OpenAI's


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer in its plain form."""

    body: bytes
    stored: float
    """Seconds, by the clock of whoever stored it."""
    model: str = ""
    """Who gave it; empty if that is not known."""


class Memory:
    """Answers by key: the least recently used go when room is needed.

    Args:
        max_bytes: Room, with what each entry takes besides its body.
        ttl: Seconds until an answer is forgotten.
    """

    def __init__(self, max_bytes: int, ttl: float) -> None:
        self._max_bytes = max_bytes
        self._ttl = ttl
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self.bytes = 0
        """Taken at the moment."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes, now: float, *, touch: bool = True) -> Entry | None:
        """Return the answer to a question, unless it is too old.

        Args:
            key: Of the question.
            now: Seconds.
            touch: Whether this is a use; if not, nothing changes.
        """
        entry = self._entries.get(key)
        if entry is None or now - entry.stored < self._ttl:
            if entry is not None and touch:
                self._entries.move_to_end(key)
            return entry
        if touch:
            self._drop(key)
        return None

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep an answer, unless it alone is larger than the room."""
        self._drop(key)
        if _size(entry) > self._max_bytes:
            return
        self._entries[key] = entry
        self.bytes += _size(entry)
        while self.bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        self.bytes -= _size(entry) if entry is not None else 0


def _size(entry: Entry) -> int:
    return len(entry.body) + OVERHEAD
