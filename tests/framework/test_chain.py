"""The engine: hooks in order and in reverse, once each, whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters.chain import Chain, link
from plano_filters.errors import Blocked, FilterFailed, GatewayError
from plano_filters.exchange import Exchange, Outcome
from plano_filters.filter import FactoryContext, Filter, FilterConfig, TerminalFilter
from plano_filters.messages import MutableHeaders, Response
from plano_filters.testing import make_exchange


@dataclass
class Script:
    """What a scripted filter does in each phase, and where it writes what it saw."""

    id: str
    log: list[str]
    request: str = "continue"
    forward: str = "continue"
    response: str = "continue"
    complete: str = "continue"
    outcomes: list[Outcome] = field(default_factory=list)

    def act(self, phase: str) -> None:
        self.log.append(f"{self.id}.{phase}")
        what = getattr(self, phase)
        if what == "raise":
            raise RuntimeError("nobody expected this")
        if what == "reject":
            raise Blocked("not this")
        if what == "fail":
            raise FilterFailed("its service is away")


class Reporting(Filter[FilterConfig]):
    def report(self) -> dict[str, Any]:
        return {"entries": 3}


def test_filters_report_what_they_go_by() -> None:
    """By the ids of their links; those with nothing to say are left out."""
    made = [Reporting(FilterConfig(), FactoryContext(name)) for name in ("a", "b")]
    silent = Scripted(Script("c", []))
    links = [link(one, id=one.context.id, name="x") for one in (*made, silent)]

    assert Chain(links).reports() == {"a": {"entries": 3}, "b": {"entries": 3}}


class Scripted(Filter[FilterConfig]):
    def __init__(self, script: Script) -> None:
        super().__init__(FilterConfig(), FactoryContext(script.id))
        self.script = script

    async def on_request(self, exchange: Exchange) -> Response | None:
        self.script.act("request")
        if self.script.request == "hang":
            await asyncio.Event().wait()
        return Response.from_json(self.script.id) if self.script.request == "answer" else None

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        self.script.act("response")

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        self.script.outcomes.append(outcome)
        self.script.act("complete")


class End(Scripted, TerminalFilter[FilterConfig]):
    async def on_request(self, exchange: Exchange) -> Response:
        return await Scripted.on_request(self, exchange) or Response.from_json("end")


def chain_of(scripts: list[Script], **options: Any) -> Chain:
    """Return a chain of scripted filters with a terminal one behind."""
    end = Script("end", scripts[0].log if scripts else [])
    links = [link(Scripted(s), id=s.id, name=s.id, **options) for s in scripts]
    return Chain([*links, link(End(end), id="end", name="end")])


async def drive(chain: Chain, exchange: Exchange | None = None) -> Response:
    """Run and complete one exchange."""
    exchange = exchange or make_exchange({"model": "m"})
    response = await chain.run(exchange)
    await chain.complete(exchange, Outcome(response.status))
    return response


async def test_requests_go_down_and_everything_else_comes_back_up() -> None:
    """The order of the list is the way of a request; responses and ends go the other way."""
    log: list[str] = []

    await drive(chain_of([Script("a", log), Script("b", log)]))

    assert log == [
        "a.request", "b.request", "end.request",
        "b.response", "a.response",
        "end.complete", "b.complete", "a.complete",
    ]  # fmt: skip


@pytest.mark.parametrize(("what", "status"), [("answer", 200), ("reject", 400), ("raise", 500)])
async def test_a_filter_that_answers_or_raises_ends_the_way_down(what: str, status: int) -> None:
    """Filters before it see the response, it only the end, those after it nothing."""
    log: list[str] = []
    scripts = [Script("a", log), Script("b", log, request=what), Script("c", log)]

    response = await drive(chain_of(scripts))

    assert response.status == status
    assert log == ["a.request", "b.request", "a.response", "b.complete", "a.complete"]


async def test_an_unexpected_error_names_the_filter_and_nothing_else() -> None:
    """The client learns which filter failed; what it raised is in the log."""
    response = await drive(chain_of([Script("guard", [], request="raise")]))

    assert isinstance(response.body, bytes)
    assert b'filter \\"guard\\" failed' in response.body
    assert b"nobody expected" not in response.body
    assert response.headers["x-plano-error-source"] == "filter"


async def test_a_filter_that_may_be_skipped_is() -> None:
    """With on_error skip an unexpected error passes the request on, and is counted."""
    exchange = make_exchange({})

    response = await drive(
        chain_of([Script("a", [], request="raise", response="raise")], on_error="skip"), exchange
    )

    assert response.status == 200
    assert [(t.filter, t.phase, t.action) for t in exchange.timings][:3] == [
        ("a", "request", "skip"), ("end", "request", "respond"), ("a", "response", "skip"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("on_error", "status", "action"), [("skip", 200, "skip"), ("fail", 500, "error")]
)
async def test_a_filter_may_say_itself_that_it_failed(
    on_error: Literal["skip", "fail"], status: int, action: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What on_error says happens; the log has its sentence, and no traceback."""
    exchange = make_exchange()

    response = await drive(chain_of([Script("a", [], request="fail")], on_error=on_error), exchange)

    assert response.status == status
    assert exchange.timings[0].action == action
    assert "its service is away" in caplog.text
    assert "Traceback" not in caplog.text


