"""Of several that ask the same at the same time, one asks the model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from plano_filters import Exchange, MutableHeaders, Response
from plano_filters.testing import Answered, chain, make_context
from plano_filters_prompt_cache import PromptCache, PromptCacheConfig


def cache(*, single_flight: bool) -> PromptCache:
    """Return a cache."""
    return PromptCache(PromptCacheConfig(single_flight=single_flight), make_context())


def said(answer: Answered) -> str:
    """Return the text of a streamed chat."""
    chunks = [json.loads(one.data) for one in answer.events if one.data != b"[DONE]"]
    return "".join(one["choices"][0]["delta"].get("content") or "" for one in chunks)


class Slow:
    """An answer that waits until it is let go, and counts who asks."""

    def __init__(self, status: int = 200) -> None:
        self.asked, self.status = 0, status
        self.go = asyncio.Event()

    def __call__(self, exchange: Exchange) -> Response:
        self.asked += 1
        headers = MutableHeaders({"content-type": "text/event-stream"})
        return Response(self.status, headers, self._stream())

    async def _stream(self) -> AsyncIterator[bytes]:
        await self.go.wait()
        yield b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
        yield b"data: [DONE]\n\n"


@pytest.mark.parametrize(("single", "asked"), [(True, 1), (False, 5)])
async def test_of_several_at_once_one_asks(single: bool, asked: int) -> None:
    """With `single_flight`; the others wait and get its answer."""
    slow = Slow()
    async with chain(cache(single_flight=single), answer=slow) as running:
        asking = [asyncio.create_task(running.chat(stream=True)) for _ in range(5)]
        for _ in range(20):
            await asyncio.sleep(0)
        slow.go.set()
        answers = await asyncio.gather(*asking)

    assert slow.asked == asked
    assert {said(answer) for answer in answers} == {"a"}
    hits = [answer.headers["x-cache"] for answer in answers].count("hit")
    assert hits == 5 - asked


async def test_a_failure_lets_the_others_ask_for_themselves() -> None:
    """All at once: what could not be kept is not waited for again."""
    slow = Slow(status=503)
    async with chain(cache(single_flight=True), answer=slow) as running:
        asking = [asyncio.create_task(running.chat(stream=True)) for _ in range(5)]
        for _ in range(20):
            await asyncio.sleep(0)
        slow.go.set()
        answers = await asyncio.gather(*asking)

    assert slow.asked == 5
    assert {answer.headers["x-cache"] for answer in answers} == {"miss"}


async def test_one_that_leaves_lets_the_others_go_on() -> None:
    """A client that goes away before its answer holds nobody up."""
    slow = Slow()
    slow.go.set()
    async with chain(cache(single_flight=True), answer=slow) as running:
        gone, answer = await asyncio.gather(
            running.chat(stream=True, leave_after=0), running.chat(stream=True)
        )

    assert gone.status is None
    assert said(answer) == "a"
