"""What a translated stream costs: microseconds of CPU for each event, beside the byte relay.

python -m benchmarks.bench_translation
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from statistics import median
from typing import Any, Final

import uvloop

from benchmarks.machine import description
from plano_builtin_filters.upstream import translated
from plano_builtin_filters.upstream.attempt import Answer
from plano_builtin_filters.upstream.notes import Notes
from plano_builtin_filters.upstream.relay import relay
from plano_builtin_filters.upstream.source import Deadlines
from plano_filters.dialect import Dialect
from plano_filters.mock import core, messages
from plano_filters.sse import Splitter
from plano_filters.translation import Traits, translator

EVENTS: Final = 2_000
ROUNDS: Final = 7
HELLO: Final[list[Any]] = [{"role": "user", "content": "word " * EVENTS}]
REQUESTS: Final[dict[Dialect, dict[str, Any]]] = {
    "chat": {"model": "m", "messages": HELLO, "stream": True},
    "messages": {"model": "m", "messages": HELLO, "max_tokens": 9, "stream": True},
    "responses": {"model": "m", "input": HELLO, "stream": True},
}
PAIRS: Final[tuple[tuple[Dialect, Dialect], ...]] = (
    ("chat", "chat"),
    ("messages", "messages"),
    ("chat", "messages"),
    ("messages", "chat"),
    ("responses", "chat"),
    ("responses", "messages"),
)


def events_of(provider: Dialect) -> list[bytes]:
    """Return a stream of a provider, with as many deltas as are measured."""
    write = core.chat_events if provider == "chat" else messages.events
    first, *rest = write({**REQUESTS[provider], "messages": HELLO}, "m")
    delta = next(event for event in rest if b"You" in event)
    head = rest[: rest.index(delta)]
    tail = rest[-3:] if provider == "messages" else rest[-2:]
    return [first, *head, *[delta] * EVENTS, *tail]


async def chunks(events: list[bytes]) -> AsyncGenerator[bytes]:
    """Give each event on its own, as a provider does that is slower than its relay."""
    for event in events:
        yield event
        await asyncio.sleep(0)


async def microseconds(client: Dialect, provider: Dialect) -> float:
    """Return the CPU time of one event, the median of some rounds."""
    translate = translator(client, provider)
    outgoing = translate(REQUESTS[client], Traits()) if translate and client != provider else None
    events, rounds = events_of(provider), []
    for _ in range(ROUNDS):
        async with AsyncExitStack() as resources:
            answer = Answer(200, [], events[0], chunks(events[1:]), Splitter())
            limits, notes = Deadlines(60, 300, 15), Notes()
            body = relay(answer, provider, limits, notes.events, resources)
            if outgoing is not None:
                stream = translated.Events(outgoing.answers.stream(), provider, client)
                body = translated.stream(body, stream, 15)
            started, size = time.process_time(), 0
            async for block in body:
                size += len(block)
            rounds.append((time.process_time() - started) / len(events) * 1e6)
            if size < EVENTS:
                raise RuntimeError("the stream was not translated")
    return median(rounds)


async def main() -> None:
    """Measure and print."""
    figures = {
        f"{client}_of_{provider}_us": round(await microseconds(client, provider), 2)
        for client, provider in PAIRS
    }
    await asyncio.to_thread(print, json.dumps({**description(), **figures}, indent=1))


if __name__ == "__main__":
    uvloop.run(main())
