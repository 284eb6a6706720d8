"""The access log: one line, everything that matters, nothing that may not be told."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from plano_filters.errors import Unauthorized
from plano_filters.exchange import Exchange, Outcome
from plano_filters.facts import Cost
from plano_filters.telemetry import Telemetry, access_log
from plano_filters.telemetry.access_log import JSONFormatter, SafeHandler, TextFormatter
from plano_filters.testing import make_exchange
from tests.framework.telemetry.exchanges import served


@pytest.fixture
def lines() -> Any:
    """Collect what the access log writes."""
    stream = io.StringIO()
    handler = SafeHandler(stream)
    handler.setFormatter(JSONFormatter())
    access_log.log.addHandler(handler)
    access_log.log.setLevel(logging.INFO)
    yield stream
    access_log.log.removeHandler(handler)


def logged(exchange: Exchange, outcome: Outcome, stream: io.StringIO) -> dict[str, Any]:
    telemetry = Telemetry(env={})
    exchange.span = telemetry.begin(exchange.request, exchange.operation)
    telemetry.finish(exchange, outcome)
    text = stream.getvalue()
    assert text.count("\n") == 1
    line: dict[str, Any] = json.loads(text)
    return line


def test_a_line_tells_the_exchange(lines: io.StringIO) -> None:
    """Who asked for what, who served it after which tries, and how long it took."""
    line = logged(served(), Outcome(200, bytes_sent=10), lines)

    expected = {
        "event": "exchange",
        "request_id": "test-request",
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "bytes_sent": 10,
        "requested": "fast",
        "model": "anthropic/claude",
        "provider": "anthropic",
        "principal": "team-a",
        "decisions": ["alias: fast -> openai/gpt"],
        "usage": {"input": 12, "output": 9, "cached": 4},
        "user_agent": "test/1",
    }
    assert {name: line.get(name) for name in expected} == expected
    assert [attempt["status"] for attempt in line["attempts"]] == [429, 200]
    assert line["duration_s"] >= line["first_byte_s"] > 0


@pytest.mark.parametrize(
    ("cost", "told"),
    [
        (None, None),
        (Cost(0.0, "own", None), {"usd": 0.0, "source": "own"}),
        (
            Cost(519e-6, "models.dev", 61.234),
            {"usd": 0.000519, "source": "models.dev", "age_s": 61.2},
        ),
        (Cost(1e-6, "own", None, False), {"usd": 1e-6, "source": "own", "whole": False}),
    ],
)
def test_a_line_tells_the_cost(
    cost: Cost | None, told: dict[str, Any] | None, lines: io.StringIO
) -> None:
    """With the source and the age of the price; an unknown one is absent."""
    exchange = served()
    if cost is not None:
        exchange.state.put(cost)

    assert logged(exchange, Outcome(200), lines).get("cost") == told


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(None, disconnected=True), {"status": 499, "error": "client_disconnected"}),
        (
            Outcome(401, error=Unauthorized("no")),
            {"status": 401, "error": "invalid_api_key", "error_source": "gateway"},
        ),
        (Outcome(500), {"status": 500, "error": "500"}),
    ],
)
def test_a_failure_says_what_it_was(
    outcome: Outcome, expected: dict[str, object], lines: io.StringIO
) -> None:
    """Including a client that left before the answer."""
    line = logged(make_exchange({}), outcome, lines)

    assert {name: line.get(name) for name in expected} == expected


def test_what_a_client_sends_cannot_forge_lines(lines: io.StringIO) -> None:
    """Control characters are escaped, long values cut, lone surrogates survive."""
    exchange = make_exchange({}, headers={"user-agent": "a\rb\x1b[31m" + "x" * 1_000_000})
    exchange.request.path = '/v1/\n{"event": "forged"}\x00\ud800'

    line = logged(exchange, Outcome(404), lines)

    assert line["path"].startswith("/v1/\n")
    assert len(line["user_agent"]) == access_log.LONGEST
    assert len(lines.getvalue()) < 2000


def test_prompts_and_credentials_are_not_logged(lines: io.StringIO) -> None:
    """Whatever else is in an exchange."""
    exchange = make_exchange(
        {"model": "m", "messages": [{"role": "user", "content": "my secret prompt"}]},
        headers={"authorization": "Bearer sk-very-secret"},
    )

    logged(exchange, Outcome(200), lines)

    assert "secret" not in lines.getvalue()


def test_a_closed_stdout_stops_nothing() -> None:
    """Lines are dropped; the exchange does not notice."""
    stream = io.StringIO()
    handler = SafeHandler(stream)
    stream.close()

    handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "text", None, None))


def test_any_record_is_one_json_line() -> None:
    """Tracebacks included."""
    try:
        raise ValueError("broken")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("name", logging.ERROR, "", 0, "two\nlines %s", ("x",), info)

    text = JSONFormatter().format(record)

    assert "\n" not in text
    assert json.loads(text)["event"] == "two\nlines x"
    assert "ValueError: broken" in json.loads(text)["exception"]


def test_a_traceback_does_not_show_what_pydantic_was_given() -> None:
    """A filter may validate a request; its text is not for the log."""

    class Body(BaseModel):
        prompt: int

    request = {"prompt": "a secret prompt"}
    try:
        try:
            Body.model_validate(request)
        except ValidationError as error:
            raise RuntimeError("the body is wrong") from error
    except RuntimeError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("name", logging.ERROR, "", 0, "failed", None, info)

    for formatter in (JSONFormatter(), TextFormatter()):
        text = formatter.format(record)
        assert "secret" not in text
        assert "prompt: Input should be a valid integer" in text
        assert "RuntimeError: the body is wrong" in text
