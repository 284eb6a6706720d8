"""What is remembered of a session: written and read, whoever wrote it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.affinity import records
from plano_builtin_filters.affinity.records import Binding, Visit
from plano_filters import Pin

NAMES = st.text(min_size=1, max_size=40)
COUNTS = st.integers(0, 10**9)
AMOUNTS = st.floats(0, 1e9)
VISITS = st.builds(Visit, NAMES, AMOUNTS, COUNTS)
BINDINGS = st.builds(
    Binding,
    NAMES,
    NAMES,
    st.text(max_size=40),
    st.none() | NAMES,
    st.none() | NAMES,
    AMOUNTS,
    COUNTS,
    AMOUNTS,
    AMOUNTS,
    COUNTS,
    AMOUNTS,
    st.lists(VISITS, max_size=records.HISTORY).map(tuple),
)
BOUND = Binding(
    "openai/gpt-4o",
    "anthropic/claude",
    "auto",
    "code",
    "45bddd7259df5e99",
    1_780_000_000.5,
    1200,
    0.25,
    0.125,
    1,
    0.5,
    (Visit("anthropic/claude", 1_779_999_999.0, 1100),),
)
PLANOS = b"""{"anchor_model":"openai/gpt-4o","default_model":"anthropic/claude",
"requested_model":"auto","route_name":"code","prefix_hash":"45bddd7259df5e99",
"last_used":1780000000,"cached_tokens":1200,"baseline_usd":0.25,"switch_spend_usd":0.125,
"switches":1,"session_cost_usd":0.5}"""


@given(st.builds(Pin, NAMES, st.none() | NAMES) | BINDINGS)
def test_what_is_written_is_read(record: records.Record) -> None:
    """A pin stays a pin, and a binding keeps its accounts to the last digit."""
    assert records.decode(records.encode(record)) == record


def test_the_names_are_planos() -> None:
    """A record of Plano's own gateway is one of ours; what it leaves out is empty."""
    written = json.loads(records.encode(BOUND))

    assert set(json.loads(PLANOS)) | {"history"} == set(written)
    assert set(written["history"][0]) == {"model", "last_used", "cached_tokens"}
    read = records.decode(PLANOS)
    assert isinstance(read, Binding)
    assert (read.anchor_model, read.cached_tokens, read.history) == ("openai/gpt-4o", 1200, ())


def test_either_kind_serves_both_modes() -> None:
    """A reload may turn the budget on or off: models stay, and accounts begin empty."""
    pin = Pin("openai/gpt-4o", "code")

    assert records.decode(b'{"model":"openai/gpt-4o","route":"code"}') == pin
    assert records.pin_of(BOUND) == pin
    assert records.pin_of(pin) == pin
    assert records.binding_of(BOUND) is BOUND
    assert records.binding_of(pin) == Binding(pin.model, pin.model, route_name="code")


@given(st.binary(max_size=99))
def test_any_bytes_are_a_record_or_none(raw: bytes) -> None:
    """Nothing raises."""
    assert isinstance(records.decode(raw), Pin | Binding | None)


def spoiled(**fields: Any) -> bytes:
    """Return a binding with other values in some fields."""
    return json.dumps({**json.loads(PLANOS), **fields}).encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"model": ""}',
        b'{"model": 1}',
        b'{"model": "m", "route": 1}',
        b"[" * 4000,
        b'{"model": "m", "route": null' + b" " * 9000 + b"}",
        b"\xff",
        spoiled(anchor_model=""),
        spoiled(anchor_model=None),
        spoiled(default_model=3),
        spoiled(route_name=["code"]),
        spoiled(last_used="yesterday"),
        spoiled(cached_tokens=True),
        spoiled(cached_tokens=-1),
        spoiled(baseline_usd=float("inf")),
        spoiled(switch_spend_usd=float("nan")),
        spoiled(switch_spend_usd=-1e-9),
        spoiled(switches=10**400),
        spoiled(history={"model": "m"}),
        spoiled(history=["m"]),
        spoiled(history=[{}]),
        spoiled(history=[{"model": "m", "cached_tokens": None}]),
    ],
)
def test_what_is_no_record(raw: bytes) -> None:
    """Whoever can write into Redis can write this."""
    assert records.decode(raw) is None


def test_no_more_history_than_is_kept() -> None:
    """Whoever wrote more is cut."""
    visits = [{"model": f"m/{n}", "last_used": n, "cached_tokens": n} for n in range(20)]
    read = records.decode(spoiled(history=visits))

    assert isinstance(read, Binding)
    assert [one.model for one in read.history] == [f"m/{n}" for n in range(8)]
