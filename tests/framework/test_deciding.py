"""The terminal that decides, and what it says."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext

from plano_filters.chain import Chain, link
from plano_filters.deciding import ranked, trace_id
from plano_filters.exchange import Exchange, Outcome
from plano_filters.facts import Candidates, Decided, Pin, Route, Served, SessionInfo
from plano_filters.filter import FactoryContext, Filter, FilterConfig, TerminalFilter
from plano_filters.messages import Response
from plano_filters.testing import make_exchange

PATH = "/routing/v1/chat/completions"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
THREE = Candidates(("p/a", "p/b", "p/c"), "a", explicit=True)


class Leave(Filter[FilterConfig]):
    """Leaves facts, and notes what it sees."""

    def __init__(self, *facts: object) -> None:
        super().__init__(FilterConfig(), FactoryContext("leave"))
        self.facts = facts
        self.seen: list[str] = []

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        self.seen.append("start")
        yield
        self.seen.append("stop")

    async def on_request(self, exchange: Exchange) -> None:
        for fact in self.facts:
            exchange.state.put(fact)
        exchange.decide("left some facts", count=len(self.facts))

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        decided = exchange.state.get(Decided)
        self.seen.append(decided.model if decided else "no model")

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        self.seen.append(f"ended with {outcome.status}")


class Ask(TerminalFilter[FilterConfig]):
    """Stands for a filter that asks a provider, which must not happen."""

    def __init__(self) -> None:
        super().__init__(FilterConfig(), FactoryContext("ask"))

    async def on_request(self, exchange: Exchange) -> Response:
        raise AssertionError("a provider was asked")


def chain_of(leave: Leave) -> Chain:
    return Chain([link(leave, id="leave", name="leave"), link(Ask(), id="ask", name="ask")])


async def decide(leave: Leave, **headers: str) -> tuple[Exchange, Response, Any]:
    exchange = make_exchange({"model": "a"}, path=PATH, headers=headers)
    chain = chain_of(leave)
    async with chain.lifespan():
        response = await chain.deciding.run(exchange)
        await chain.deciding.complete(exchange, Outcome(response.status))
    assert isinstance(response.body, bytes)
    return exchange, response, json.loads(response.body)


async def test_the_reply_has_planos_fields_and_ours() -> None:
    """The route's models, the session, and every decision with its data."""
    leave = Leave(THREE, Route("code", 0.625, ("p/a", "p/c")), SessionInfo("s-1", pinned=True))

    exchange, response, body = await decide(leave, traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")

    assert body == {
        "models": ["p/a", "p/c"],
        "route": "code",
        "trace_id": TRACE,
        "session_id": "s-1",
        "pinned": True,
        "switched": False,
        "confidence": 0.625,
        "decisions": [{"filter": "leave", "text": "left some facts", "data": {"count": 3}}],
    }
    assert response.status == 200
    assert response.headers["x-plano-model"] == "p/a"
    assert response.headers["x-plano-route"] == "code"
    assert response.headers["x-plano-route-confidence"] == "0.625"
    assert exchange.state[Decided] == Decided("p/a")
    assert exchange.state.get(Served) is None


async def test_the_filters_are_those_of_the_chain_and_their_hooks_run() -> None:
    """They are started once, see the decision on its way back, and its end."""
    leave = Leave(THREE)

    await decide(leave)

    assert leave.seen == ["start", "p/a", "ended with 200", "stop"]


async def test_without_a_route_the_client_keeps_its_own_model() -> None:
    """The list says none; the header says whom the gateway itself would have asked."""
    _, response, body = await decide(Leave(THREE))

    assert body["models"] == ["none"]
    assert body["route"] is None
    assert body["confidence"] is None
    assert "session_id" not in body
    assert response.headers["x-plano-model"] == "p/a"


@pytest.mark.parametrize("facts", [(), (Candidates((), "mine", explicit=True),)])
async def test_a_chain_that_comes_to_no_model_says_none(facts: tuple[object, ...]) -> None:
    """Nothing is decided then, so nothing can be pinned."""
    exchange, response, body = await decide(Leave(*facts))

    assert body["models"] == ["none"]
    assert "x-plano-model" not in response.headers
    assert exchange.state.get(Decided) is None


@pytest.mark.parametrize(
    ("route", "pin", "models"),
    [
        (Route("r", models=("p/b", "p/a")), None, ["p/a", "p/b"]),  # in the order of candidates
        (Route("r", models=("p/x",)), None, ["p/a"]),  # none of the route's can serve
        (None, Pin("p/a"), ["p/a"]),
        (Route("r"), Pin("p/a", "r"), ["p/a"]),
        (None, None, ["none"]),
    ],
)
def test_the_decided_model_comes_first(
    route: Route | None, pin: Pin | None, models: list[str]
) -> None:
    """Behind it the others of its route, without last resorts."""
    assert ranked(THREE, route, pin) == models


def test_the_trace_is_the_clients_or_ours_or_a_new_one() -> None:
    """A `traceparent` that is none does not count."""
    exchange = make_exchange(path=PATH, headers={"traceparent": f"00-{'0' * 32}-{'1' * 16}-01"})
    made = trace_id(exchange)
    exchange.span = NonRecordingSpan(SpanContext(int(TRACE, 16), 1, is_remote=False))

    assert len(made) == 32
    assert made != trace_id(make_exchange(path=PATH))
    assert trace_id(exchange) == TRACE
