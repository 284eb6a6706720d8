"""The cache in a chain."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from plano_filters import (
    Attempts,
    ConfigError,
    Cost,
    Exchange,
    MutableHeaders,
    Principal,
    Response,
    UpstreamFailed,
    Usage,
)
from plano_filters.testing import (
    FakeClock,
    chain,
    conformance,
    exercise,
    make_context,
    make_exchange,
)
from plano_filters_prompt_cache import Lookup, PromptCache, PromptCacheConfig

LINKS = "- prompt_cache: {ttl: 60s}\n- alias\n- upstream"
NO_DELAY = {"x-mock-delay-ms": "0"}

test_conformance = conformance.tests(PromptCache, {"ttl": "60s"})
test_conformance_in_single_flight = conformance.tests(PromptCache, {"single_flight": True})


def cache(clock: FakeClock | None = None, **options: Any) -> PromptCache:
    """Return a cache on a fake clock."""
    return PromptCache(PromptCacheConfig(**options), make_context(clock=clock))


async def test_the_second_answer_comes_from_memory() -> None:
    """Byte for byte, and nobody was asked for it: no try, no tokens, no cost."""
    async with chain(LINKS) as running:
        first = await running.chat(headers=NO_DELAY)
        second = await running.chat(headers=NO_DELAY)
        hits = running.metric("prompt_cache_requests_total", result="hit")

    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("miss", "hit")
    assert second.body == first.body
    assert second.headers["x-plano-attempts"] == "0"
    assert second.headers["x-plano-cost-usd"] == "0"
    assert second.headers["x-plano-model"] == first.headers["x-plano-model"]
    attempts = second.fact(Attempts)
    assert attempts is not None
    assert len(attempts) == 0
    assert second.fact(Usage) is None
    assert second.fact(Cost) == Cost(0.0, "cache", None)
    assert "answered from memory, 0 s old" in [decision.text for decision in second.decisions]
    assert hits == 1


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("second", [False, True])
async def test_it_is_told_in_the_form_that_is_asked_for(
    path: str, first: bool, second: bool
) -> None:
    """A stream again, or a document, whichever came first: what it says is the same."""
    body = {"messages": [{"role": "user", "content": "Hi"}], "input": "Hi", "max_tokens": 99}

    async def ask(stream: bool) -> Any:
        return await running.request({**body, "stream": stream}, path=path)

    async with chain(cache()) as running:
        await ask(first)
        answer = await ask(second)
    async with chain(cache()) as running:
        usual = await ask(second)

    assert answer.headers["x-cache"] == "hit"
    assert answer.headers["content-type"].startswith(usual.headers["content-type"])
    assert said(answer.body, second) == said(usual.body, second)
    if second:
        assert answer.events[-1].name == usual.events[-1].name


def said(body: bytes, stream: bool) -> str:
    """Return the text of an answer, of any dialect."""
    documents = [json.loads(body)] if not stream else [
        json.loads(line.removeprefix(b"data: "))
        for line in body.splitlines()
        if line.startswith(b"data: {")
    ]  # fmt: skip
    text = ""
    for one in documents:
        for choice in one.get("choices", ()):
            text += (choice.get("message") or choice.get("delta")).get("content") or ""
        for item in (one, *one.get("output", ())):
            text += "".join(part["text"] for part in item.get("content", ()))
        delta = one.get("delta", "")
        text += delta if isinstance(delta, str) else delta.get("text", "")
    return text


async def test_a_cached_stream_of_tools_can_be_read_by_a_client() -> None:
    """What is passed to a tool comes complete, with its name and id, once."""
    tools = [{"type": "function", "function": {"name": "look", "parameters": {
        "type": "object", "properties": {"where": {"type": "string"}}}}}]  # fmt: skip
    async with chain(cache()) as running:
        plain = await running.chat(tools=tools)
        streamed = await running.chat(tools=tools, stream=True)
    call = plain.json()["choices"][0]["message"]["tool_calls"][0]
    deltas = [json.loads(one.data)["choices"][0]["delta"] for one in streamed.events[:-1]]

    assert streamed.headers["x-cache"] == "hit"
    assert [one["tool_calls"] for one in deltas if "tool_calls" in one] == [[{"index": 0, **call}]]


async def test_nobody_gets_what_was_said_to_another() -> None:
    """Neither by principal nor, where nobody is known, by credential."""
    made = cache()
    for person, expected in (("ann", "miss"), ("bob", "miss"), ("ann", "hit")):
        async with chain(made, facts=[Principal(person)]) as running:
            assert (await running.chat()).headers["x-cache"] == expected
    async with chain(cache()) as running:
        for token in ("Bearer one", "Bearer two"):
            answer = await running.chat(headers={"authorization": token})
            assert answer.headers["x-cache"] == "miss"


async def test_cache_control_is_respected() -> None:
    """`no-store` is neither read nor kept; `no-cache` asks anew, and keeps the answer."""
    async with chain(cache()) as running:
        seen = [
            (await running.chat(headers={"cache-control": control})).headers["x-cache"]
            for control in ("no-store", "", "no-store", "no-cache", "max-age=0")
        ]

    assert seen == ["bypass", "miss", "bypass", "miss", "hit"]


async def test_answers_that_are_meant_to_differ_are_not_kept() -> None:
    """Unless the configuration says so."""
    async with chain(cache()) as running:
        assert (await running.chat(temperature=0.5)).headers["x-cache"] == "bypass"
    async with chain(cache(sampled=True)) as running:
        await running.chat(temperature=0.5)
        assert (await running.chat(temperature=0.5)).headers["x-cache"] == "hit"


async def test_it_is_forgotten_in_time() -> None:
    """By the gateway's clock; until then its age is told."""
    clock = FakeClock()
    async with chain(cache(clock, ttl=60)) as running:
        await running.chat()
        await clock.sleep(59)
        young = await running.chat()
        await clock.sleep(1)
        old = await running.chat()

    assert (young.headers["x-cache"], young.headers["age"]) == ("hit", "59")
    assert old.headers["x-cache"] == "miss"


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (201, {}, b"{}"),
        (500, {}, b"{}"),
        (200, {"cache-control": "no-store"}, b"{}"),
        (200, {}, b"no document"),
        (200, {}, b"[]"),
        (200, {}, b'{"a": "' + b"x" * 100 + b'"}'),
    ],
)
async def test_other_answers_are_not_kept(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    """Only whole, good, small ones that may be."""
    async with chain(
        cache(max_answer_bytes=100),
        answer=lambda exchange: Response(status, MutableHeaders(headers), body),
    ) as running:
        seen = [(await running.chat()).headers["x-cache"] for _ in range(2)]

    assert seen == ["miss", "miss"]


async def test_a_stream_that_breaks_is_not_kept() -> None:
    """Nor is one whose client left."""

    async def broken() -> AsyncIterator[bytes]:
        yield b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
        raise UpstreamFailed("gone")

    def answer(exchange: Exchange) -> Response:
        return Response(200, MutableHeaders({"content-type": "text/event-stream"}), broken())

    async with chain(cache(), answer=answer) as running:
        seen = [(await running.chat(stream=True)).headers["x-cache"] for _ in range(2)]
    async with chain(cache()) as running:
        await running.chat(stream=True, leave_after=2)
        after = await running.chat(stream=True)

    assert seen == ["miss", "miss"]
    assert after.headers["x-cache"] == "miss"


async def test_vectors_are_kept_too() -> None:
    """They have no other form."""
    async with chain(cache()) as running:
        first, second = [
            await running.request({"input": "Hi", "stream": True}, path="/v1/embeddings")
            for _ in range(2)
        ]

    assert second.headers["x-cache"] == "hit"
    assert second.json() == first.json()


async def test_an_explanation_changes_nothing() -> None:
    """It says what would come from memory, counts nothing, and keeps nobody waiting."""
    made = cache(single_flight=True)
    counted = made.context.meter.registry.get_sample_value
    kept = Response.from_json({"id": "kept"})
    await exercise(made, make_exchange({"messages": []}), answer=kept)
    for body, hit in (({"messages": []}, True), ({"messages": [], "n": 1}, False)):
        exchange = make_exchange(body)
        exchange.dry_run = True

        assert (await made.on_request(exchange) is not None) is hit
        assert exchange.state[Lookup].flight is None
    assert counted("prompt_cache_requests_total", {"result": "hit"}) is None
    assert counted("prompt_cache_requests_total", {"result": "miss"}) == 1


async def test_a_decision_is_not_cached() -> None:
    """Whoever asks only which model to take is told anew each time."""
    async with chain(LINKS) as running:
        answer = await running.request({"messages": []}, path="/routing/v1/chat/completions")

    assert "x-cache" not in answer.headers
    assert answer.fact(Lookup) is None


async def test_a_misspelt_option_is_refused() -> None:
    """With the place and a suggestion, before anything starts."""
    with pytest.raises(ConfigError, match='did you mean "ttl"'):
        async with chain("- prompt_cache: {tll: 60s}\n- alias\n- upstream"):
            pass
