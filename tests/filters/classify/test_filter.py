"""What `classify` does to an exchange, with a router that says what it is told to say."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import httpx
import pytest

from plano_builtin_filters.classify import Classify, ClassifyConfig
from plano_builtin_filters.classify.routers.protocol import (
    Question,
    Reason,
    RouteOption,
    RouterFailed,
    Scores,
    Turn,
)
from plano_builtin_filters.classify.wiring import wire
from plano_filters import (
    Candidates,
    Exchange,
    FactoryContext,
    Pin,
    Registry,
    Response,
    Route,
    Services,
    compile_chain,
    load_text,
)
from plano_filters.testing import FakeClock, exercise, make_context, make_exchange

MAIN, CLAUDE, LLAMA = "openai/gpt-4o", "anthropic/claude", "groq/llama"
SECRET = "sk-aaaaaaaa"
TEXT = """
version: v0.4.0
listeners: [{name: m, type: model}]
model_providers:
  - {model: openai/gpt-4o, access_key: sk-aaaaaaaa, default: true}
  - {model: anthropic/claude, access_key: sk-aaaaaaaa}
  - {model: groq/llama, access_key: sk-aaaaaaaa}
routing_preferences:
  - name: code
    description: writing and debugging code
    models: [anthropic/claude, openai/gpt-4o]
  - {name: poems, description: verses and rhymes, models: [groq/llama]}
