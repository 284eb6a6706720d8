"""What people see of an exchange."""

from __future__ import annotations

import io

import pytest

from plano_filters.exchange import Outcome
from plano_filters.facts import Cost
from plano_filters.telemetry.console import ConsoleReporter, dollars
from plano_filters.testing import make_exchange
from tests.framework.telemetry.exchanges import served


def test_an_exchange_is_a_few_lines() -> None:
    """The request, each filter with its time and decisions, and the sums."""
    stream = io.StringIO()

    ConsoleReporter(stream)(served(), Outcome(200))

    first, *rest = stream.getvalue().splitlines()
    assert first.startswith("POST /v1/chat/completions  200  anthropic/claude  2 attempts")
    assert any(line.split() == ["alias", "0.20", "ms", "fast", "->", "openai/gpt"] for line in rest)
    assert any("slow" in line and "[skip]" in line for line in rest)
    assert any("tokens 12 in, 9 out" in line for line in rest)
    assert "\x1b[" not in stream.getvalue()


def test_an_error_and_a_client_that_left_are_said() -> None:
    """In words."""
    stream = io.StringIO()

    ConsoleReporter(stream)(make_exchange({}), Outcome(None, disconnected=True))

    assert "499" in stream.getvalue()
    assert "(client left)" in stream.getvalue()


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        (None, "—"),
        (0.0, "—"),
        (0.00000014, "$0.00000014"),
        (0.0000999, "$0.0000999"),
        (0.0001, "$0.0001"),
        (0.000519, "$0.000519"),
        (0.0099, "$0.0099"),
        (0.01, "$0.0100"),
        (0.12345, "$0.1235"),
        (1.0, "$1.00"),
        (1234.567, "$1,234.57"),
    ],
)
def test_dollars(usd: float | None, shown: str) -> None:
    """Small amounts keep the digits that say something; nothing and the unknown are a dash."""
    assert dollars(usd) == shown


def test_an_amount_too_small_to_be_written_is_not_nothing() -> None:
    """Eight decimals are the most."""
    assert dollars(1e-9) == "<$0.00000001"


@pytest.mark.parametrize(
    ("cost", "shown"),
    [
        (None, "cost —"),
        (Cost(0.0005, "file", 3.0), "cost $0.0005"),
        (Cost(0.0005, "file", 3.0, whole=False), "cost at least $0.0005"),
    ],
)
def test_the_cost_stands_beside_the_tokens(cost: Cost | None, shown: str) -> None:
    """Of a stream that broke off, what is known of it."""
    exchange, stream = served(), io.StringIO()
    if cost is not None:
        exchange.state.put(cost)

    ConsoleReporter(stream)(exchange, Outcome(200))

    assert f"tokens 12 in, 9 out  {shown}\n" in stream.getvalue()
