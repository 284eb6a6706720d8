"""What stands in for the world: a clock that does not wait, a context, exchanges, an answer."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from starlette.datastructures import MutableHeaders

from plano_filters.config.document import Document
from plano_filters.dialect import operation_for
from plano_filters.exchange import Exchange
from plano_filters.filter import (
    FactoryContext,
    Filter,
    FilterConfig,
    TerminalFilter,
    TransportFactory,
    no_transport,
)
from plano_filters.messages import Request, Response


class FakeClock:
    """Time that passes only when somebody sleeps, and then at once.

    Args:
        now: Both clocks start here, in seconds.
    """

    def __init__(self, now: float = 1000.0) -> None:
        self._now = now
        self.slept: list[float] = []
        """Every wait, in seconds, in order."""

    def now(self) -> float:
        return self._now

    def time(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._now += seconds


def make_context(
    document: Document | None = None,
    *,
    id: str = "under-test",  # noqa: A002 - the YAML's word
    clock: FakeClock | None = None,
    transport: TransportFactory = no_transport,
) -> FactoryContext:
    """Return a context of fakes: no network, a fake clock, a seeded random source."""
    return FactoryContext(
        id=id,
        document=document or Document(),
        clock=clock or FakeClock(),
        random=random.Random(0),  # noqa: S311 - reproducible, not secret
        transport=transport,
    )


def make_exchange(
    body: Mapping[str, Any] | bytes | None = None,
    *,
    path: str = "/v1/chat/completions",
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    query: str = "",
    facts: Iterable[object] = (),
) -> Exchange:
    """Return an exchange as the gateway would make it.

    Args:
        body: A JSON object, or bytes as they came.
        path: Decides the endpoint and the dialect.
        method: HTTP method.
        headers: Request headers.
        query: Query string without `?`.
        facts: What earlier filters left.
    """
    raw = (
        body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    )
    given = MutableHeaders({"content-type": "application/json", **(headers or {})})
    request = Request(method=method, path=path, headers=given, body=raw, query=query)
    exchange = Exchange("test-request", request, operation_for(path, given))
    for fact in facts:
        exchange.state.put(fact)
    return exchange


class Answer(TerminalFilter[FilterConfig]):
    """A terminal filter that answers with what it was given; 200 and `{}` unless given.

    Args:
        response: The answer, or what makes one from the exchange. One `Response` serves one
            exchange: filters change it.
    """

    def __init__(self, response: Response | Callable[[Exchange], Response] | None = None) -> None:
        super().__init__(FilterConfig(), FactoryContext("answer"))
        self._response = response

    async def on_request(self, exchange: Exchange) -> Response:
        if callable(self._response):
            return self._response(exchange)
        return self._response or Response.from_json({})


class Given(Filter[FilterConfig]):
    """Leaves facts, as the filters would that are not in the test.

    Args:
        facts: Left on every exchange.
    """

    def __init__(self, facts: Iterable[object]) -> None:
        super().__init__(FilterConfig(), FactoryContext("given"))
        self._facts = tuple(facts)

    async def on_request(self, exchange: Exchange) -> None:
        for fact in self._facts:
            exchange.state.put(fact)
