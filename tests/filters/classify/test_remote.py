"""A router model behind an endpoint, over real sockets: answers, failures, deadlines, leaving."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from plano_builtin_filters.classify.routers.prompts import TEMPLATES, TemplateName
from plano_builtin_filters.classify.routers.protocol import (
    OTHER,
    Question,
    RouteOption,
    Router,
    RouterFailed,
    Scores,
    Turn,
)
from plano_builtin_filters.classify.routers.remote import LARGEST, RemoteRouter, endpoint
from plano_builtin_filters.classify.routers.selection import estimate
from plano_filters.transport import UpstreamTransport
from tests.support import behaviours
from tests.support.answers import chat_document
from tests.support.provider import Behaviour, FakeProvider, Reply

KEY = "sk-secret-of-the-router"
PROMPT = "a prompt that nobody else may see"
ROUTES = (RouteOption("code", "writing code"), RouteOption("café talk", "small talk"))
QUESTION = Question((Turn("user", "hi"), Turn("assistant", "hello"), Turn("user", PROMPT)), ROUTES)
CODE = Scores((1.0, 0.0), 0.0, calibrated=False)


@dataclass
class Stand:
    """A router and the endpoint that it asks."""

    endpoint: FakeProvider
    router: Router

    async def ask(self, *script: Behaviour, question: Question = QUESTION) -> Scores:
        """Ask a question; the endpoint plays the script."""
        self.endpoint.script(*script)
        return await self.router.route(question)

    async def fails(self, *script: Behaviour, question: Question = QUESTION) -> tuple[str, str]:
        """Ask a question that gets no answer; return why: reason and detail."""
        with pytest.raises(RouterFailed) as caught:
            await self.ask(*script, question=question)
        detail = str(caught.value)
        assert KEY not in detail
        assert PROMPT not in detail
        assert self.endpoint.url not in detail
        return caught.value.reason, detail

    @property
    def sent(self) -> Any:
        """The body of the last request."""
        return self.endpoint.requests[-1].json


@asynccontextmanager
async def standing(
    template: TemplateName = "arch-router", *, url: str | None = None, **options: Any
) -> AsyncGenerator[Stand]:
    """Serve an endpoint, and a router that asks it."""
    transport = UpstreamTransport()
    async with FakeProvider().serve() as fake:
        given = {"deadline": 5.0, "api_key": KEY, **options}
        router = RemoteRouter(
            url or fake.url, "the-model", TEMPLATES[template], lambda: transport, **given
        )
        async with router.lifespan():
            try:
                yield Stand(fake, router)
            finally:
                await transport.aclose()


def says(text: str) -> Behaviour:
    """Answer with this text."""
    return behaviours.json(chat_document("the-model", text))


@pytest.mark.parametrize(
    ("template", "text", "scores"),
    [
        ("arch-router", '{"route": "code"}', CODE),
        ("arch-router", '{"route": "caf\\u00e9 talk"}', Scores((0.0, 1.0), 0.0, calibrated=False)),
        ("arch-router", '{"route": "other"}', Scores((0.0, 0.0), 1.0, calibrated=False)),
        ("arch-router", '{"route": ["code"]}', CODE),  # the other family's form
        ("plano-orchestrator", '{"route": ["café talk", "code"]}',
         Scores((0.0, 1.0), 0.0, calibrated=False)),
        ("plano-orchestrator", '{"route": []}', Scores((0.0, 0.0), 1.0, calibrated=False)),
        ("plano-orchestrator", '{"route": "code"}', CODE),
    ],
)  # fmt: skip
async def test_good_answers(template: TemplateName, text: str, scores: Scores) -> None:
    """Both families' answers are understood; without probabilities there is no confidence."""
    async with standing(template) as stand:
        assert await stand.ask(says(text)) == scores


@pytest.mark.parametrize("template", ["arch-router", "plano-orchestrator"])
async def test_what_is_asked(template: TemplateName) -> None:
    """One user message with the family's prompt, at temperature 0, with a bounded reply."""
    async with standing(template, headers={"X-Team": "routing"}) as stand:
        await stand.ask(says('{"route": "code"}'))

        [request] = stand.endpoint.requests
        prompt = TEMPLATES[template].prompt(QUESTION.turns, QUESTION.routes).text
        assert (request.method, request.target) == ("POST", "/v1/chat/completions")
        assert request.json == {
            "model": "the-model",
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0,
            "max_tokens": 64,
            "stream": False,
        }
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers["content-type"] == "application/json"
        assert request.headers["accept-encoding"] == "identity"
        assert request.headers["x-team"] == "routing"


async def test_without_a_key_nothing_signs_in() -> None:
    """A local model needs no credential, and gets none."""
    async with standing(api_key=None) as stand:
        await stand.ask(says("code"))

        assert "authorization" not in stand.endpoint.requests[0].headers


