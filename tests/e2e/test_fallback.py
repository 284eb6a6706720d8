"""Retry and fallback: a failed try is made good before the client sees a byte, never after."""

from __future__ import annotations

import time
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from tests.e2e.conftest import Stand, read_into
from tests.support import behaviours
from tests.support.provider import Behaviour

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
TWICE_FAILED = [
    pytest.param(behaviours.status(429), id="429"),
    pytest.param(behaviours.status(500), id="500"),
    pytest.param(behaviours.status(529), id="529"),
    pytest.param(behaviours.hang_up(), id="reset"),
    pytest.param(behaviours.html(), id="html"),
    pytest.param(behaviours.short(), id="short"),
]


@pytest.mark.parametrize("failure", TWICE_FAILED)
async def test_two_failures_lead_to_the_next_provider(stand: Stand, failure: Behaviour) -> None:
    """After its tries of one model the gateway asks the next, and says so."""
    stand.main.default = failure
    raw = await stand.sdk.chat.completions.with_raw_response.create(model="main", messages=HELLO)

    assert raw.headers["x-plano-model"] == "groq/backup"
    assert raw.headers["x-plano-attempts"] == "3"
    assert raw.headers["x-plano-fallback-from"] == "openai/main"
    assert len(stand.main.requests) == 2
    assert stand.backup.requests[0].target == "/openai/v1/chat/completions"
    assert stand.backup.requests[0].json["model"] == "backup"


async def test_one_failure_is_made_good_by_the_same_model(stand: Stand) -> None:
    """A second try of the same model mends a blip."""
    stand.main.script(behaviours.status(503))
    raw = await stand.sdk.chat.completions.with_raw_response.create(model="main", messages=HELLO)

    assert raw.headers["x-plano-model"] == "openai/main"
    assert raw.headers["x-plano-attempts"] == "2"
    assert stand.main.requests[0].body == stand.main.requests[1].body


@pytest.mark.parametrize("model", ["openai/refused", "openai/nowhere"])
async def test_a_provider_that_cannot_be_reached(stand: Stand, model: str) -> None:
    """Connection refused and a name that does not resolve lead to the next model."""
    raw = await stand.sdk.chat.completions.with_raw_response.create(model=model, messages=HELLO)

    assert raw.headers["x-plano-model"] == "openai/main"
    assert raw.headers["x-plano-fallback-from"] == model


@pytest.mark.parametrize(
    "silence",
    [behaviours.stall(), behaviours.stall(head=True)],
    ids=["before the head", "before the first event"],
)
async def test_a_provider_that_says_nothing(stand: Stand, silence: Behaviour) -> None:
    """No first byte in time: the connection is closed, and another candidate answers."""
    stand.main.default = silence
    raw = await stand.sdk.chat.completions.with_raw_response.create(
        model="main", messages=HELLO, stream=True
    )
    await raw.http_response.aclose()

    assert raw.headers["x-plano-model"] == "groq/backup"
    for request in stand.main.requests:
        await request.disconnected.wait()


async def test_a_stream_that_begins_with_an_error(stand: Stand) -> None:
    """An error as the first event is a failed try: nothing has been sent to the client yet."""
    stand.main.default = behaviours.sse([b'data: {"error": {"message": "overloaded"}}\n\n'])
    stream = await stand.sdk.chat.completions.create(model="main", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]

    assert chunks[0].model == "backup"


async def test_a_short_retry_after_is_waited_for(stand: Stand) -> None:
    """The same model is asked again, not before the time the provider asked for."""
    stand.main.script(behaviours.status(429, {"retry-after-ms": "300"}))
    started = time.monotonic()
    raw = await stand.sdk.chat.completions.with_raw_response.create(model="main", messages=HELLO)

    assert time.monotonic() - started >= 0.3
    assert raw.headers["x-plano-model"] == "openai/main"


async def test_a_long_retry_after_is_not_waited_for(stand: Stand) -> None:
    """Rather than wait a minute, the next candidate is asked at once."""
    stand.main.script(behaviours.status(429, {"retry-after": "60"}))
    raw = await stand.sdk.chat.completions.with_raw_response.create(model="main", messages=HELLO)

    assert raw.headers["x-plano-model"] == "groq/backup"
    assert len(stand.main.requests) == 1


async def test_an_empty_account_is_not_asked_twice(stand: Stand) -> None:
    """`insufficient_quota` is no matter of waiting."""
    error = {"message": "no money", "type": "insufficient_quota", "code": "insufficient_quota"}
    stand.main.default = behaviours.json({"error": error}, 429)
    raw = await stand.sdk.chat.completions.with_raw_response.create(model="main", messages=HELLO)

    assert raw.headers["x-plano-attempts"] == "2"
    assert raw.headers["x-plano-model"] == "groq/backup"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_wrong_request_is_not_tried_again(stand: Stand, status: int) -> None:
    """What is wrong with the request stays wrong elsewhere."""
    stand.main.default = behaviours.status(status)
    with pytest.raises(openai.APIStatusError):
        await stand.sdk.chat.completions.create(model="main", messages=HELLO)

    assert (len(stand.main.requests), len(stand.backup.requests)) == (1, 0)


async def test_a_client_can_refuse_a_fallback(stand: Stand) -> None:
    """With `x-plano-fallback: off` only the model that was named is asked."""
    stand.main.default = behaviours.status(500)
    with pytest.raises(openai.InternalServerError):
        await stand.sdk.chat.completions.create(
            model="main", messages=HELLO, extra_headers={"x-plano-fallback": "off"}
        )

    assert (len(stand.main.requests), len(stand.backup.requests)) == (2, 0)


@pytest.mark.parametrize("reset", [True, False], ids=["RST", "FIN"])
async def test_nothing_is_tried_again_after_the_first_byte(stand: Stand, reset: bool) -> None:
    """A stream that breaks off is an error for the client, and no second request to anybody."""
    stand.main.default = behaviours.cut(after=2, reset=reset)
    stream = await stand.sdk.chat.completions.create(model="main", messages=HELLO, stream=True)
    seen: list[ChatCompletionChunk] = []
    with pytest.raises(openai.APIError):
        await read_into(seen, stream)

    assert [chunk.choices[0].delta.content for chunk in seen] == ["", "Hello "]
    assert (len(stand.main.requests), len(stand.backup.requests)) == (1, 0)


async def test_a_stream_that_breaks_before_its_first_event(stand: Stand) -> None:
    """Here nothing has been sent, so another try is made."""
    stand.main.script(behaviours.cut(after=0, reset=True))
    stream = await stand.sdk.chat.completions.create(model="main", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]

    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len(stand.main.requests) == 2
