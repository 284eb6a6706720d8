"""Conversations by `previous_response_id`: the official SDK, real sockets, a real Redis."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.conftest import read_into
from tests.support import behaviours
from tests.support.answers import (
    chat_document,
    message_events,
    response_document,
    response_events,
    tool_call_document,
)
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.provider import Behaviour, FakeProvider, Reply
from tests.support.redis import redis_server

KEYS = ("sk-of-ann-0123456789", "sk-of-bob-0123456789")
PASSWORD = "hush-hush-0123456789"
DOCUMENT = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers:
  - {model: vllm/one, base_url: $ONE_URL, default: true}
  - {model: openai/two, base_url: $TWO_URL, access_key: sk-provider-0123456789}
  - {model: deepseek/chat, base_url: $ONE_URL, access_key: sk-provider-0123456789}
  - {model: anthropic/claude, base_url: $TWO_URL, access_key: sk-provider-0123456789}
routing_preferences: [{name: x, description: anything at all, models: [openai/two, vllm/one]}]
state_storage: {type: memory}
filters:
  - auth: {keys: [{id: ann, key: $ANN}, {id: bob, key: $BOB}]}
  - alias
  - conversation_state
  - upstream: {attempts: 1}
"""
SHARED = DOCUMENT.replace("{type: memory}", "{type: redis, connection_string: $REDIS_URL}").replace(
    "  - conversation_state\n", "  - conversation_state: {deadline: 20s}\n"
)


@dataclass(frozen=True, slots=True)
class Stand:
    """Gateways in front of the same two providers, and their clients."""

    gateways: list[RunningGateway]
    one: FakeProvider
    """Speaks Responses, and keeps nothing."""
    two: FakeProvider
    """Keeps its responses, if it says so."""
    ann: list[openai.AsyncOpenAI]
    """A client of each gateway."""
    bob: openai.AsyncOpenAI
    """Somebody else, at the first."""


@asynccontextmanager
async def standing(text: str, gateways: int = 1, redis: str = "") -> AsyncGenerator[Stand]:
    """Start gateways, providers and clients."""
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(FakeProvider().serve()) for _ in range(2)]
        one.default = two.default = either
        ann, bob = KEYS
        env = {
            "ONE_URL": one.url, "TWO_URL": two.url, "REDIS_URL": redis, "ANN": ann, "BOB": bob,
        }  # fmt: skip
        started = [await stack.enter_async_context(run_gateway(text, env)) for _ in range(gateways)]

        async def client(gateway: RunningGateway, key: str) -> openai.AsyncOpenAI:
            made = openai.AsyncOpenAI(
                base_url=f"{gateway.url}/v1", api_key=key, max_retries=0, timeout=30
            )
            return await stack.enter_async_context(made)

        anns = [await client(gateway, ann) for gateway in started]
        yield Stand(started, one, two, anns, await client(started[0], bob))


async def either(reply: Reply) -> None:
    """Answer in the dialect of the path."""
    chat = reply.request.target.endswith("/chat/completions")
    await behaviours.json(chat_document("m") if chat else response_document("m"))(reply)


def says(text: str, **more: Any) -> Behaviour:
    """Answer with a response that says a text."""
    return behaviours.json({**response_document("m", text), **more})


def texts(provider: FakeProvider) -> list[Any]:
    """Return the texts of the input that a provider got last."""
    found = []
    for item in provider.requests[-1].json["input"]:
        content = item["content"]
        found.append(content if isinstance(content, str) else content[0]["text"])
    return found


async def test_turns_follow_one_another() -> None:
    """Plain and streamed in turn; the provider, which knows no ids, gets the whole each time."""
    async with standing(DOCUMENT) as stand:
        [sdk], one = stand.ann, stand.one
        one.script(says("re a"), behaviours.sse(response_events("m")), says("re c"))
        first = await sdk.responses.create(model="one", input="a")
        assert first.output_text == "re a"

        stream = await sdk.responses.create(
            model="one", input="b", previous_response_id=first.id, stream=True
        )
        begun, *deltas, ended = [event async for event in stream]
        assert begun.type == "response.created"
        assert ended.type == "response.completed"
        assert [event.type for event in deltas] == ["response.output_text.delta"] * 2
        second = ended.response
        assert begun.response.id == second.id
        assert second.previous_response_id == first.id

        third = await sdk.responses.create(model="one", input="c", previous_response_id=second.id)
        assert texts(one) == ["a", "re a", "b", second.output_text, "c"]
        assert len({first.id, second.id, third.id}) == 3
        assert "previous_response_id" not in one.requests[-1].json

        [gateway] = stand.gateways
        gateway.process.send_signal(signal.SIGHUP)
        await gateway.line_with("configuration, generation 2", where=gateway.stderr, seconds=30)
        await sdk.responses.create(model="one", input="d", previous_response_id=third.id)
        assert texts(one)[-2:] == ["re c", "d"]


