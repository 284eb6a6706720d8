"""Whose a pin is, how it is written down, and what it does to the candidates."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from plano_filters import Candidates, Pin
from plano_filters.dialect import Dialect
from plano_filters.models import ModelIndex

LONGEST_PART: Final = 256
"""Characters of a part of a key, as written; a longer one is replaced by its hash."""
LONGEST_VALUE: Final = 4096
"""Bytes of a stored pin; ours have about a hundred."""


def key(
    session: str, *, tenant: str = "", principal: str | None = None, lane: str | None = None
) -> str:
    """Return the key of a session, without a store's own prefix.

    No two sessions have one key, whatever clients send: in each part the marks between parts are
    escaped.

    Args:
        session: What names it; any text.
        tenant: Value of the tenant header; empty for none.
        principal: Who asks, if that is known.
        lane: The model that was asked for, where each has a pin of its own.
    """
    parts = [] if principal is None else [f"@{_part(principal)}"]
    parts += [_part(tenant)] if tenant else []
    parts.append(_part(session) if lane is None else f"{_part(session)}#{_part(lane)}")
    return ":".join(parts)


def _part(text: str) -> str:
    raw = text.encode("utf-8", "surrogatepass")
    written = quote(raw, safe="")
    return written if len(written) <= LONGEST_PART else f"!{sha256(raw).hexdigest()}"


def encode(pin: Pin) -> bytes:
    """Write a pin down."""
    return json.dumps({"model": pin.model, "route": pin.route}, separators=(",", ":")).encode()


def decode(raw: bytes) -> Pin | None:
    """Read a pin; None if it is none. Whoever can write into a store is not trusted."""
    if len(raw) > LONGEST_VALUE:
        return None
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    model, route = value.get("model"), value.get("route")
    if not isinstance(model, str) or not model or not isinstance(route, str | None):
        return None
    return Pin(model, route)


def unfit(model: str, dialect: Dialect, index: ModelIndex) -> str | None:
    """Say why a pinned model cannot serve a request; None if it can."""
    if model.partition("/")[2] in ("", "*") or index.entry(model) is None:
        return "is not declared"
    return None if index.speaks(model, dialect) else f"does not speak {dialect}"


def pinned(model: str, before: Candidates) -> Candidates:
    """Put the pinned model in front of the candidates.

    Args:
        model: Full name.
        before: What stood without the pin. It stays behind, for the case that the pinned model
            fails, unless the client wants no fallback.
    """
    found = dict.fromkeys([model] if before.exclusive else [model, *before.models])
    return Candidates(tuple(found), before.requested, before.explicit, before.exclusive)