async def test_a_configured_header_wins() -> None:
    """A header of the configuration replaces ours of the same name."""
    async with standing(headers={"Authorization": "Basic abc"}) as stand:
        await stand.ask(says("code"))

        assert stand.endpoint.requests[0].headers["authorization"] == "Basic abc"


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://h:8000", "http://h:8000/v1/chat/completions"),
        ("http://h:8000/", "http://h:8000/v1/chat/completions"),
        ("http://h/v1", "http://h/v1/chat/completions"),
        ("https://h/openai/v1/", "https://h/openai/v1/chat/completions"),
        ("https://h/api?version=2", "https://h/api/chat/completions?version=2"),
    ],
)
def test_where_it_is_asked(base_url: str, url: str) -> None:
    """A path replaces the usual prefix; none means `/v1`; a query stays."""
    assert str(endpoint(base_url)[0]) == url


@pytest.mark.parametrize(
    "base_url",
    ["", "localhost:8000", "ftp://h", "http://", "http://[", f"http://u:{KEY}@h", "http://h:port"],
)
def test_an_address_that_is_none_is_refused(base_url: str) -> None:
    """A wrong address is an error at the start, which does not repeat what may be a secret."""
    with pytest.raises(ValueError, match="base_url") as caught:
        endpoint(base_url)

    assert KEY not in str(caught.value)


def test_a_header_with_a_line_break_is_refused() -> None:
    """A value that would begin another header is an error at the start."""
    arch = TEMPLATES["arch-router"]
    with pytest.raises(ValueError, match="x-a") as caught:
        RemoteRouter(
            "http://h", "m", arch, UpstreamTransport, deadline=1, headers={"X-A": f"{KEY}\r\nb: c"}
        )

    assert KEY not in str(caught.value)


async def test_it_says_what_runs_where() -> None:
    """The line for the log has the model, the host and the family, and no secret."""
    async with standing(url=f"https://models.example:8443/v1?key={KEY}") as stand:
        described = stand.router.describe()

    assert described == "remote (the-model at https://models.example:8443, arch-router)"


async def test_a_router_is_used_within_its_lifespan() -> None:
    """Before its lifespan it has no transport, which is a mistake in the program."""
    router = RemoteRouter("http://h", "m", TEMPLATES["arch-router"], UpstreamTransport, deadline=1)
    with pytest.raises(RuntimeError):
        await router.route(QUESTION)


@pytest.mark.parametrize(
    ("template", "route"),
    [
        ("arch-router", {"type": "string", "enum": ["code", "café talk", OTHER]}),
        ("plano-orchestrator",
         {"type": "array", "items": {"type": "string", "enum": ["code", "café talk"]}}),
    ],
)  # fmt: skip
async def test_a_schema_lets_only_routes_through(
    template: TemplateName, route: dict[str, Any]
) -> None:
    """Where the endpoint can, it is told which answers are legal, in the family's form."""
    async with standing(template, structured=True) as stand:
        await stand.ask(says('{"route": "code"}'))

        given = stand.sent["response_format"]
        assert given["type"] == "json_schema"
        assert given["json_schema"]["strict"] is True
        assert given["json_schema"]["schema"]["properties"] == {"route": route}


async def test_probabilities_make_a_confidence() -> None:
    """Where the endpoint tells the probabilities of its tokens, an answer has a confidence."""
    tokens = [
        {"token": text, "logprob": math.log(chance), "bytes": list(text.encode())}
        for text, chance in (('{"route": "', 1.0), ("code", 0.75), ('"}', 1.0))
    ]
    document = chat_document("the-model", '{"route": "code"}')
    document["choices"][0]["logprobs"] = {"content": tokens}
    async with standing(logprobs=True) as stand:
        scores = await stand.ask(behaviours.json(document))

        assert stand.sent["logprobs"] is True
        assert scores.calibrated
        assert scores.routes == pytest.approx((0.75, 0.0))
        assert scores.other == pytest.approx(0.25)


async def test_long_names_have_room_in_the_reply() -> None:
    """However long a route's name is, the bound of a reply leaves room for it."""
    name = "é" * 100
    question = Question((Turn("user", "hi"),), (RouteOption(name, "long"),))
    async with standing("plano-orchestrator") as stand:
        await stand.ask(says(name), question=question)
        assert stand.sent["max_tokens"] >= 200
    async with standing(max_tokens=500) as stand:
        await stand.ask(says(name), question=question)
        assert stand.sent["max_tokens"] == 500


@pytest.mark.parametrize("template", ["arch-router", "plano-orchestrator"])
@pytest.mark.parametrize("character", ["x", "é", "\n", '"', "👍"])
async def test_a_long_conversation_is_cut_to_the_context(
    template: TemplateName, character: str
) -> None:
    """However long the turns are, the prompt stays within the context, and ends with the user."""
    turns = tuple(Turn("user", f"{n}{character * 100_000}") for n in range(3))
    async with standing(template, context=1000) as stand:
        await stand.ask(says("code"), question=Question(turns, ROUTES))

        prompt = stand.sent["messages"][0]["content"]
        assert 900 <= estimate(prompt) <= 1000
        assert '"content": "2' in prompt


