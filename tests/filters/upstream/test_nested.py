"""Filters that run once per try, in a chain that was compiled as for a document."""

from __future__ import annotations

from typing import Any, ClassVar

import httpx
import pytest

from plano_filters import (
    Attempt,
    AttemptResult,
    Attempts,
    Candidates,
    Document,
    Exchange,
    Filter,
    FilterConfig,
    Outcome,
    PermissionDenied,
    Registry,
    Report,
    Response,
    Served,
    Services,
    UpstreamFailed,
    Usage,
    compile_chain,
)
from plano_filters.chain import Chain
from plano_filters.facts import ResponseInfo
from plano_filters.testing import FakeClock, make_exchange
from tests.filters.upstream.script import ANSWER, DOCUMENT, EVENTS, A, B, Script, fails, stream


class Provided(Filter[FilterConfig]):
    """Stands for `alias` in a compiled chain."""

    provides = (Candidates,)

    async def on_request(self, exchange: Exchange) -> None:
        exchange.state.put(Candidates((A, B), "whatever", explicit=True))


class WitnessConfig(FilterConfig):
    refuse: bool = False


class Witness(Filter[WitnessConfig]):
    """Sees each try; refuses the answers if told to."""

    config_type = WitnessConfig
    requires = (Attempt,)
    seen: ClassVar[list[str]] = []

    async def on_request(self, exchange: Exchange) -> None:
        attempt = exchange.state[Attempt]
        exchange.request.headers["x-try"] = str(attempt.number)
        self.seen.append(f"{attempt.number} {attempt.model}")

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        self.seen.append(f"response {response.status}")
        if self.config.refuse:
            raise PermissionDenied("not this answer")

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        how = type(outcome.error).__name__ if outcome.error else outcome.bytes_sent
        self.seen.append(f"complete {outcome.status} {how}")


def test_a_terminal_filter_is_no_filter_of_a_try() -> None:
    """It would answer in the provider's place; the gateway does not start with one."""
    report = Report()
    entries = [
        {"use": f"{__name__}:Provided"},
        {"use": "upstream", "config": {"filters": ["upstream"]}},
    ]
    document = Document.model_validate({**DOCUMENT, "filters": entries})

    compile_chain(document, Registry.from_entry_points(), report)

    (problem,) = report.errors
    assert '"upstream" always answers' in problem.message


def nested_chain(script: Script, **config: Any) -> Chain:
    entries = [
        {"use": f"{__name__}:Provided"},
        {"use": "upstream", "config": {"filters": [{f"{__name__}:Witness": config}]}},
    ]
    document = Document.model_validate({**DOCUMENT, "filters": entries})
    report = Report()
    services = Services(clock=FakeClock(), transport=lambda: script)
    chain = compile_chain(document, Registry.from_entry_points(), report, services)
    report.raise_errors()
    Witness.seen.clear()
    return chain


async def run(chain: Chain) -> tuple[Response, Exchange]:
    exchange = make_exchange({"model": "x"})
    async with chain.lifespan():
        response = await chain.run(exchange)
        try:
            if not isinstance(response.body, bytes):
                response.body = b"".join([chunk async for chunk in response.body])
        finally:
            await chain.complete(exchange, Outcome(response.status))
    return response, exchange


async def test_nested_filters_see_every_try() -> None:
    """They run once per try, their changes reach that try only, and each ends exactly once."""
    script = Script(fails(500), httpx.ConnectError("no"), stream(*EVENTS))
    chain = nested_chain(script)

    response, exchange = await run(chain)

    assert response.body == b"".join(EVENTS)
    assert Witness.seen == [
        f"1 {A}", "complete 500 0",
        f"2 {A}", "complete None 0",
        f"3 {B}", "response 200", f"complete 200 {len(b''.join(EVENTS))}",
    ]  # fmt: skip
    assert [r.headers["x-try"] for r in script.requests] == ["1", "2", "3"]
    assert "x-try" not in exchange.request.headers


async def test_nested_filters_are_told_how_a_stream_ended() -> None:
    """A stream that breaks after its head is a failure for them too."""
    script = Script(stream(EVENTS[0], httpx.ReadError("cut")))

    with pytest.raises(UpstreamFailed, match="broke the connection"):
        await run(nested_chain(script))

    assert Witness.seen == [f"1 {A}", "response 200", "complete 200 UpstreamFailed"]


async def test_a_nested_filter_may_refuse_an_answer() -> None:
    """Its error is the answer; it is not the provider's failure, so nothing is retried."""
    answer = httpx.Response(200, json={**ANSWER, "usage": {"prompt_tokens": 5}})
    response, exchange = await run(nested_chain(Script(answer), refuse=True))

    assert (response.status, response.headers["x-plano-attempts"]) == (403, "1")
    assert [exchange.state.get(fact) for fact in (Served, Usage, ResponseInfo)] == [None] * 3
    (result,) = exchange.state[Attempts].results
    assert isinstance(result, AttemptResult)
    assert result.error == "PermissionDenied"
