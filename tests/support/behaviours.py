"""What a scripted provider may do with a request; each is given to `FakeProvider.script`."""

from __future__ import annotations

import asyncio
import json as jsonlib
from typing import Any

from tests.support.answers import chat_events, error_document
from tests.support.provider import Behaviour, Reply


def answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> Behaviour:
    """Answer with these bytes."""

    async def play(reply: Reply) -> None:
        await reply.whole(status, body, headers)

    return play


def json(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Behaviour:
    """Answer with a JSON document."""
    return answer(status, jsonlib.dumps(document).encode(), headers)


def status(code: int, headers: dict[str, str] | None = None) -> Behaviour:
    """Answer with an error of OpenAI's shape."""
    return json(error_document(code), code, headers)


def sse(events: list[bytes], delay: float = 0.0) -> Behaviour:
    """Stream these events, some seconds apart, and end properly."""

    async def play(reply: Reply) -> None:
        await reply.stream_head()
        await reply.events(events, delay)
        await reply.end()

    return play


def stall(after: int = 0, *, head: bool = False) -> Behaviour:
    """Fall silent for ever: before the head, after it, or after so many events."""

    async def play(reply: Reply) -> None:
        if head or after:
            await reply.stream_head()
        await reply.events(chat_events("stalling")[:after])
        await asyncio.Event().wait()

    return play


def endless(delay: float = 0.01) -> Behaviour:
    """Stream for ever."""

    async def play(reply: Reply) -> None:
        await reply.stream_head()
        while True:
            await reply.events(chat_events("endless")[1:2], delay)

    return play


def pause(before: int, seconds: float) -> Behaviour:
    """Stream a whole completion, silent for a while before the event of this number."""

    async def play(reply: Reply) -> None:
        events = chat_events("pausing")
        await reply.stream_head()
        await reply.events(events[:before])
        await asyncio.sleep(seconds)
        await reply.events(events[before:])
        await reply.end()

    return play


def cut(after: int, *, reset: bool) -> Behaviour:
    """Break a stream off after so many events, in the middle of the next, by RST or FIN."""

    async def play(reply: Reply) -> None:
        events = chat_events("cut")
        await reply.stream_head()
        await reply.events(events[:after])
        if after:
            await asyncio.sleep(0.05)  # else the error is seen with the events, and a try is free
        await reply.send(b"ff\r\n" + events[after][:20])
        reply.cut(reset=reset)

    return play


def short() -> Behaviour:
    """Promise more bytes than come."""

    async def play(reply: Reply) -> None:
        await reply.head(200, {"content-type": "application/json", "content-length": "1000"})
        await reply.send(b'{"id": "chatcmpl-')
        reply.cut(reset=False)

    return play


def bad_chunk() -> Behaviour:
    """Send two events, then a chunk whose size is no number."""

    async def play(reply: Reply) -> None:
        await reply.stream_head()
        await reply.events(chat_events("bad")[:2])
        await asyncio.sleep(0.05)  # else the error is seen with the events, and a try is free
        await reply.send(b"xyz\r\nno chunk\r\n")
        reply.cut(reset=False)

    return play


def html() -> Behaviour:
    """Answer 200 with a web page, as a captive proxy does."""
    return answer(200, b"<html><body>Sign in</body></html>", {"content-type": "text/html"})


def no_done() -> Behaviour:
    """End a stream properly, but without its last events."""
    return sse(chat_events("undone")[:3])


def hang_up() -> Behaviour:
    """Close the connection instead of answering."""

    async def play(reply: Reply) -> None:
        reply.cut(reset=True)

    return play