async def test_an_expected_failure_stops_even_a_filter_that_may_be_skipped() -> None:
    """A refusal is a decision, not an accident."""
    response = await drive(chain_of([Script("a", [], request="reject")], on_error="skip"))

    assert response.status == 400


async def test_a_filter_past_its_timeout_is_an_error() -> None:
    """It is cancelled, and what on_error says happens."""
    failing = chain_of([Script("slow", [], request="hang")], timeout=0.01)
    skipping = chain_of([Script("slow", [], request="hang")], timeout=0.01, on_error="skip")

    assert (await drive(failing)).status == 500
    assert (await drive(skipping)).status == 200


async def test_a_terminal_filter_past_its_timeout_is_a_gateway_timeout() -> None:
    """To the client it is the upstream that did not answer."""
    end = link(End(Script("end", [], request="hang")), id="end", name="end", timeout=0.01)

    response = await drive(Chain([end]))

    assert response.status == 504


async def test_an_error_in_a_response_hook_becomes_the_response() -> None:
    """Outer filters see the error response, and the refused body is closed."""
    log: list[str] = []
    closed = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"x"
        finally:
            closed.set()

    class Streaming(TerminalFilter[FilterConfig]):
        async def on_request(self, exchange: Exchange) -> Response:
            stream = body()
            await anext(stream)
            return Response(200, MutableHeaders(), stream)

    guard = Script("guard", log, response="reject")
    chain = Chain(
        [
            link(Scripted(Script("outer", log)), id="outer", name="outer"),
            link(Scripted(guard), id="guard", name="guard"),
            link(Streaming(FilterConfig(), FactoryContext("s")), id="s", name="s"),
        ]
    )

    response = await drive(chain)

    assert response.status == 400
    assert closed.is_set()
    assert "outer.response" in log


async def test_completion_happens_once_and_after_the_resources_are_closed() -> None:
    """A second call changes nothing; resources go first so that upstreams stop at once."""
    log: list[str] = []
    chain = chain_of([Script("a", log)])
    exchange = make_exchange({})
    exchange.resources.callback(log.append, "closed")

    await drive(chain, exchange)
    await chain.complete(exchange, Outcome(200))

    assert log[-3:] == ["closed", "end.complete", "a.complete"]
    assert log.count("a.complete") == 1


async def test_one_failing_completion_keeps_no_other_from_running() -> None:
    """Every entered filter learns the end, also when a resource or a hook fails."""
    log: list[str] = []
    chain = chain_of([Script("a", log), Script("b", log, complete="raise")])
    exchange = make_exchange({})

    def explode() -> None:
        raise RuntimeError("cannot close")

    exchange.resources.callback(explode)

    await drive(chain, exchange)

    assert "a.complete" in log


async def test_hooks_that_are_not_overridden_are_never_called() -> None:
    """A filter without hooks costs nothing: no call, no timing."""

    class Nothing(Filter[FilterConfig]):
        """Does nothing."""

    exchange = make_exchange({})
    nothing = link(Nothing(FilterConfig(), FactoryContext("n")), id="n", name="n")
    await drive(Chain([nothing, *chain_of([]).links]), exchange)

    assert (nothing.on_request, nothing.on_response, nothing.on_complete) == (None, None, None)
    assert all(timing.filter != "n" for timing in exchange.timings)