async def test_routes_that_fill_the_context_are_an_error() -> None:
    """Where the routes leave no room for the conversation, the model is not even asked."""
    async with standing(context=100) as stand:
        assert (await stand.fails())[0] == "error"
        assert stand.endpoint.requests == []


async def test_half_a_character_can_be_asked() -> None:
    """Text that UTF-8 cannot write is sent with the unwritable part replaced."""
    half = "\ud83d"
    question = Question((Turn("user", half),), (RouteOption(half, half), *ROUTES))
    async with standing("plano-orchestrator", structured=True) as stand:
        assert (await stand.ask(says("code"), question=question)).routes == (0.0, 1.0, 0.0)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_an_error_status_is_no_answer(status: int) -> None:
    """An endpoint that refuses is not available, whatever it says; it is asked once."""
    async with standing() as stand:
        reason, detail = await stand.fails(behaviours.json({"error": {"message": KEY}}, status))

        assert (reason, str(status) in detail) == ("unavailable", True)
        assert len(stand.endpoint.requests) == 1


async def test_a_redirect_is_not_followed() -> None:
    """A redirect could carry prompt and credential elsewhere; it is a failure."""
    async with standing() as stand:
        location = {"location": f"{stand.endpoint.url}/elsewhere"}
        reason, detail = await stand.fails(behaviours.answer(307, b"", location))

        assert reason == "unavailable"
        assert "redirect" in detail
        assert len(stand.endpoint.requests) == 1


@pytest.mark.parametrize(
    "behaviour",
    [
        behaviours.html(),
        behaviours.answer(200, b""),
        behaviours.answer(200, b"{"),
        behaviours.answer(200, b"[" * 100_000),
        behaviours.answer(200, b"\xff\xfe"),
        behaviours.answer(200, b"\x1f\x8b\x08", {"content-encoding": "gzip"}),
        behaviours.json({}),
        behaviours.json({"choices": []}),
        behaviours.json({"choices": [{"message": {"content": None, "tool_calls": []}}]}),
        says(""),
        says(PROMPT),
    ],
)
async def test_garbage_is_no_answer(behaviour: Behaviour) -> None:
    """What is no completion, or names no route, is a failure of the reply."""
    async with standing() as stand:
        assert (await stand.fails(behaviour))[0] == "reply"


async def test_a_huge_answer_is_not_read() -> None:
    """An answer beyond the cap is given up, and its connection closed."""

    async def endless(reply: Reply) -> None:
        await reply.stream_head({"content-type": "application/json"})
        while True:
            await reply.chunk(b" " * (LARGEST // 8))

    async with standing() as stand:
        reason, detail = await stand.fails(endless)

        assert (reason, "256 KiB" in detail) == ("reply", True)
        async with asyncio.timeout(5):
            await stand.endpoint.requests[0].disconnected.wait()


@pytest.mark.parametrize(
    "behaviour", [behaviours.stall(), behaviours.stall(head=True), behaviours.endless()]
)
async def test_a_slow_endpoint_is_left(behaviour: Behaviour) -> None:
    """The deadline covers the whole call, body included; then the connection is closed."""
    async with standing(deadline=0.1) as stand:
        assert (await stand.fails(behaviour))[0] == "deadline"
        async with asyncio.timeout(5):
            await stand.endpoint.requests[0].disconnected.wait()


@pytest.mark.parametrize("behaviour", [behaviours.hang_up(), behaviours.short()])
async def test_a_broken_connection_is_no_answer(behaviour: Behaviour) -> None:
    """An endpoint that hangs up is not available."""
    async with standing() as stand:
        assert (await stand.fails(behaviour))[0] == "unavailable"


async def test_nobody_listens() -> None:
    """A refused connection is an endpoint that is not available."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    async with standing(url=f"http://127.0.0.1:{port}") as stand:
        reason, detail = await stand.fails()

    assert reason == "unavailable"
    assert str(port) not in detail


async def test_leaving_cancels_the_call() -> None:
    """A question that is cancelled closes its connection at once, and raises nothing else."""
    async with standing() as stand:
        stand.endpoint.script(behaviours.stall())
        asking = asyncio.ensure_future(stand.router.route(QUESTION))
        received = await stand.endpoint.request()

        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

        async with asyncio.timeout(5):
            await received.disconnected.wait()


async def test_preparing_asks_nothing() -> None:
    """A routing table alone makes no call: a hosted model is paid for by the call."""
    async with standing() as stand:
        await stand.router.prepare(ROUTES)

        assert stand.endpoint.requests == []


async def test_many_questions_at_once() -> None:
    """Questions do not wait for one another, and a failure of one is none of the next."""
    async with standing() as stand:
        stand.endpoint.default = says('{"route": "code"}')
        answers = await asyncio.gather(*(stand.router.route(QUESTION) for _ in range(20)))
        assert answers == [CODE] * 20

        await stand.fails(behaviours.status(500))
        assert await stand.ask() == CODE
