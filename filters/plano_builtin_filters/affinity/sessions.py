"""Which session a request belongs to: what the client says, or how its conversation begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from plano_builtin_filters.affinity import core
from plano_builtin_filters.affinity.config import ClientKey
from plano_builtin_filters.affinity.conversation import Beginning, beginning_of
from plano_filters import Candidates, Exchange, Principal

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
REMEMBERED: Final = 256
"""Texts whose hash is remembered, 8 kB each at most: agents send the same ones with each call."""


@dataclass(frozen=True, slots=True)
class Session:
    """The session of a request. Left by `affinity` for its own response hook."""

    key: str
    """Under which its pin is kept."""
    id: str
    """As the client gave it, or the implicit one."""
    source: str
    """What named it: `x-model-affinity`, one of the client's own keys, or `implicit`."""
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Recogniser:
    """Finds the session of a request."""

    tenant_header: str | None
    """Says which tenant a request is of."""
    client_keys: Sequence[ClientKey]

    def find(self, exchange: Exchange, *, implicit: bool, laned: bool) -> Session | None:
        """Return the session of a request, if it belongs to one.

        Args:
            exchange: The request.
            implicit: Recognise a conversation by its beginning, too.
            laned: Each requested model has a session of its own.
        """
        headers = exchange.request.headers
        tenant = headers.get(self.tenant_header, "").strip() if self.tenant_header else ""
        found = self._named(exchange, tenant, implicit=implicit)
        if found is None:
            return None
        source, given, text = found
        who = exchange.state.get(Principal)
        lane = exchange.state[Candidates].requested if laned else None
        key = core.key(text, tenant=tenant, principal=who.id if who else None, lane=lane)
        return Session(key, given, source, tenant)

    def _named(
        self, exchange: Exchange, tenant: str, *, implicit: bool
    ) -> tuple[str, str, str] | None:
        """Return what names the session, its name as it was given, and its name among all."""
        headers, payload = exchange.request.headers, exchange.request.payload
        text = named(headers)
        if text:
            return HEADER, text, text
        if headers.get(CACHE_HEADER, "").strip().lower() == "off":
            return None
        own = of_client(headers, payload, self.client_keys)
        if own is not None:
            return *own, f"{own[0]}:{own[1]}"
        began = beginning_of(payload, exchange.dialect) if implicit else None
        if began is None:
            return None
        text = implicit_key(began, tenant)
        return "implicit", text, text


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


def implicit_key(beginning: Beginning, tenant: str) -> str:
    """Return the key of a conversation that nobody named: the same for all its requests.

    Source:
        Plano's FNV-1a over salt, tenant, system text, tools and first user text; the keys are
        equal as long as each text has at most `FOLDED` bytes.
    """
    return f"implicit:{_hash(tenant, beginning.system, beginning.tools, beginning.user)}"


def prefix(beginning: Beginning, tenant: str) -> str:
    """Return the hash of what all prompts of a conversation begin with; as `implicit_key`, without
    what the user says."""
    return _hash(tenant, beginning.system, beginning.tools)


def _hash(*texts: str) -> str:
    state = _OFFSET
    for text in (_SALT, *texts):
        raw = text.encode("utf-8", "surrogatepass")
        rest = raw[FOLDED:]
        digest = blake2b(rest, digest_size=16).digest() if rest else b""
        state = _absorb(state, raw[:FOLDED] + digest + _END)
    return f"{state:016x}"


@lru_cache(maxsize=REMEMBERED)
def _absorb(state: int, chunk: bytes) -> int:
    for byte in chunk:
        state = ((state ^ byte) * _PRIME) & _MASK
    return state
