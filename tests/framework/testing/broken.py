"""A good filter, and filters broken on purpose: each against one check of the kit."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from plano_filters import (
    BadRequest,
    Candidates,
    Exchange,
    FactoryContext,
    Filter,
    FilterConfig,
    Outcome,
    Principal,
    Response,
    Route,
    Unavailable,
)
from plano_filters.config import Secret
from plano_filters.sse import Splitter


class GoodConfig(FilterConfig):
    """What users write."""

    words: int = Field(default=0, ge=0)
    """How many words the last message may have; 0 is any number."""
    key: Secret = Secret("sk-good-0123456789")
    """Signs nothing, but could."""


class Count:
    """A fact of its own: events of a stream."""

    def __init__(self, events: int) -> None:
        self.events = events

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Count) and other.events == self.events

    def __hash__(self) -> int:
        return self.events


class Good(Filter[Any]):
    """Count the events of streams, wait a little, and let few in at once."""

    config_type: ClassVar[type[FilterConfig]] = GoodConfig
    requires: ClassVar[tuple[type, ...]] = (Principal,)
    provides = (Route,)

    def __init__(self, config: Any, context: FactoryContext) -> None:
        super().__init__(config, context)
        self.places = 4
        self.worker: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        self.worker = asyncio.create_task(asyncio.Event().wait(), name="worker")  # type: ignore[arg-type]
        try:
            await asyncio.sleep(0)
            yield
        finally:
            self.worker.cancel()
            await asyncio.wait([self.worker])

    async def on_request(self, exchange: Exchange) -> None:
        self.places -= 1
        if self.places < 0:
            raise Unavailable("all places are taken")
        exchange.request.headers["x-who"] = exchange.state[Principal].id
        await self.context.clock.sleep(0.1)
        exchange.state.put(Route("any"))
        exchange.decide(f"let in by {exchange.state[Route].name}")

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        response.headers["x-exchange"] = exchange.id
        if not isinstance(response.body, bytes):
            response.body = self.counted(exchange, response.body)

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        self.places += 1

    async def counted(
        self, exchange: Exchange, body: AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes]:
        splitter, seen = Splitter(), 0
        async for chunk in body:
            seen += len(splitter.feed(chunk))
            yield chunk
        exchange.state.put(Count(seen))


class Undocumented(Good):
    """filters requests"""


class SilentConfig(GoodConfig):
    """What users write."""

    level: int = 1


class SilentOption(Good):
    """Have an option that nobody describes."""

    config_type = SilentConfig


class OpenConfig(GoodConfig):
    """What users write."""

    model_config = ConfigDict(extra="allow")


class TakesAnyKey(Good):
    """Take keys that it does not know."""

    config_type = OpenConfig


class Part(BaseModel):
    """One part."""

    name: str = ""
    """Its name."""


class NestedConfig(GoodConfig):
    """What users write."""

    parts: tuple[Part, ...] = ()
    """Its parts."""


class TakesAnyKeyInside(Good):
    """Take keys that it does not know, one level down."""

    config_type = NestedConfig


class OpensAFile(Good):
    """Open a file in the constructor."""

    def __init__(self, config: Any, context: FactoryContext) -> None:
        super().__init__(config, context)
        with tempfile.TemporaryFile() as file:
            file.write(b"hello")


class StartsATask(Good):
    """Start a task in the constructor."""

    def __init__(self, config: Any, context: FactoryContext) -> None:
        super().__init__(config, context)
        self.task = asyncio.get_running_loop().create_task(asyncio.sleep(0))


class StartsAThread(Good):
    """Start a thread in the constructor."""

    def __init__(self, config: Any, context: FactoryContext) -> None:
        super().__init__(config, context)
        timer = threading.Timer(1, int)
        timer.daemon = True
        timer.start()


class AsksForTheTransport(Good):
    """Ask for the transport in the constructor."""

    def __init__(self, config: Any, context: FactoryContext) -> None:
        super().__init__(config, context)
        self.transport = context.transport()


class LeavesATask(Good):
    """Leave a task behind."""

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        self.worker = asyncio.create_task(asyncio.Event().wait(), name="worker")  # type: ignore[arg-type]
        yield


class LeavesATaskWhenItsStartIsCancelled(Good):
    """Leave a task behind, when cancelled before it has started."""

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        self.worker = asyncio.create_task(asyncio.Event().wait(), name="worker")  # type: ignore[arg-type]
        await asyncio.sleep(0)
        try:
            yield
        finally:
            self.worker.cancel()


class StartsAllTheSame(Good):
    """Swallow a cancellation of the start."""

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.places = 4
        yield


class ReadsWhatItDoesNotRequire(Good):
    """Read a fact that it does not require."""

    requires = ()

    async def on_request(self, exchange: Exchange) -> None:
        try:
            await super().on_request(exchange)
        except KeyError:
            exchange.state.put(Route("nobody"))


class SupersedesWhatItDoesNotRequire(Good):
    """Supersede a fact that it does not require."""

    async def on_request(self, exchange: Exchange) -> None:
        await super().on_request(exchange)
        before = exchange.state.get(Candidates)
        after = Candidates(("openai/mine",), "mine", explicit=True)
        try:
            exchange.state.replace(after)
        except KeyError:
            assert before is None


class PromisesTooMuch(Good):
    """Promise a fact, and provide it to some."""

    async def on_request(self, exchange: Exchange) -> None:
        if not exchange.request.stream:
            await super().on_request(exchange)
        else:
            self.places -= 1


class LeavesWhatItDoesNotState(Good):
    """Leave another's fact without a word."""

    async def on_request(self, exchange: Exchange) -> None:
        await super().on_request(exchange)
        exchange.state.put(Candidates((), "", explicit=False))


