"""What is remembered of a session, and how it is written down."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

from plano_filters import Pin

LONGEST: Final = 8192
"""Bytes of a stored record. A pin has about a hundred, a binding with a full history a thousand."""
HISTORY: Final = 8
"""Models that a session left, of which a binding knows. Plano's number."""
LARGEST: Final = 1e15
"""Of any amount, time or count; what is larger is no record."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A model that a session left."""

    model: str
    last_used: float
    """Wall clock, seconds since the epoch."""
    cached_tokens: int
    """Of the prompt that it had last."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A session in the budget mode: the model it is at, and its accounts. Amounts are USD.

    Source:
        Plano's `SessionBinding`; the names of the fields are part of what it writes.
    """

    anchor_model: str
    """The model that served last."""
    default_model: str
    """The model it began with: what a session costs that never changes is counted with it."""
    requested_model: str = ""
    route_name: str | None = None
    prefix_hash: str | None = None
    """Of what all its prompts begin with; None if that could not be read."""
    last_used: float = 0.0
    """Wall clock, seconds since the epoch."""
    cached_tokens: int = 0
    """Of the newest prompt. Reported by the provider; until then an estimate."""
    baseline_usd: float = 0.0
    """What reading its prompts from the cache of the default model would have cost."""
    switch_spend_usd: float = 0.0
    """What its changes of model have cost, that were made at will."""
    switches: int = 0
    session_cost_usd: float = 0.0
    """What its answers have cost, as far as prices are known."""
    history: tuple[Visit, ...] = ()
    """The models it left, the last one first."""


Record: TypeAlias = Pin | Binding
"""A pin in the modes that hold a session, a binding in the one that gives it a budget."""


def pin_of(record: Record) -> Pin:
    """Return the model and the route of a record."""
    if isinstance(record, Pin):
        return record
    return Pin(record.anchor_model, record.route_name)


def binding_of(record: Record) -> Binding:
    """Return a record with accounts. Those of a pin are empty, and nobody knows its last use."""
    if isinstance(record, Binding):
        return record
    return Binding(record.model, record.model, route_name=record.route)


def encode(record: Record) -> bytes:
    """Write a record down."""
    if isinstance(record, Pin):
        written: dict[str, Any] = {"model": record.model, "route": record.route}
    else:
        written = asdict(record)
    return json.dumps(written, separators=(",", ":")).encode()


def decode(raw: bytes) -> Record | None:
    """Read a record; None if it is none. Whoever can write into a store is not trusted."""
    if len(raw) > LONGEST:
        return None
    try:
        value = json.loads(raw)
        if not isinstance(value, dict):
            return None
        if "anchor_model" in value:
            return _binding(value)
        return Pin(_text(value["model"]), _optional(value.get("route")))
    except (ValueError, KeyError, RecursionError):
        return None


def _binding(value: Mapping[str, Any]) -> Binding:
    anchor = _text(value["anchor_model"])
    visits = value.get("history") or []
    if not isinstance(visits, list) or not all(isinstance(one, dict) for one in visits):
        raise ValueError
    return Binding(
        anchor,
        _text(value.get("default_model", anchor)),
        _optional(value.get("requested_model")) or "",
        _optional(value.get("route_name")),
        _optional(value.get("prefix_hash")),
        _number(value.get("last_used", 0)),
        int(_number(value.get("cached_tokens", 0))),
        _number(value.get("baseline_usd", 0)),
        _number(value.get("switch_spend_usd", 0)),
        int(_number(value.get("switches", 0))),
        _number(value.get("session_cost_usd", 0)),
        tuple(
            Visit(
                _text(one["model"]),
                _number(one.get("last_used", 0)),
                int(_number(one.get("cached_tokens", 0))),
            )
            for one in visits[:HISTORY]
        ),
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _optional(value: object) -> str | None:
    if not isinstance(value, str | None):
        raise ValueError
    return value


def _number(value: object) -> float:
    """Read an amount. An integer with thousands of digits is none, nor is anything below 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    if not 0 <= value < LARGEST or not math.isfinite(value):
        raise ValueError
    return float(value)
