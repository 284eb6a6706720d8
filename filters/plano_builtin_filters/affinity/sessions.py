"""Which session a request belongs to: what the client says, or how its conversation begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from plano_builtin_filters.affinity.config import ClientKey
from plano_builtin_filters.affinity.conversation import Beginning

HEADER: Final = "x-model-affinity"
CACHE_HEADER: Final = "x-plano-cache"
"""`off` keeps a request from belonging to a session that it does not name."""

_SALT: Final = "plano-affinity-v1"
_OFFSET: Final = 0xCBF29CE484222325
_PRIME: Final = 0x100000001B3
_MASK: Final = 0xFFFFFFFFFFFFFFFF
_END: Final = b"\x1f"
FOLDED: Final = 8192
"""Bytes of a text that go into the hash one by one, at 0.1 us each; of a longer text the rest goes
in as a digest, so that an agent's 80 kB of instructions do not hold up everybody's streams."""


@dataclass(frozen=True, slots=True)
class Session:
    """The session of a request. Left by `affinity` for its own response hook."""

    key: str
    """Under which its pin is kept."""
    id: str
    """As the client gave it, or the implicit one."""
    source: str
    """What named it: `x-model-affinity`, one of the client's own keys, or `implicit`."""


def named(headers: Mapping[str, str]) -> str:
    """Return the session that a client names; empty if it names none."""
    return headers.get(HEADER, "").strip()


def of_client(
    headers: Mapping[str, str], payload: Mapping[str, object], wanted: Sequence[ClientKey]
) -> tuple[str, str] | None:
    """Return the first of a client's own keys that is there: what it is, and its text."""
    for name in wanted:
        text = headers.get(name) if name.startswith("x-") else _field(payload, name)
        if isinstance(text, str) and text.strip():
            return name, text.strip()
    return None


def _field(payload: Mapping[str, object], name: str) -> object:
    first, _, second = name.partition(".")
    value = payload.get(first)
    if isinstance(value, Mapping):  # `conversation` may be an object with an id
        return value.get(second or "id")
    return None if second else value


def implicit(beginning: Beginning, tenant: str) -> str:
    """Return the key of a conversation that nobody named: the same for all its requests.

    Source:
        Plano's FNV-1a over salt, tenant, system text, tools and first user text; the keys are
        equal as long as each text has at most `FOLDED` bytes.
    """
    state = _OFFSET
    for text in (_SALT, tenant, beginning.system, beginning.tools, beginning.user):
        raw = text.encode("utf-8", "surrogatepass")
        rest = raw[FOLDED:]
        digest = blake2b(rest, digest_size=16).digest() if rest else b""
        for byte in raw[:FOLDED] + digest + _END:
            state = ((state ^ byte) * _PRIME) & _MASK
    return f"implicit:{state:016x}"
