"""What people see of an exchange."""

from __future__ import annotations

import io

from plano_filters.exchange import Outcome
from plano_filters.telemetry.console import ConsoleReporter
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