async def test_a_conversation_changes_providers() -> None:
    """The one that keeps its response is asked by its id; when it fails, the next gets it all."""
    async with standing(DOCUMENT) as stand:
        [sdk], one, two = stand.ann, stand.one, stand.two
        two.script(says("re a", id="resp_kept", store=True), says("re b"), behaviours.status(500))
        first = await sdk.responses.create(model="two", input="a")
        assert first.id == "resp_kept"

        await sdk.responses.create(model="two", input="b", previous_response_id=first.id)
        sent = two.requests[-1].json
        assert (sent["input"], sent["previous_response_id"]) == ("b", "resp_kept")

        last = await sdk.responses.create(model="two", input="c", previous_response_id=first.id)
        assert two.requests[-1].json["previous_response_id"] == "resp_kept"
        assert texts(one) == ["a", "re a", "c"]
        assert last.id.startswith("resp_plano_")


async def test_an_unknown_response_is_openais_error() -> None:
    """Of somebody else, too; no provider is asked, and the SDK does not try again."""
    async with standing(DOCUMENT) as stand:
        [sdk] = stand.ann
        first = await sdk.responses.create(model="one", input="a")
        retrying = stand.bob.with_options(max_retries=2)
        with pytest.raises(openai.BadRequestError) as caught:
            await retrying.responses.create(model="one", input="b", previous_response_id=first.id)
        assert caught.value.code == "previous_response_not_found"
        assert caught.value.param == "previous_response_id"
        assert len(stand.one.requests) == 1

        await sdk.responses.create(model="one", input="b", previous_response_id="resp_elsewhere")
        assert stand.one.requests[-1].json["previous_response_id"] == "resp_elsewhere"


async def test_what_was_not_answered_to_its_end_cannot_be_continued() -> None:
    """Neither a stream that broke off, nor one that the client left."""
    async with standing(DOCUMENT) as stand:
        [sdk], one = stand.ann, stand.one
        one.script(behaviours.sse(response_events("m")[:2]), holding(response_events("m")[:2]))
        broken: list[Any] = []
        with pytest.raises(openai.APIError):
            await read_into(broken, await sdk.responses.create(model="one", input="a", stream=True))
        async with await sdk.responses.create(model="one", input="a", stream=True) as stream:
            broken.append(await anext(aiter(stream)))
        await one.requests[-1].disconnected.wait()

        for event in (broken[0], broken[-1]):
            assert event.type == "response.created"
            with pytest.raises(openai.BadRequestError):
                await sdk.responses.create(
                    model="one", input="b", previous_response_id=event.response.id
                )


def holding(events: list[bytes]) -> Behaviour:
    """Stream some events, then nothing."""

    async def play(reply: Reply) -> None:
        await reply.stream_head()
        await reply.events(events)
        await reply.request.disconnected.wait()

    return play


async def test_two_gateways_share_conversations_and_tell_nobody() -> None:
    """By Redis; what was said is in no log, no metric and no dump, nor is the password."""
    async with (
        redis_server(password=PASSWORD) as redis,
        standing(SHARED, 2, redis.url) as stand,
    ):
        here, there = stand.ann
        stand.one.script(says("private-answer"))
        first = await here.responses.create(model="one", input="private-question")
        await there.responses.create(model="one", input="more", previous_response_id=first.id)
        assert texts(stand.one) == ["private-question", "private-answer", "more"]
        with pytest.raises(openai.BadRequestError):
            await stand.bob.responses.create(
                model="one", input="more", previous_response_id=first.id
            )

        line = json.loads(await stand.gateways[1].line_with("continued: 2 items before 1"))
        assert "conversation_state: kept for 86400 s" in line["decisions"]
        await redis.stop()
        with pytest.raises(openai.InternalServerError) as caught:
            await there.responses.create(model="one", input="x", previous_response_id=first.id)
        assert caught.value.status_code == 503
        assert caught.value.code == "state_unavailable"
        lost = await there.responses.create(model="one", input="private-question")
        assert lost.model_dump()["store"] is False
        async with httpx.AsyncClient(trust_env=False) as http:
            admin = stand.gateways[0].admin_url
            pages = [(await http.get(f"{admin}{path}")).text for path in ("/metrics", "/-/config")]
        logs = [line for one in stand.gateways for line in (*one.stdout, *one.stderr)]
        written = "".join([*pages, *logs])

    assert "plano_conversation_state_writes_total" in written
    assert "connection_string: $REDIS_URL" in written or '"$REDIS_URL"' in written
    assert "private" not in written
    assert PASSWORD not in written


