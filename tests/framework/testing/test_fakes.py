"""The kit: what filter authors are given behaves as the gateway does."""

from __future__ import annotations

import pytest

from plano_filters.exchange import Exchange, Outcome
from plano_filters.facts import Principal
from plano_filters.filter import Filter, FilterConfig
from plano_filters.messages import Response
from plano_filters.testing import FakeClock, exercise, make_context, make_exchange


class Noting(Filter[FilterConfig]):
    """Notes every hook."""

    def __init__(self) -> None:
        super().__init__(FilterConfig(), make_context())
        self.seen: list[str] = []

    async def on_request(self, exchange: Exchange) -> None:
        self.seen.append(f"request of {exchange.state[Principal].id}")

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        self.seen.append(f"response {response.status}")

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        self.seen.append(f"complete {outcome.status}, {outcome.bytes_sent} bytes")


async def test_every_hook_runs_as_in_a_chain() -> None:
    """A terminal filter stands behind the one under test."""
    noting = Noting()
    answer = Response.from_json("ok", status=201)

    response = await exercise(noting, make_exchange({}, facts=[Principal("me")]), answer=answer)

    assert response.body == b'"ok"'
    assert noting.seen == ["request of me", "response 201", "complete 201, 4 bytes"]


async def test_a_fake_clock_passes_only_when_someone_sleeps() -> None:
    """And then at once."""
    clock = FakeClock(now=5)

    await clock.sleep(60)

    assert (clock.now(), clock.time(), clock.slept) == (65, 65, [60])


def test_an_exchange_is_as_the_gateway_makes_it() -> None:
    """Path and headers decide the dialect."""
    exchange = make_exchange({"model": "m"}, path="/v1/messages", headers={"x-a": "b"})

    assert exchange.dialect == "messages"
    assert exchange.request.model == "m"
    assert exchange.request.headers["x-a"] == "b"


def test_a_context_without_a_transport_says_so() -> None:
    """Tests that need one pass one."""
    with pytest.raises(RuntimeError, match="pass transport="):
        make_context().transport()