filters: [alias, classify, upstream]
"""
NOT_EXPLICIT = TEXT + "routing: {override_explicit: false}\n"
NO_TABLE = TEXT.replace("routing_preferences:", "x:").split("x:", maxsplit=1)[0]
PROMPT = "a prompt that nobody else may see"
USER = {"role": "user", "content": PROMPT}
CODE = Scores((0.8, 0.15), 0.05)
INLINE = [{"name": "sums", "description": "adding up", "models": ["llama"]}]


@dataclass
class FakeRouter:
    """Answers every question in the same way."""

    answer: Scores | Exception = CODE
    asked: list[Question] = field(default_factory=list)
    prepared: list[tuple[RouteOption, ...]] = field(default_factory=list)

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        yield

    async def prepare(self, routes: tuple[RouteOption, ...]) -> None:
        self.prepared.append(routes)

    async def route(self, question: Question) -> Scores:
        self.asked.append(question)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def describe(self) -> str:
        return "fake (a test)"


@dataclass
class Stand:
    """A filter with its router."""

    filter: Classify
    router: FakeRouter

    async def run(self, exchange: Exchange) -> Response:
        return await exercise(self.filter, exchange)

    def count(self, name: str, **labels: str) -> float:
        """Return what an instrument says of the embedded router."""
        registry = self.filter.context.meter.registry
        return registry.get_sample_value(name, {"router": "embedded", **labels}) or 0.0


@asynccontextmanager
async def standing(
    answer: Scores | Exception = CODE, text: str = TEXT, **config: Any
) -> AsyncGenerator[Stand]:
    """Start a filter whose chain finds a router of ours in its place."""
    context = make_context(load_text(text, env={}).document, id="classify")
    made = ClassifyConfig.model_validate(config)
    router = FakeRouter(answer)
    async with context.shared.use(wire(made, context).key, lambda: router):
        under_test = Classify(made, context)
        async with under_test.lifespan():
            yield Stand(under_test, router)


def asking(
    messages: Any = (USER,), *, explicit: bool = False, facts: Any = (), **more: Any
) -> Exchange:
    """Return an exchange as `alias` leaves it."""
    path = more.pop("path", "/v1/chat/completions")
    headers = more.pop("headers", None)
    said = "input" if path.endswith("responses") else "messages"
    body = {"model": "gpt-4o" if explicit else "auto", said: list(messages), **more}
    before = Candidates((MAIN, LLAMA), "gpt-4o" if explicit else "", explicit)
    return make_exchange(body, path=path, headers=headers, facts=[before, *facts])


async def run(
    exchange: Exchange, answer: Scores | Exception = CODE, text: str = TEXT, **config: Any
) -> FakeRouter:
    """Run one exchange; return the router that was asked, or was not."""
    async with standing(answer, text, **config) as stand:
        await stand.run(exchange)
    return stand.router


def told(exchange: Exchange) -> str:
    """Return the one decision, without the time it took."""
    (decision,) = exchange.decisions
    assert json.dumps(decision.data, allow_nan=False)
    return decision.text


def untouched(exchange: Exchange) -> bool:
    """Say whether the request goes on as it came."""
    return exchange.state.get(Route) is None and exchange.state[Candidates].models == (MAIN, LLAMA)


async def test_a_request_goes_to_the_models_of_its_route() -> None:
    """They are the first candidates, what stood there is the fallback, and the route is a fact."""
    exchange = asking()

    router = await run(exchange)

    assert exchange.state[Route] == Route("code", 0.8, (CLAUDE, MAIN), "none")
    assert exchange.state[Candidates].models == (CLAUDE, MAIN, LLAMA)
    assert router.asked == [
        Question(
            (Turn("user", PROMPT),),
            (
                RouteOption("code", "writing and debugging code"),
                RouteOption("poems", "verses and rhymes"),
            ),
        )
    ]


async def test_a_decision_says_what_and_why() -> None:
    """In words for the log, in numbers for machines."""
    exchange = asking()

    await run(exchange)

    assert told(exchange).startswith("code 0.80, then poems 0.15 (embedded, ")
    data = exchange.decisions[0].data
    seconds = data.pop("seconds")
    assert isinstance(seconds, float)
    assert data == {
        "outcome": "routed",
        "route": "code",
        "confidence": 0.8,
        "runner_up": "poems",
        "margin": 0.65,
        "needed": 0.0,
        "router": "embedded",
        "scores": {"code": 0.8, "poems": 0.15, "other": 0.05},
    }


@pytest.mark.parametrize(
    ("scores", "config", "text", "outcome"),
    [
        (Scores((0.2, 0.1), 0.7), {}, "no route fits 0.70, then code 0.20", "other"),
        (CODE, {"min_confidence": 0.9}, "code 0.80 is below 0.9, then poems 0.15", "unsure"),
        (Scores((0.0, 0.0), 1.0, calibrated=False), {}, "no route fits", "other"),
    ],
)
async def test_without_a_route_a_request_goes_on_as_it_came(
    scores: Scores, config: dict[str, Any], text: str, outcome: str
) -> None:
    """None fits, or none is sure enough: that is a decision too, and it is counted."""
    exchange = asking()

    async with standing(scores, **config) as stand:
        await stand.run(exchange)

    assert untouched(exchange)
    assert told(exchange).startswith(f"{text} (embedded, ")
    assert exchange.decisions[0].data["route"] is None
    assert stand.count("plano_router_decisions_total", outcome=outcome) == 1


async def test_a_router_without_numbers_has_a_route_without_confidence() -> None:
    """Its word is taken, whatever confidence is asked for."""
    exchange = asking()

    await run(exchange, Scores((0.0, 1.0), 0.0, calibrated=False), min_confidence=0.9)

    assert exchange.state[Route] == Route("poems", None, (LLAMA,), "none")
    assert told(exchange).startswith("poems (embedded, ")


@pytest.mark.parametrize(
    ("text", "explicit", "more", "asked"),
    [
        (TEXT, True, {}, True),  # as in Plano, whose demos all name a model
        (TEXT, False, {}, True),
        (NOT_EXPLICIT, True, {}, False),
        (NOT_EXPLICIT, False, {}, True),
        (NOT_EXPLICIT, True, {"routing_preferences": INLINE}, True),  # who brings a table means it
    ],
)
async def test_a_model_that_the_client_names(
    text: str, explicit: bool, more: dict[str, Any], asked: bool
) -> None:
    """The document says whether a route overrides it."""
    exchange = asking(explicit=explicit, **more)

    router = await run(exchange, Scores((0.9,), 0.1) if more else CODE, text)

    assert bool(router.asked) == asked
    assert untouched(exchange) != asked
    assert asked or told(exchange) == "not routed: the request names a model"


async def test_a_table_in_the_request_replaces_the_documents() -> None:
    """The router sees its routes, and the provider does not see it: all other bytes stay."""
    body = (
        b'{ "messages":[{"role":"user","content":"2\\u002b2"}], "routing_preferences" : '
        + json.dumps(INLINE).encode()
        + b',\n "seed": 12345678901234567890 }'
    )
    exchange = make_exchange(body, facts=[Candidates((MAIN,), "", explicit=False)])

    router = await run(exchange, Scores((0.9,), 0.1))

    assert router.asked[0].routes == (RouteOption("sums", "adding up"),)
    assert exchange.state[Candidates].models == (LLAMA, MAIN)
    assert exchange.request.body == (
        b'{ "messages":[{"role":"user","content":"2\\u002b2"}],\n "seed": 12345678901234567890 }'
    )


async def test_an_older_table_counts_as_a_modern_one() -> None:
    """It is said so, and the provider does not see it."""
    kinds = [{"name": "sums", "description": "adding up"}]
    exchange = asking(routing_policy=[{"model": "llama", "routing_preferences": kinds}])

    await run(exchange, Scores((0.9,), 0.1))

    assert exchange.state[Route].name == "sums"
    assert exchange.state[Candidates].models == (LLAMA, MAIN)
    assert exchange.decisions[0].text == (
        "routing_policy is read as routing_preferences, which took its place"
    )
    assert b"routing_policy" not in exchange.request.body


@pytest.mark.parametrize("text", [TEXT, NO_TABLE])
async def test_a_table_in_the_request_needs_none_in_the_document(text: str) -> None:
    """With or without preferences of its own, a gateway routes by those of a request."""
    exchange = asking(routing_preferences=INLINE)

    await run(exchange, Scores((0.9,), 0.1), text)

    assert exchange.state[Route].name == "sums"


@pytest.mark.parametrize("explicit", [True, False])
async def test_an_empty_table_turns_routing_off(explicit: bool) -> None:
    """For this request; the field does not reach the provider."""
    exchange = asking(routing_preferences=[], explicit=explicit)

    router = await run(exchange)

    assert router.asked == []
    assert untouched(exchange)
    assert told(exchange) == "not routed: the request says so"
    assert b"routing_preferences" not in exchange.request.body


async def test_null_is_no_table() -> None:
    """The document's holds, and the field is taken out all the same."""
    exchange = asking(routing_preferences=None)

    await run(exchange)

    assert exchange.state[Route].name == "code"
    assert b"routing_preferences" not in exchange.request.body


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
async def test_a_wrong_table_is_the_clients_mistake(path: str) -> None:
    """An error 400 in its dialect names the field, and no model is asked."""
    exchange = asking(routing_preferences=[{**INLINE[0], "models": ["lama"]}], path=path)

    async with standing() as stand:
        response = await stand.run(exchange)

    assert isinstance(response.body, bytes)
    assert response.status == 400
    assert 'routing_preferences[0].models: the model \\"lama\\" is not declared; did you mean' in (
        response.body.decode()
    )
    assert stand.router.asked == []


