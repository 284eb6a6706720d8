"""Streams that end early, on either side; silence; slow readers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from tests.e2e.conftest import Stand, read_into
from tests.support import behaviours
from tests.support.answers import chat_events
from tests.support.provider import Behaviour, Reply, echo

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
STREAM = {"model": "main", "stream": True}
CHAT = "/v1/chat/completions"


async def test_a_client_that_leaves_a_stream_cancels_the_provider(stand: Stand) -> None:
    """The provider's connection is closed while it still has everything to say."""
    stand.main.script(behaviours.endless())
    stream = await stand.sdk.chat.completions.create(model="main", messages=HELLO, stream=True)
    await anext(aiter(stream))
    await stream.close()

    async with asyncio.timeout(5):
        await stand.main.requests[0].disconnected.wait()


async def test_a_client_that_leaves_before_the_answer_cancels_the_provider(stand: Stand) -> None:
    """The same for a client that gives up waiting, streamed or not."""
    stand.main.default = behaviours.stall()
    asking = asyncio.create_task(stand.sdk.chat.completions.create(model="main", messages=HELLO))
    request = await stand.main.request()
    asking.cancel()

    async with asyncio.timeout(5):
        await request.disconnected.wait()
    assert len(stand.main.requests) == 1


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(behaviours.cut(after=2, reset=True), id="reset"),
        pytest.param(behaviours.cut(after=2, reset=False), id="fin"),
        pytest.param(behaviours.bad_chunk(), id="bad chunk"),
        pytest.param(behaviours.no_done(), id="no last event"),
    ],
)
async def test_a_stream_that_ends_wrongly_ends_with_an_error(
    stand: Stand, ending: Behaviour
) -> None:
    """The SDK raises `APIError`, after the pieces that came; the stream is never cleanly ended."""
    stand.main.script(ending)
    stream = await stand.sdk.chat.completions.create(model="main", messages=HELLO, stream=True)
    chunks: list[ChatCompletionChunk] = []
    with pytest.raises(openai.APIError):
        await read_into(chunks, stream)

    assert len(chunks) >= 2
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks)


async def test_an_error_event_is_the_last_and_whole(stand: Stand) -> None:
    """On the wire: whole events, then one error event, no `[DONE]`, no end of the message."""
    stand.main.script(behaviours.cut(after=3, reset=True))
    chunks: list[bytes] = []
    async with stand.http.stream("POST", CHAT, json=STREAM) as answer:
        with pytest.raises(httpx.RemoteProtocolError):
            await read_into(chunks, answer.aiter_raw())

    received = b"".join(chunks)
    *events, last = received.removesuffix(b"\n\n").split(b"\n\n")
    assert [event + b"\n\n" for event in events] == chat_events("cut")[:3]
    assert last.startswith(b'data: {"error":')
    assert b"[DONE]" not in received


async def test_a_stream_without_its_last_blank_line_is_complete(stand: Stand) -> None:
    """`[DONE]` without the blank line behind it still counts."""
    events = chat_events("main")
    stand.main.script(behaviours.sse([*events[:-1], events[-1].rstrip(b"\n")]))
    stream = await stand.sdk.chat.completions.create(model="main", messages=HELLO, stream=True)

    chunks = [chunk async for chunk in stream]
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_a_silent_stream_is_kept_open_by_comments(stand: Stand) -> None:
    """While the provider thinks, comments go to the client, and no SDK sees them."""
    stand.main.script(behaviours.pause(before=2, seconds=1.0), behaviours.pause(2, 1.0))
    raw = await stand.http.post(CHAT, json=STREAM)
    stream = await stand.sdk.chat.completions.create(model="main", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]

    assert raw.content.replace(b": keep-alive\n\n", b"") == b"".join(chat_events("pausing"))
    assert b": keep-alive\n\n" in raw.content
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_a_stream_that_falls_silent_is_ended(stand: Stand) -> None:
    """Past the idle limit the client gets an error event, and the provider is left."""
    stand.main.script(behaviours.stall(after=2))
    stream = await stand.sdk.chat.completions.create(model="main", messages=HELLO, stream=True)
    with pytest.raises(openai.APIError, match="silent"):
        await read_into([], stream)

    await stand.main.requests[0].disconnected.wait()


async def test_a_slow_reader_slows_the_provider(stand: Stand) -> None:
    """What a client does not read is not piled up in the gateway: the provider has to wait."""
    big = b'data: {"choices":[],"pad":"' + b"x" * 65_000 + b'"}\n\n'
    stand.main.script(behaviours.sse([big] * 2_000))
    host, _, port = stand.gateway.url.removeprefix("http://").partition(":")
    body = b'{"model":"main","stream":true}'
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n"
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    )
    request = await stand.main.request()
    sent = -1
    async with asyncio.timeout(20):
        while sent != request.events_sent:  # until it stands still
            sent = request.events_sent
            await asyncio.sleep(0.5)
    assert await reader.read(12) == b"HTTP/1.1 200"
    writer.transport.abort()

    assert 0 < sent < 1_000
    async with asyncio.timeout(5):
        await request.disconnected.wait()


async def test_clients_that_leave_cost_nothing_in_the_end(stand: Stand) -> None:
    """After a hundred clients that left, no connection is held and everybody is served."""
    stand.main.default = behaviours.endless()
    before = open_files(stand)

    async def leave(number: int) -> None:
        async with stand.http.stream("POST", CHAT, json=STREAM) as answer:
            if number % 2:
                chunks = answer.aiter_raw()
                await anext(chunks)

    for _ in range(5):
        await asyncio.gather(*(leave(number) for number in range(20)))
    async with asyncio.timeout(10):
        for request in stand.main.requests:
            await request.disconnected.wait()

    stand.main.default = echo
    answers = await asyncio.gather(
        *(stand.http.post(CHAT, json={"model": "main"}) for _ in range(30))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len(stand.main.requests) == 130
    # Idle connections to the provider and of this client stay open, at most thirty each.
    assert open_files(stand) <= before + 60


def open_files(stand: Stand) -> int:
    """Return how many files and sockets the gateway has open; 0 where that cannot be seen."""
    folder = Path(f"/proc/{stand.gateway.process.pid}/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


async def test_many_streams_at_once_do_not_mix(stand: Stand) -> None:
    """Thirty streams, each with its own text, arrive each at its own reader."""

    async def repeat(reply: Reply) -> None:
        text = json.loads(reply.request.body)["messages"][0]["content"]
        await behaviours.sse(chat_events("main", text), delay=0.002)(reply)

    stand.main.default = repeat

    async def ask(number: int) -> str:
        said = f"number {number} says {number}"
        messages: list[Any] = [{"role": "user", "content": said}]
        stream = await stand.sdk.chat.completions.create(
            model="main", messages=messages, stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    answers = await asyncio.gather(*(ask(number) for number in range(30)))
    assert answers == [f"number {number} says {number} " for number in range(30)]