class Settling(Scripted):
    async def on_forward(self, exchange: Exchange) -> None:
        self.script.act("forward")


async def test_what_is_settled_last_is_settled_right_before_the_terminal_filter() -> None:
    """In reverse order, when all filters let the request pass; not if one of them answers."""
    log: list[str] = []
    middle = Script("c", log)
    parts = [Settling(Script("a", log)), Settling(Script("b", log)), Scripted(middle)]
    chain = Chain(
        link(one, id=one.script.id, name="x") for one in (*parts, End(Script("end", log)))
    )
    await chain.run(make_exchange())
    assert log[:6] == [
        "a.request", "b.request", "c.request", "b.forward", "a.forward", "end.request",
    ]  # fmt: skip

    log.clear()
    middle.request = "answer"
    await chain.run(make_exchange())
    assert log == ["a.request", "b.request", "c.request", "b.response", "a.response"]


async def test_a_failure_to_settle_is_answered_as_the_terminal_filters_own() -> None:
    """Every filter before it sees the answer, and each ends once."""
    log: list[str] = []
    parts = [Scripted(Script("a", log)), Settling(Script("b", log, forward="reject"))]
    chain = Chain(
        link(one, id=one.script.id, name="x") for one in (*parts, End(Script("end", log)))
    )
    exchange = make_exchange()
    response = await chain.run(exchange)
    await chain.complete(exchange, Outcome(response.status))

    assert (response.status, exchange.timings[2].phase) == (Blocked("").status, "forward")
    assert log == [
        "a.request", "b.request", "b.forward", "b.response", "a.response",
        "end.complete", "b.complete", "a.complete",
    ]  # fmt: skip


async def test_the_lifespans_nest() -> None:
    """Filters start in order and stop in reverse; a failing start stops what had started."""
    log: list[str] = []

    class Living(Filter[FilterConfig]):
        @asynccontextmanager
        async def lifespan(self) -> AsyncGenerator[None]:
            log.append(f"start {self.context.id}")
            if self.context.id == "broken":
                raise OSError("no model")
            try:
                yield
            finally:
                log.append(f"stop {self.context.id}")

    def living(*names: str) -> Chain:
        made = [Living(FilterConfig(), FactoryContext(name)) for name in names]
        return Chain(link(one, id=one.context.id, name="living") for one in made)

    async with living("a", "b").lifespan():
        pass
    assert log == ["start a", "start b", "stop b", "stop a"]

    log.clear()
    with pytest.raises(OSError, match="no model"):
        async with living("a", "broken").lifespan():
            pass
    assert log == ["start a", "start broken", "stop a"]


async def test_a_nested_chain_lets_failures_out_as_they_are() -> None:
    """`run_or_raise` is for owners who decide what a failure means."""
    chain = chain_of([Script("a", [], request="reject")])

    with pytest.raises(GatewayError):
        await chain.run_or_raise(make_exchange({}))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["continue", "answer", "reject", "raise"]),
            st.sampled_from(["continue", "reject", "raise"]),
            st.sampled_from(["continue", "raise"]),
        ),
        max_size=6,
    )
)
async def test_every_entered_filter_ends_exactly_once(plan: list[tuple[str, str, str]]) -> None:
    """Whatever filters do, the table of hooks holds."""
    log: list[str] = []
    scripts = [Script(str(i), log, *what) for i, what in enumerate(plan)]
    chain = chain_of(scripts)
    if not scripts:
        chain.links[-1].filter.script.log = log  # type: ignore[attr-defined]

    await drive(chain)

    stopped = next((i for i, what in enumerate(plan) if what[0] != "continue"), len(plan))
    names = [*[str(i) for i in range(len(plan))], "end"]
    entered = names[: stopped + 1]
    assert [entry for entry in log if entry.endswith(".request")] == [
        f"{n}.request" for n in entered
    ]
    assert [entry for entry in log if entry.endswith(".response")] == [
        f"{n}.response" for n in reversed(entered[:-1])
    ]
    assert [entry for entry in log if entry.endswith(".complete")] == [
        f"{n}.complete" for n in reversed(entered)
    ]