async def test_without_preferences_nothing_happens() -> None:
    """No question, no decision, no warming up."""
    exchange = asking()

    router = await run(exchange, text=NO_TABLE)

    assert (router.asked, router.prepared, exchange.decisions) == ([], [], [])
    assert untouched(exchange)


@pytest.mark.parametrize("inline", [{}, {"routing_preferences": INLINE}])
async def test_a_pinned_session_is_left_alone(inline: dict[str, Any]) -> None:
    """Whoever pinned it has decided."""
    exchange = asking(facts=[Pin(LLAMA)], **inline)

    router = await run(exchange)

    assert (router.asked, told(exchange)) == ([], "not routed: the session is pinned")
    assert b"routing_preferences" not in exchange.request.body


async def test_only_routes_that_speak_the_dialect_are_asked_about() -> None:
    """Of each the models that can serve are left."""
    text = TEXT.replace("groq/llama", "chatgpt/codex")
    text = text.replace("[anthropic/claude, openai/gpt-4o]", "[chatgpt/codex, anthropic/claude]")
    exchange = asking(path="/v1/messages")

    router = await run(exchange, Scores((0.9,), 0.1), text)

    assert router.asked[0].names == ("code",)
    assert exchange.state[Candidates].models == (CLAUDE, MAIN, LLAMA)
    assert exchange.state[Route].models == (CLAUDE,)


async def test_without_a_route_that_speaks_the_dialect_nobody_is_asked() -> None:
    """The decision says so."""
    text = TEXT.replace("groq/llama", "chatgpt/codex")
    codex = [{**INLINE[0], "models": ["codex"]}]
    exchange = asking(path="/v1/messages", routing_preferences=codex)

    router = await run(exchange, text=text)

    assert router.asked == []
    assert told(exchange) == "not routed: no route has a model that speaks messages"


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "system", "content": PROMPT}],
        [{"role": "user", "content": [IMAGE]}],
        [{"role": "user", "content": "  \n"}],
        [{"role": "assistant", "content": PROMPT}],
    ],
)
async def test_a_request_without_words_of_the_user(messages: list[Any]) -> None:
    """There is nothing to route by: it goes on as it came."""
    exchange = asking(messages)

    router = await run(exchange)

    assert (router.asked, untouched(exchange)) == ([], True)
    assert told(exchange) == "nothing to route by: the user wrote no text"


