"""The simulation of `benchmarks/sim_affinity.py`, on a small fleet."""

from __future__ import annotations

import random

import pytest

from benchmarks.loops import Parameters, loop
from benchmarks.sim_affinity import MODES, simulate, table

WANTED = Parameters(sessions=20)
DRAW = random.Random(WANTED.seed)
LOOPS = [list(loop(DRAW, WANTED)) for _ in range(WANTED.sessions)]


@pytest.mark.parametrize("mode", [mode for mode, routing in MODES.items() if routing is not None])
async def test_gateways_that_share_a_store_are_as_one(mode: str) -> None:
    """Every figure is the same; with a store each, sessions change their model more often."""
    alone = await simulate(mode, 1, False, LOOPS)
    shared = await simulate(mode, 4, True, LOOPS)
    apart = await simulate(mode, 4, False, LOOPS)

    assert {**shared, "replicas": 1, "store": "memory"} == alone
    assert apart["switches_per_session"] > alone["switches_per_session"]


async def test_sessions_keep_caches_warm() -> None:
    """A pin most, a budget less, none least; and without sessions every call is on its route."""
    rows = [await simulate(mode, 1, False, LOOPS) for mode in ("none", "budget 25 %", "pin")]
    shares = [row["cached_share"] for row in rows]

    assert shares == sorted(shares)
    assert rows[0]["off_route_share"] == 0
    assert len(table(rows).splitlines()) == 5
