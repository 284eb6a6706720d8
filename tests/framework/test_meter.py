"""Instruments: made once, found again."""

from __future__ import annotations

import pytest
from prometheus_client import generate_latest

from plano_filters.meter import Meter


def test_an_instrument_is_made_once() -> None:
    """A reload builds every filter anew and counts on."""
    meter = Meter()

    meter.counter("acme_seen", "Seen.", ("kind",)).labels("a").inc()
    meter.counter("acme_seen", "Seen.", ("kind",)).labels("a").inc()

    assert b'acme_seen_total{kind="a"} 2.0' in generate_latest(meter.registry)


def test_one_name_is_one_kind() -> None:
    """A gauge cannot take a counter's name."""
    meter = Meter()
    meter.counter("acme_seen", "Seen.")

    with pytest.raises(ValueError, match="already a Counter"):
        meter.gauge("acme_seen", "Seen.")


def test_two_meters_share_nothing() -> None:
    """Gateways in one process do not count for one another."""
    first, second = Meter(), Meter()
    first.histogram("acme_seconds", "Time.", (0.1, 1.0)).observe(0.5)
    second.histogram("acme_seconds", "Time.", (0.1, 1.0))

    assert b"acme_seconds_count 0.0" in generate_latest(second.registry)