async def test_images_do_not_count() -> None:
    """The words beside them do."""
    exchange = asking([{"role": "user", "content": [IMAGE, {"type": "text", "text": "draw"}]}])

    router = await run(exchange)

    assert router.asked[0].turns == (Turn("user", "draw"),)


async def test_the_loop_of_an_agent_stays_where_it_is() -> None:
    """The result of a tool is no new question: the answer to the user's words is remembered."""
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages: list[Any] = [USER]
    exchanges = []
    async with standing() as stand:
        for step in range(3):
            exchanges.append(asking(messages, tools=[]))
            await stand.run(exchanges[-1])
            messages += [
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "1", "content": f"result {step}"},
            ]

    assert len(stand.router.asked) == 1
    assert [exchange.state[Route].name for exchange in exchanges] == ["code"] * 3
    assert told(exchanges[2]) == "code 0.80, then poems 0.15 (embedded, remembered)"
    assert exchanges[2].decisions[0].data["seconds"] is None
    assert stand.count("plano_router_decisions_total", outcome="routed") == 3
    assert stand.count("plano_router_seconds_count") == 1


async def test_decisions_need_not_be_remembered() -> None:
    """With `cache_entries: 0` each request is a question."""
    async with standing(cache_entries=0) as stand:
        for _ in range(2):
            await stand.run(asking())

    assert len(stand.router.asked) == 2


async def test_another_table_is_another_question() -> None:
    """The same words with routes of the request's own are not answered from memory."""
    async with standing() as stand:
        await stand.run(asking())
        stand.router.answer = Scores((0.9,), 0.1)
        exchange = asking(routing_preferences=INLINE)
        await stand.run(exchange)

    assert exchange.state[Route].name == "sums"
    assert len(stand.router.asked) == 2


async def test_the_session_is_told_to_the_router() -> None:
    """A causal model need not read a conversation again from its start."""
    router = await run(asking(headers={"x-model-affinity": "session-1"}))

    assert router.asked[0].session == "session-1"


@pytest.mark.parametrize("reason", get_args(Reason))
@pytest.mark.parametrize("explicit", [True, False])
async def test_a_router_that_fails_is_in_nobodys_way(reason: Reason, explicit: bool) -> None:
    """The request goes on as it came; the decision says why, and it is counted by its reason."""
    exchange = asking(explicit=explicit)

    async with standing(RouterFailed(reason, "of a test")) as stand:
        response = await stand.run(exchange)

    assert response.status == 200
    assert untouched(exchange)
    assert told(exchange) == "not routed: embedded router, of a test"
    assert exchange.decisions[0].data == {"router": "embedded", "reason": reason}
    assert stand.count("plano_router_failures_total", reason=reason) == 1
    assert stand.count("plano_router_seconds_count") == 0


