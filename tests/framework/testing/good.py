"""Filters as people write them, none of which the kit may take for broken."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import httpx

from plano_filters import (
    Exchange,
    FactoryContext,
    Filter,
    FilterConfig,
    Outcome,
    RateLimited,
    Response,
    TerminalFilter,
)
from plano_filters.messages import MutableHeaders
from plano_filters.sse import Splitter


class Nothing(Filter[FilterConfig]):
    """Do nothing."""


class Cache(Filter[FilterConfig]):
    """Answer what was asked before from memory."""

    def __init__(self, config: FilterConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        self.known: dict[str, tuple[int, bytes]] = {}

    async def on_request(self, exchange: Exchange) -> Response | None:
        found = self.known.get(self.key(exchange))
        if found is None:
            return None
        exchange.decide("from memory")
        return Response(found[0], MutableHeaders({"content-type": "application/json"}), found[1])

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        if isinstance(response.body, bytes) and response.status == 200:
            self.known[self.key(exchange)] = response.status, response.body

    def key(self, exchange: Exchange) -> str:
        return hashlib.sha256(exchange.request.body).hexdigest()


class Redact(Filter[FilterConfig]):
    """Take e-mail addresses out of requests and of streamed events."""

    address = re.compile(rb"[\w.]+@[\w.]+")

    async def on_request(self, exchange: Exchange) -> None:
        messages = exchange.request.payload.get("messages", [])
        hidden = [
            {**m, "content": self.address.sub(b"#", m["content"].encode()).decode()}
            for m in messages
        ]
        exchange.request.edit(messages=hidden)

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        if not isinstance(response.body, bytes):
            response.body = self.redacted(response.body)

    async def redacted(self, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        splitter = Splitter()
        async for chunk in body:
            for event in splitter.feed(chunk):
                yield self.address.sub(b"#", event.raw)
        yield splitter.flush()


class Limit(Filter[FilterConfig]):
    """Let in four at once, and twenty in all."""

    def __init__(self, config: FilterConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        self.places, self.left = asyncio.Semaphore(4), 20

    async def on_request(self, exchange: Exchange) -> None:
        self.left -= 1
        if self.left < 0:
            raise RateLimited("enough")
        await self.places.acquire()
        exchange.resources.callback(self.places.release)


class AsksAround(Filter[FilterConfig]):
    """Ask a service about each request, and count in the background."""

    client: httpx.AsyncClient

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        queue: asyncio.Queue[str] = asyncio.Queue()
        self.queue = queue
        self.client = httpx.AsyncClient(transport=self.context.transport(), trust_env=False)
        async with asyncio.TaskGroup() as group:
            worker = group.create_task(self.work(queue))
            yield
            worker.cancel()

    async def work(self, queue: asyncio.Queue[str]) -> None:
        while True:
            await queue.get()

    async def on_request(self, exchange: Exchange) -> None:
        answer = await self.client.get("http://policy.test/v1/models")
        exchange.decide(f"the policy says {answer.status_code}")

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        await self.queue.put(exchange.id)


class Computes(Filter[FilterConfig]):
    """Compute in threads of its own, and in the loop's."""

    pool: ThreadPoolExecutor

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        with ThreadPoolExecutor(1) as self.pool:
            yield

    async def on_request(self, exchange: Exchange) -> None:
        loop, body = asyncio.get_running_loop(), exchange.request.body
        mine = await loop.run_in_executor(self.pool, hashlib.sha256, body)
        other = await asyncio.to_thread(hashlib.sha256, body)
        exchange.decide(f"{mine.hexdigest() == other.hexdigest()}")


class Refreshes(Filter[FilterConfig]):
    """Refresh what it knows, in a task that the first exchange starts."""

    task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        yield
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])

    async def on_request(self, exchange: Exchange) -> None:
        self.task = self.task or asyncio.create_task(self.refresh())
        await asyncio.sleep(0)

    async def refresh(self) -> None:
        await asyncio.Event().wait()


class Picks(Filter[FilterConfig]):
    """Draw lots, by the random source that it is given."""

    async def on_request(self, exchange: Exchange) -> None:
        exchange.request.edit(model=self.context.random.choice(["a", "b"]))


class Answers(TerminalFilter[FilterConfig]):
    """Answer by itself, in a stream if asked."""

    async def on_request(self, exchange: Exchange) -> Response:
        if exchange.request.stream:
            headers = MutableHeaders({"content-type": "text/event-stream"})
            return Response(200, headers, self.stream())
        return Response.from_json({"ok": True})

    async def stream(self) -> AsyncGenerator[bytes]:
        for number in range(3):
            await asyncio.sleep(0)
            yield b"data: %d\n\n" % number


GOOD: list[type[Filter[Any]]] = [
    Nothing,
    Cache,
    Redact,
    Limit,
    AsksAround,
    Computes,
    Refreshes,
    Picks,
    Answers,
]
"""Filters that must pass."""