ALONE = {"x-plano-fallback": "off"}
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}


async def test_a_tool_loop_goes_from_one_dialect_to_another() -> None:
    """Asked at a chat provider, answered with the tool's result at Anthropic's API, streamed."""
    async with standing(DOCUMENT) as stand:
        [sdk], one, two = stand.ann, stand.one, stand.two
        one.script(behaviours.json(tool_call_document("m")))
        asked = await sdk.responses.create(model="chat", input="weather in Oslo?", tools=[WEATHER])
        [call] = [item for item in asked.output if item.type == "function_call"]
        assert one.requests[-1].target == "/v1/chat/completions"

        two.script(behaviours.sse(message_events("m")))
        output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
        async with sdk.responses.stream(
            model="claude", input=[output], tools=[WEATHER], previous_response_id=asked.id
        ) as stream:
            told = await stream.until_done()
            answer = await told.get_final_response()
        assert answer.output_text == "Hello there"
        user, called, result = two.requests[-1].json["messages"]
        assert user == {"role": "user", "content": [{"type": "text", "text": "weather in Oslo?"}]}
        assert called["content"][0]["input"] == {"city": "Oslo"}
        assert result["content"][0]["content"] in ("rain", [{"type": "text", "text": "rain"}])

        await sdk.responses.create(model="chat", input="thanks", previous_response_id=answer.id)
        roles = [message["role"] for message in one.requests[-1].json["messages"]]
        assert roles == ["user", "assistant", "tool", "assistant", "user"]
        assert one.requests[-1].json["messages"][-1]["content"] == "thanks"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"previous_response_id": "resp_elsewhere"}, "previous_response_id"),
    ],
)
async def test_other_kinds_of_state_are_refused_where_the_provider_has_none(
    more: dict[str, Any], param: str
) -> None:
    """By the name of the parameter; nobody is asked."""
    async with standing(DOCUMENT) as stand:
        [sdk] = stand.ann
        with pytest.raises(openai.BadRequestError) as caught:
            await sdk.responses.create(model="chat", input="hi", extra_headers=ALONE, **more)

        assert caught.value.param == param
        assert stand.one.requests == []
        await sdk.responses.create(model="one", input="hi", **more)
        assert stand.one.requests[-1].json[param] == more[param]


async def test_without_state_storage_nothing_is_continued() -> None:
    """A clear error, which names the parameter."""
    text = DOCUMENT.replace("state_storage: {type: memory}\n", "")
    async with standing(text.replace("  - conversation_state\n", "")) as stand:
        [sdk] = stand.ann
        first = await sdk.responses.create(model="chat", input="hi")
        with pytest.raises(openai.BadRequestError) as caught:
            await sdk.responses.create(
                model="chat", input="on", previous_response_id=first.id, extra_headers=ALONE
            )

        assert caught.value.param == "previous_response_id"
        assert len(stand.one.requests) == 1


async def test_a_response_itself_is_not_served() -> None:
    """A 404 that the SDK understands."""
    async with standing(DOCUMENT) as stand:
        [sdk] = stand.ann
        first = await sdk.responses.create(model="one", input="hi")
        for ask in (sdk.responses.retrieve, sdk.responses.delete):
            with pytest.raises(openai.NotFoundError, match="no such endpoint"):
                await ask(first.id)


ROUTED = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers:
  - {model: mock/plain, default: true}
  - {model: mock/coder}
  - {model: mock/writer}
routing_preferences:
  - name: code generation
    description: writing, explaining and debugging programs, scripts and queries
    models: [mock/coder]
  - name: creative writing
    description: stories, poems, slogans and other imaginative text
    models: [mock/writer]
state_storage: {type: memory}
"""


async def test_the_router_sees_the_whole_conversation() -> None:
    """A last line that says nothing by itself goes where the talk belongs; the chain is Plano's."""
    async with run_gateway(ROUTED) as gateway:
        sdk = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0)
        async with sdk:

            async def ask(text: str, previous: str | None = None) -> tuple[str | None, str]:
                raw = await sdk.responses.with_raw_response.create(
                    model="auto", input=text, previous_response_id=previous
                )
                return raw.headers.get("x-plano-route"), raw.parse().id

            for beginning, route in (
                ("Write a Python function that sorts a list of numbers.", "code generation"),
                ("Write a poem about the sea.", "creative writing"),
            ):
                found, response_id = await ask(beginning)
                assert found == route
                assert (await ask("Again, please.", response_id))[0] == route
            assert (await ask("Again, please."))[0] is None