class CompletesByItself(Good):
    """Call its own on_complete."""

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        await super().on_response(exchange, response)
        await self.on_complete(exchange, Outcome(200))


class ReleasesOnlyAnswers(Good):
    """Give its place back when there is an answer, and else never."""

    def __init__(self, config: Any, context: FactoryContext) -> None:
        super().__init__(config, context)
        self.places = 3

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        await super().on_response(exchange, response)
        if response.error is None:
            self.places += 1

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        pass


class HoldsALockWhenCancelled(Good):
    """Take a lock, and give it back only where nothing happens."""

    def __init__(self, config: Any, context: FactoryContext) -> None:
        super().__init__(config, context)
        self.lock = asyncio.Lock()

    async def on_request(self, exchange: Exchange) -> None:
        await self.lock.acquire()
        await super().on_request(exchange)
        self.lock.release()


class SwallowsCancellation(Good):
    """Take a cancellation for one more error."""

    async def on_request(self, exchange: Exchange) -> None:
        try:
            await super().on_request(exchange)
        except BaseException:
            exchange.state.put(Route("failed"))


class SwallowsCancellationInAStream(Good):
    """Take a cancellation for the end of a stream."""

    async def counted(
        self, exchange: Exchange, body: AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes]:
        try:
            async for chunk in super().counted(exchange, body):
                yield chunk
        except asyncio.CancelledError:
            return


class LeavesATaskWhenCancelled(Good):
    """Start a task for an exchange, and forget it when that is cancelled."""

    async def on_request(self, exchange: Exchange) -> None:
        waiting = asyncio.create_task(asyncio.Event().wait(), name="forgotten")
        await super().on_request(exchange)
        waiting.cancel()


class KeepsARequest(Good):
    """Keep the request's id on self."""

    latest = ""

    async def on_request(self, exchange: Exchange) -> None:
        self.latest = exchange.id
        await super().on_request(exchange)

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        await super().on_response(exchange, response)
        response.headers["x-exchange"] = self.latest


class KeepsAStream(Good):
    """Keep the number of events on the class."""

    seen: ClassVar[list[str]] = []

    async def counted(
        self, exchange: Exchange, body: AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes]:
        self.seen.clear()
        async for chunk in super().counted(exchange, body):
            self.seen.append(exchange.id)
            yield chunk
        if set(self.seen) != {exchange.id}:
            yield b": mixed\n\n"


