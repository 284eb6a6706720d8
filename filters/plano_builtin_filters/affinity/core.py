"""Whose a pin is, and what it does to the candidates."""

from __future__ import annotations

from hashlib import sha256
from typing import Final
from urllib.parse import quote

from plano_filters import Candidates, FilterState, Pin, Route
from plano_filters.dialect import Dialect
from plano_filters.models import ModelIndex

LONGEST_PART: Final = 256
"""Characters of a part of a key, as written; a longer one is replaced by its hash."""


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


def offered(model: str, before: Candidates) -> Candidates:
    """Put a session's model behind the candidates, so that later filters can say what they think.

    Args:
        model: Full name.
        before: Not changed if the client wants no other model than the first.
    """
    if before.exclusive:
        return before
    found = tuple(dict.fromkeys([*before.models, model]))
    return Candidates(found, before.requested, before.explicit, before.exclusive)


def hold(state: FilterState, pin: Pin) -> None:
    """Hold an exchange to a model: it is the first candidate, and the route is the pin's.

    Args:
        state: Facts of the exchange; takes the pin.
        pin: The model, and the route that it was found by.
    """
    state.withdraw(Pin)
    state.put(pin)
    state.replace(pinned(pin.model, state[Candidates]))
    route = state.get(Route)
    if route is None or route.name != pin.route:
        state.withdraw(Route)
        if pin.route is not None:
            state.put(Route(pin.route))
