"""A chain in a test is the gateway's own: its edge, its hooks, its telemetry; only no socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from plano_filters import (
    Candidates,
    ConfigError,
    Exchange,
    Filter,
    FilterConfig,
    Outcome,
    Principal,
    RateLimited,
    Response,
    Served,
)
from plano_filters.testing import FakeClock, chain, make_context, mock_provider

DOCUMENT = """\
version: v0.4.0
model_providers:
  - {model: openai/main, access_key: $KEY, base_url: $URL, default: true}
filters: [alias, upstream]
"""


LAST = """\
from plano_filters import FilterConfig, Response, TerminalFilter


class Last(TerminalFilter[FilterConfig]):
    async def on_request(self, exchange):
        return Response.from_json("last")
"""


class Greeting(Filter[FilterConfig]):
    """Greets in a header, and notes its life."""

    def __init__(self) -> None:
        super().__init__(FilterConfig(), make_context(id="greeting"))
        self.life: list[str] = []

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        self.life.append("started")
        yield
        self.life.append("stopped")

    async def on_request(self, exchange: Exchange) -> None:
        who = exchange.state.get(Principal)
        exchange.decide("greeted", who=who.id if who else "nobody")

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        response.headers["x-hello"] = "hi"

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        self.life.append(f"complete {outcome.status} disconnected={outcome.disconnected}")


class Refusing(Filter[FilterConfig]):
    """Refuses everything."""

    def __init__(self) -> None:
        super().__init__(FilterConfig(), make_context(id="refusing"))

    async def on_request(self, exchange: Exchange) -> None:
        raise RateLimited("too many", headers={"retry-after": "7"})


async def test_a_filter_runs_between_its_start_and_its_stop() -> None:
    """A filter alone is a chain; the mock answers behind it."""
    greeting = Greeting()
    async with chain(greeting, facts=[Principal("ada")]) as running:
        answer = await running.chat("Hello you")

    assert answer.status == 200
    assert answer.headers["x-hello"] == "hi"
    assert "You said: Hello you" in answer.json()["choices"][0]["message"]["content"]
    assert answer.finished
    assert [decision.data for decision in answer.decisions] == [{"who": "ada"}]
    assert greeting.life == ["started", "complete 200 disconnected=False", "stopped"]


async def test_spans_timings_and_metrics_are_there_to_read() -> None:
    """Each exchange has its own spans; each filter has one."""
    async with chain(Greeting()) as running:
        first = await running.chat()
        second = await running.chat()
        requests = running.metric(
            "plano_filter_duration_seconds_count", filter="greeting", phase="request"
        )

    assert [span.name for span in first.spans][-1] == "POST /v1/chat/completions"
    assert "greeting" in " ".join(span.name for span in first.spans)
    assert {s.context.trace_id for s in first.spans if s.context}.isdisjoint(
        {s.context.trace_id for s in second.spans if s.context}
    )
    assert ("greeting", "request") in {(t.filter, t.phase) for t in first.timings}
    assert requests == 2
    assert running.metric("plano_no_such_metric") is None
    assert running.answers == [first, second]


async def test_a_stream_comes_in_events() -> None:
    """What asks for a stream gets one, chunk by chunk, to `[DONE]`."""
    async with chain(Greeting()) as running:
        answer = await running.chat(stream=True)

    assert len(answer.chunks) > 3
    assert answer.events[-1].data == b"[DONE]"
    assert answer.headers["x-hello"] == "hi"


@pytest.mark.parametrize(("leave_after", "status"), [(0, None), (2, 200)])
async def test_a_client_may_leave(leave_after: int, status: int | None) -> None:
    """Before the head or in the middle: the exchange is cancelled, and every filter told."""
    greeting = Greeting()
    async with chain(greeting) as running:
        answer = await running.chat(stream=True, leave_after=leave_after)

    assert answer.status == status
    assert len(answer.chunks) == leave_after
    assert not answer.finished
    assert answer.outcome.disconnected
    assert greeting.life[1] == f"complete {status} disconnected=True"


async def test_exchanges_may_overlap_and_share_an_id() -> None:
    """Each request finds its own exchange, also where the gateway gives it another id."""
    async with chain(Greeting()) as running:
        same = [running.chat(word, headers={"x-request-id": "same"}) for word in ("one", "two")]
        answers = await asyncio.gather(*same, running.chat("three", headers={"x-request-id": "\t"}))

    said = [answer.exchange.request.payload["messages"][0]["content"] for answer in answers]
    assert said == ["one", "two", "three"]


async def test_an_answer_can_be_given() -> None:
    """A function makes one for each exchange, which filters may then change."""
    async with chain(Greeting(), answer=lambda _: Response.from_json("mine", status=201)) as one:
        answers = [await one.chat() for _ in range(2)]

    assert [(a.status, a.body, a.headers["x-hello"]) for a in answers] == [
        (201, b'"mine"', "hi")
    ] * 2


async def test_a_refusal_is_an_answer() -> None:
    """As for a client: a status, an error in its dialect, headers."""
    async with chain([Greeting(), Refusing()]) as running:
        answer = await running.chat()

    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    assert answer.json()["error"]["message"] == "too many"
    assert answer.headers["x-hello"] == "hi"


async def test_a_list_of_links_is_a_chain() -> None:
    """As text or as values; the installed filters, with a provider that needs no key."""
    for links in ("- alias\n- upstream", ["alias", "upstream"], {"filters": ["alias", "upstream"]}):
        whole = {"model_providers": [{"model": "mock/echo", "default": True}], "version": "v0.4.0"}
        given = {**whole, **links} if isinstance(links, dict) else links
        async with chain(given) as running:
            answer = await running.chat()

        assert answer.status == 200, links
        served = answer.fact(Served)
        assert served is not None
        assert served.model == "mock/echo"


async def test_a_chain_of_yaml_without_an_end_is_answered_by_the_mock() -> None:
    """`alias` alone leaves its fact, and somebody answers."""
    async with chain("- alias") as running:
        answer = await running.chat()

    candidates = answer.fact(Candidates)
    assert candidates is not None
    assert candidates.models == ("mock/echo",)
    assert answer.status == 200


async def test_the_mocks_headers_are_those_of_a_server() -> None:
    """Each name once, in lower case, so that filters find them."""
    async with chain([Greeting()]) as running:
        answer = await running.chat()
    names = [name for name, _ in answer.headers.raw]

    assert answer.headers["content-type"] == "application/json"
    assert len(names) == len(set(names))
    assert all(name == name.lower() for name in names)


async def test_a_document_reaches_a_provider_over_a_socket() -> None:
    """With variables of its own, and none of the process's."""
    async with mock_provider() as provider:
        env = {"KEY": "sk-test", "URL": provider.base_url}
        async with chain(DOCUMENT, env=env) as running:
            answer = await running.chat(stream=True)

    assert answer.status == 200
    assert answer.events[-1].data == b"[DONE]"
    assert provider.requests[0].headers["authorization"] == "Bearer sk-test"


