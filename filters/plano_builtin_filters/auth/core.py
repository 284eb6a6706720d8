"""Finding and comparing credentials."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

HEADERS = ("authorization", "x-api-key", "api-key")
"""Where a credential may be, in this order."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a client showed, and in which header."""

    text: str
    header: str


class KeyRing:
    """Static keys, kept as SHA-256: a memory dump has no key to steal.

    Args:
        keys: Pairs of holder and key.

    Raises:
        ValueError: A holder or a key is there twice, or a key is too short.
    """

    def __init__(self, keys: Iterable[tuple[str, str]]) -> None:
        self._holders: list[tuple[bytes, str]] = []
        for holder, key in keys:
            if len(key) < 8:
                raise ValueError(f'the key of "{holder}" is shorter than 8 characters')
            if any(holder == other for _, other in self._holders):
                raise ValueError(f'two keys have the id "{holder}"')
            digest = hashlib.sha256(key.encode()).digest()
            twin = next((other for known, other in self._holders if known == digest), None)
            if twin is not None:
                raise ValueError(f'"{holder}" and "{twin}" have the same key')
            self._holders.append((digest, holder))

    def holder(self, key: str) -> str | None:
        """Return who holds a key, in a time that does not depend on which."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        found: str | None = None
        for known, holder in self._holders:
            if hmac.compare_digest(known, digest):
                found = holder
        return found


def credentials(headers: Mapping[str, str], only: str | None) -> list[Credential]:
    """Return what a client showed, in the order of `HEADERS`.

    Args:
        headers: Of the request.
        only: The one header to look at; None for all of `HEADERS`.
    """
    found = []
    for name in (only.lower(),) if only else HEADERS:
        text = headers.get(name, "").strip()
        scheme, _, rest = text.partition(" ")
        if name == "authorization" and scheme.lower() == "bearer":
            text = rest.strip()
        if text:
            found.append(Credential(text, name))
    return found


def looks_like_jwt(text: str) -> bool:
    """Say whether a text has the three parts of a signed token."""
    return text.count(".") == 2 and text.startswith("ey")