async def test_a_router_that_breaks_is_in_nobodys_way_either(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What nobody expected is an `error`; the log says where, and does not repeat its words."""
    exchange = asking()

    async with standing(ValueError(PROMPT)) as stand:
        response = await stand.run(exchange)

    assert (response.status, untouched(exchange)) == (200, True)
    assert told(exchange) == "not routed: embedded router, ValueError"
    assert stand.count("plano_router_failures_total", reason="error") == 1
    assert "a router failed: ValueError" in caplog.text
    assert PROMPT not in caplog.text


async def test_a_failure_is_not_remembered() -> None:
    """The next request asks again."""
    exchange = asking()
    async with standing(RouterFailed("deadline", "too slow")) as stand:
        await stand.run(asking())
        stand.router.answer = CODE
        await stand.run(exchange)

    assert exchange.state[Route].name == "code"


@pytest.mark.parametrize(
    ("path", "method"),
    [("/v1/embeddings", "POST"), ("/v1/models", "GET"), ("/v1/unknown", "POST")],
)
async def test_other_endpoints_are_not_routed(path: str, method: str) -> None:
    """There is no conversation, and no fact of `alias` is needed."""
    exchange = make_exchange({"input": PROMPT}, path=path, method=method)

    router = await run(exchange)

    assert (router.asked, exchange.decisions) == ([], [])


@pytest.mark.parametrize("answer", [CODE, RouterFailed("deadline", "too slow"), KeyError(PROMPT)])
async def test_neither_prompts_nor_secrets_are_told(
    answer: Scores | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in a decision, not in the log at its most talkative, not in a metric."""
    caplog.set_level(logging.DEBUG)
    exchange = asking(headers={"authorization": f"Bearer {SECRET}"})

    async with standing(answer) as stand:
        await stand.run(exchange)
        metrics = [str(one) for one in stand.filter.context.meter.registry.collect()]

    written = caplog.text + repr(exchange.decisions) + "".join(metrics)
    assert PROMPT not in written
    assert SECRET not in written


async def test_the_router_is_prepared_and_the_table_looked_at(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At the start, so that an operator and the first request find out nothing new."""
    caplog.set_level(logging.INFO)
    vague = TEXT.replace("writing and debugging code", "stuff")

    async with standing(text=vague) as stand:
        prepared = list(stand.router.prepared)

    assert prepared == [(RouteOption("code", "stuff"), RouteOption("poems", "verses and rhymes"))]
    assert "routing by preferences: fake (a test)" in caplog.text
    assert '"code": the description is too short to tell it from others' in caplog.text


async def test_two_chains_share_a_router() -> None:
    """Before and after a reload the same model answers."""
    async with standing() as stand:
        context = replace(stand.filter.context, id="after")
        after = Classify(ClassifyConfig(min_confidence=0.5), context)
        async with after.lifespan():
            await exercise(after, asking())

    assert len(stand.router.asked) == 1


class Provider(httpx.AsyncBaseTransport):
    """All providers: each answers with the status of its host, 200 unless told; remembers who
    was asked."""

    def __init__(self, statuses: dict[str, int] | None = None) -> None:
        self._statuses = statuses or {}
        self.hosts: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        self.hosts.append(host)
        return httpx.Response(self._statuses.get(host, 200), json={"choices": []})


async def served(exchange: Exchange, provider: Provider, answer: Scores = CODE) -> Response:
    """Run an exchange through the whole chain of a document."""
    loaded = load_text(TEXT, env={})
    services = Services(transport=lambda: provider, clock=FakeClock())
    chain = compile_chain(loaded.document, Registry.from_entry_points(), loaded.report, services)
    loaded.report.raise_errors()
    router = FakeRouter(answer)
    key = wire(ClassifyConfig(), FactoryContext("classify", loaded.document)).key
    async with services.shared.use(key, lambda: router), chain.lifespan():
        return await chain.run(exchange)


def request(**headers: str) -> Exchange:
    """Return a request that no filter has seen."""
    return make_exchange({"messages": [USER]}, headers=headers)


@pytest.mark.parametrize(
    ("answer", "route", "confidence", "host"),
    [
        (CODE, "code", "0.800", "api.anthropic.com"),
        (Scores((0.0, 1.0), 0.0, calibrated=False), "poems", None, "api.groq.com"),
        (Scores((0.1, 0.1), 0.8), None, None, "api.openai.com"),
    ],
)
async def test_the_response_says_the_route(
    answer: Scores, route: str | None, confidence: str | None, host: str
) -> None:
    """Its name, and the confidence where there is one."""
    provider = Provider()

    response = await served(request(), provider, answer)

    assert response.headers.get("x-plano-route") == route
    assert response.headers.get("x-plano-route-confidence") == confidence
    assert provider.hosts == [host]


async def test_a_route_that_fails_falls_back() -> None:
    """Through its models to those of the request, and the answer says from where."""
    provider = Provider({"api.anthropic.com": 500})

    response = await served(request(), provider)

    assert (response.status, response.headers["x-plano-model"]) == (200, MAIN)
    assert response.headers["x-plano-fallback-from"] == CLAUDE
    assert response.headers["x-plano-route"] == "code"
    assert list(dict.fromkeys(provider.hosts)) == ["api.anthropic.com", "api.openai.com"]


async def test_a_client_may_want_no_fallback() -> None:
    """With `x-plano-fallback: off` the best model of the route is the only one."""
    provider = Provider({"api.anthropic.com": 500})

    response = await served(request(**{"x-plano-fallback": "off"}), provider)

    assert response.status == 500
    assert set(provider.hosts) == {"api.anthropic.com"}