class Buffers(Good):
    """Read a stream to its end before anything goes out."""

    async def counted(
        self, exchange: Exchange, body: AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes]:
        for chunk in [chunk async for chunk in super().counted(exchange, body)]:
            yield chunk


class BuffersAfterTheFirst(Good):
    """Let the first chunk out, and the others at the end."""

    async def counted(
        self, exchange: Exchange, body: AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes]:
        chunks = super().counted(exchange, body)
        yield await anext(chunks)
        for chunk in [chunk async for chunk in chunks]:
            yield chunk


class CountsChunks(Good):
    """Take chunks for events."""

    async def counted(
        self, exchange: Exchange, body: AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes]:
        seen = 0
        async for chunk in body:
            seen += 1
            yield chunk
        exchange.state.put(Count(seen))


class DecodesChunks(Good):
    """Take chunks for text."""

    async def counted(
        self, exchange: Exchange, body: AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes]:
        async for chunk in super().counted(exchange, body):
            yield chunk.decode(errors="replace").replace("mock", "MOCK").encode()


class Sleeps(Good):
    """Sleep in the thread that serves everybody."""

    async def on_request(self, exchange: Exchange) -> None:
        time.sleep(0.001)
        await super().on_request(exchange)


class ReadsAFile(Good):
    """Read a file for each request."""

    async def on_request(self, exchange: Exchange) -> None:
        with Path(os.devnull).open("rb"):
            await super().on_request(exchange)


class PlainKeyConfig(FilterConfig):
    """What users write."""

    key: str = "sk-good-0123456789"
    """A credential, as text."""


class ShowsItsKey(Good):
    """Have a credential that every repr shows."""

    config_type = PlainKeyConfig


class TellsItsKey(Good):
    """Tell its credential in an error."""

    async def on_request(self, exchange: Exchange) -> None:
        await super().on_request(exchange)
        if exchange.request.stream:
            raise BadRequest(f"not signed with {self.config.key.reveal()}")


class LogsItsKey(Good):
    """Fail with its credential in the traceback."""

    async def on_request(self, exchange: Exchange) -> None:
        await super().on_request(exchange)
        raise ValueError(self.config.key.reveal())


BROKEN: dict[type[Filter[Any]], str] = {
    Undocumented: "says_what_it_does",
    SilentOption: "describes_its_options",
    TakesAnyKey: "refuses_unknown_options",
    TakesAnyKeyInside: "refuses_unknown_options",
    OpensAFile: "constructs_without_side_effects",
    StartsATask: "constructs_without_side_effects",
    StartsAThread: "constructs_without_side_effects",
    AsksForTheTransport: "constructs_without_side_effects",
    LeavesATask: "starts_and_stops",
    LeavesATaskWhenItsStartIsCancelled: "starts_and_stops",
    StartsAllTheSame: "starts_and_stops",
    ReadsWhatItDoesNotRequire: "requires_what_it_reads",
    SupersedesWhatItDoesNotRequire: "requires_what_it_reads",
    PromisesTooMuch: "provides_what_it_promises",
    LeavesWhatItDoesNotState: "declares_what_it_leaves",
    CompletesByItself: "completes_once",
    ReleasesOnlyAnswers: "completes_once",
    HoldsALockWhenCancelled: "survives_cancellation",
    SwallowsCancellation: "survives_cancellation",
    SwallowsCancellationInAStream: "survives_cancellation",
    LeavesATaskWhenCancelled: "survives_cancellation",
    KeepsARequest: "keeps_exchanges_apart",
    KeepsAStream: "keeps_exchanges_apart",
    Buffers: "streams_without_buffering",
    BuffersAfterTheFirst: "streams_without_buffering",
    CountsChunks: "takes_torn_chunks",
    DecodesChunks: "takes_torn_chunks",
    Sleeps: "does_not_block",
    ReadsAFile: "does_not_block",
    ShowsItsKey: "keeps_secrets",
    TellsItsKey: "keeps_secrets",
    LogsItsKey: "keeps_secrets",
}
"""Each broken filter, and the check that must catch it."""