async def test_a_file_is_a_chain(tmp_path: Path) -> None:
    """With filters in files beside it, one of them the last."""
    (tmp_path / "last.py").write_text(LAST, encoding="utf-8")
    document = tmp_path / "chain.yaml"
    document.write_text(
        "version: v0.4.0\nmodel_providers: [{model: mock/echo}]\n"
        "filters: [alias, {use: './last.py:Last'}]\n",
        encoding="utf-8",
    )
    async with chain(document) as running:
        answer = await running.chat(model="echo")

    assert answer.json() == "last"


async def test_metrics_know_the_models_of_a_document() -> None:
    """Declared models have labels of their own, as in the gateway."""
    name = "gen_ai_server_request_duration_seconds_count"
    async with chain("- alias\n- upstream") as running:
        await running.chat()
        known = running.metric(name, gen_ai_request_model="mock/echo")
        other = running.metric(name, gen_ai_request_model="other")

    assert (known, other) == (1, None)


async def test_mistakes_in_a_document_are_named() -> None:
    """With line and column, as `validate` does."""
    with pytest.raises(ConfigError, match='did you mean "fallback"'):
        async with chain("filters:\n  - alias: {falback: [default]}\nversion: v0.4.0\n"):
            pass


async def test_facts_are_for_filters() -> None:
    """A document's filters provide theirs; saying otherwise is an error, not ignored."""
    with pytest.raises(ValueError, match="facts="):
        async with chain("- alias", facts=[Principal("me")]):
            pass


async def test_an_answer_that_nobody_would_hear_is_refused() -> None:
    """A chain that ends with `upstream` never asks another."""
    with pytest.raises(ValueError, match='"upstream" always answers'):
        async with chain("- alias\n- upstream", answer=Response.from_json({})):
            pass


async def test_the_clock_is_the_tests() -> None:
    """Filters of a document wait on it, and so do not wait."""
    clock = FakeClock()
    async with chain("- alias\n- upstream: {attempts: 2}", clock=clock) as running:
        answer = await running.chat(headers={"x-mock-status": "429,200"})

    assert answer.status == 200
    assert len(clock.slept) == 1


async def test_filters_and_entries_do_not_mix() -> None:
    """What is compiled and what is built already are two kinds of chain."""
    with pytest.raises(TypeError, match="either of filters, or of entries"):
        async with chain(["alias", Greeting()]):
            pass
