"""What is told of a request's way through a chain, and what is not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from plano_filters.chain import Chain, link
from plano_filters.errors import PermissionDenied
from plano_filters.exchange import Exchange, Outcome
from plano_filters.explain import Explanation, explain, request_of
from plano_filters.facts import Candidates, Pin, Principal, Route
from plano_filters.filter import FactoryContext, Filter, FilterConfig, TerminalFilter
from plano_filters.messages import MutableHeaders, Response

SECRET = "hush-hush-0123456789"
BODY = {"model": "a", "messages": [{"role": "user", "content": SECRET}], "n": 1}


class Does(Filter[FilterConfig]):
    """A filter that does what a function says."""

    def __init__(self, act: Callable[[Exchange], Awaitable[Response | None] | None]) -> None:
        super().__init__(FilterConfig(), FactoryContext("does"))
        self.act = act
        self.outcomes: list[Outcome] = []

    async def on_request(self, exchange: Exchange) -> Response | None:
        result = self.act(exchange)
        return result if result is None else await result

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        raise AssertionError("the response of a dry run is nobody's")

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


class Ask(TerminalFilter[FilterConfig]):
    """Stands for a filter that asks a provider, which must not happen."""

    def __init__(self) -> None:
        super().__init__(FilterConfig(), FactoryContext("ask"))

    async def on_request(self, exchange: Exchange) -> Response:
        raise AssertionError("a provider was asked")


async def told(*filters: Filter[Any], on_error: Any = "fail", **asked: Any) -> Explanation:
    links = [
        link(one, id=f"f{number}", name="does", on_error=on_error)
        for number, one in enumerate(filters)
    ]
    body = asked.pop("body", json.dumps(BODY).encode())
    request = request_of(body, headers={"authorization": f"Bearer {SECRET}"}, **asked)
    return await explain(Chain([*links, link(Ask(), id="ask", name="ask")]), request)


def put(*facts: object) -> Does:
    def act(exchange: Exchange) -> None:
        for fact in facts:
            exchange.state.put(fact)

    return Does(act)


async def test_what_chooses_a_model_is_shown_before_and_after() -> None:
    """Candidates, route and pin with their values, in the order of the chain."""

    def route(exchange: Exchange) -> None:
        exchange.state.put(Route("code", 0.75, ("p/b",)))
        exchange.state.replace(Candidates(("p/b", "p/a"), "a", explicit=True))
        exchange.decide("code 0.75", otherwise=["x (0.25) wins above 0.50"], runner_up="x")

    candidates = Candidates(("p/a",), "a", explicit=True)
    found = await told(put(candidates, Pin("p/a", "code")), Does(route))

    changes = [
        (one.kind, one.name, one.how, one.before, one.after)
        for step in found.steps
        for one in step.changes
    ]
    assert changes == [
        ("fact", "Candidates", "added", None, ["p/a"]),
        ("fact", "Pin", "added", None, {"model": "p/a", "route": "code"}),
        ("fact", "Candidates", "changed", ["p/a"], ["p/b", "p/a"]),
        ("fact", "Route", "added", None, {"name": "code", "confidence": 0.75}),
    ]
    assert found.verdict.result == "asked"
    assert found.verdict.models == ("p/b", "p/a")
    assert (found.verdict.route, found.verdict.runner_up) == ("code", "x")
    assert found.otherwise == ("f1: x (0.25) wins above 0.50",)
    assert all(step.seconds >= 0 for step in found.steps)


async def test_what_is_edited_is_named_and_not_shown() -> None:
    """Neither a prompt nor a credential nor a fact of anyone's is in an explanation."""

    def edit(exchange: Exchange) -> None:
        exchange.state.put(Principal(SECRET))
        exchange.request.edit(messages=[SECRET], added=SECRET)
        exchange.request.remove("n")
        exchange.request.headers["x-token"] = SECRET
        del exchange.request.headers["authorization"]

    found = await told(Does(edit))

    assert {(one.kind, one.name, one.how) for one in found.steps[0].changes} == {
        ("fact", "Principal", "added"),
        ("field", "messages", "changed"),
        ("field", "added", "added"),
        ("field", "n", "removed"),
        ("header", "x-token", "added"),
        ("header", "authorization", "removed"),
    }
    assert SECRET not in json.dumps(found.to_dict())


async def test_a_body_that_is_no_json_any_more_is_a_change() -> None:
    """A filter may write what it likes."""

    def spoil(exchange: Exchange) -> None:
        exchange.request.body = b"\xff"

    found = await told(Does(spoil))

    assert [(one.kind, one.name) for one in found.steps[0].changes] == [("request", "body")]


async def test_a_filter_knows_that_it_only_explains_and_is_told_the_end() -> None:
    """What it took for the request it can give back; its response hook does not run."""
    dry: list[bool] = []
    first = Does(lambda exchange: dry.append(exchange.dry_run))
    await told(first, put(Candidates(("p/a",), "a", explicit=True)))

    assert dry == [True]
    assert [one.status for one in first.outcomes] == [200]


async def test_a_refusal_says_who_and_why() -> None:
    """The filters behind it are not reached."""

    def refuse(exchange: Exchange) -> None:
        raise PermissionDenied("not this")

    found = await told(put(), Does(refuse), put(), put())

    assert [(step.filter, step.action, step.error) for step in found.steps] == [
        ("f0", "continue", None),
        ("f1", "reject", "PermissionDenied"),
    ]
    assert found.not_reached == ("f2", "f3")
    verdict = found.verdict
    assert (verdict.result, verdict.by, verdict.status) == ("refused", "f1", 403)
    assert (verdict.code, verdict.message) == ("permission_denied", "not this")


async def test_a_filter_that_fails_is_skipped_or_ends_it() -> None:
    """As its `on_error` says."""

    def fail(exchange: Exchange) -> None:
        raise RuntimeError(SECRET)

    skipped = await told(Does(fail), put(Candidates(("p/a",), "a", explicit=True)), on_error="skip")
    ended = await told(Does(fail))

    assert (skipped.steps[0].action, skipped.verdict.result) == ("skip", "asked")
    assert (ended.verdict.result, ended.verdict.code) == ("refused", "filter_failed")
    assert SECRET not in json.dumps([skipped.to_dict(), ended.to_dict()])


async def test_a_filter_that_answers_is_the_end_and_its_body_is_closed() -> None:
    """Nobody reads a stream that only explains."""
    closed: list[bool] = []

    async def stream() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            yield b"two"
        finally:
            closed.append(True)

    body = stream()

    async def answer() -> Response:
        await anext(body)
        return Response(203, MutableHeaders(), body)

    found = await told(Does(lambda exchange: answer()), put())

    assert (found.verdict.result, found.verdict.by, found.verdict.status) == ("answered", "f0", 203)
    assert closed == [True]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"path": "/v1/nowhere"}, "not_found"),
        ({"path": "/v1/models"}, "method_not_allowed"),
        ({"body": b"{"}, "invalid_json"),
        ({"body": b""}, "invalid_json"),
    ],
)
async def test_what_is_no_request_reaches_no_filter(asked: dict[str, Any], code: str) -> None:
    """The gateway refuses it by itself."""
    found = await told(put(), **asked)

    assert (found.verdict.result, found.verdict.by, found.verdict.code) == ("refused", None, code)
    assert (found.steps, found.not_reached) == ((), ("f0",))


@pytest.mark.parametrize(
    "headers", [{"": "x"}, {"x": "a\nb"}, {"x\r": "a"}, {"ü": "a"}, {"x": "€"}]
)
def test_headers_that_cannot_be_sent_are_refused(headers: dict[str, str]) -> None:
    """They would not reach the gateway."""
    with pytest.raises(ValueError, match="header"):
        request_of(b"{}", headers=headers)


class Settles(Filter[FilterConfig]):
    """Changes its mind when all filters have spoken."""

    async def on_forward(self, exchange: Exchange) -> None:
        if exchange.state.get(Route) is not None:
            exchange.state.withdraw(Route)
            exchange.decide("kept where it was")


async def test_what_is_settled_at_last_is_a_step_of_its_own() -> None:
    """A late hook is shown if it did something, behind the others."""
    candidates = Candidates(("p/a",), "a", explicit=True)
    settles = Settles(FilterConfig(), FactoryContext("settles"))
    routed = await told(settles, put(candidates, Route("code")))
    quiet = await told(settles, put(candidates))

    last = routed.steps[-1]
    assert (last.filter, last.phase, last.decisions[0].text) == (
        "f0",
        "forward",
        "kept where it was",
    )
    assert [(one.name, one.how) for one in last.changes] == [("Route", "removed")]
    assert routed.verdict.route is None
    assert [(step.filter, step.phase) for step in quiet.steps] == [("f1", "request")]
