"""What is checked: a filter, its config, and exchanges to run through it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from plano_filters.chain import Chain, link
from plano_filters.config.document import Document
from plano_filters.exchange import Exchange, Outcome
from plano_filters.facts import (
    Attempt,
    Attempts,
    Candidates,
    Pin,
    Principal,
    Route,
    Served,
    Usage,
)
from plano_filters.filter import FactoryContext, Filter, FilterConfig, TerminalFilter
from plano_filters.messages import Response
from plano_filters.testing.conformance.far import FarEnd, FarFilter, FarTransport
from plano_filters.testing.conformance.notes import Notes, WatchedState, observed
from plano_filters.testing.fakes import FakeClock, make_exchange

EXAMPLES: Final[Mapping[type, object]] = {
    type(fact): fact
    for fact in (
        Principal("somebody"),
        Candidates(("openai/main",), "main", explicit=True),
        Route("a route", 0.9, ("openai/main",)),
        Pin("openai/main"),
        Attempt(1, "openai/main", "openai"),
        Attempts(),
        Served("openai/main", "openai"),
        Usage(input_tokens=3, output_tokens=4),
    )
}
"""One of each fact of the framework, for filters that require them."""


_DURATION: Final = re.compile(r"\d+(?:\.\d+)?(?=\s?(?:us|µs|ms|s)\b)")
"""In a decision: it differs each time, and may."""


class Failed(Exception):
    """A check found something; the text says what, and what to do."""


def require(truth: object, message: str) -> None:
    """Fail a check unless something is true.

    Raises:
        Failed: It is not.
    """
    if not truth:
        raise Failed(message)


class YieldingClock(FakeClock):
    """Time that passes at once, but not without letting others run: a wait is a wait."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        await asyncio.sleep(0)


@dataclass(slots=True)
class Result:
    """How one exchange went."""

    exchange: Exchange
    response: Response | None = None
    body: bytes = b""
    error: BaseException | None = None

    @property
    def status(self) -> int | None:
        """What the client would have been answered."""
        return self.response.status if self.response else None

    @property
    def state(self) -> WatchedState:
        """Its facts."""
        assert isinstance(self.exchange.state, WatchedState)  # noqa: S101 - made here
        return self.exchange.state


@dataclass(frozen=True, slots=True)
class Subject:
    """A filter and what it is given."""

    kind: type[Filter[Any]]
    config: Mapping[str, Any]
    document: Document
    make: Callable[[], Sequence[Exchange]]
    facts: Sequence[object]

    def exchanges(self, *, stream: bool | None = None) -> list[Exchange]:
        """Return fresh exchanges, at least two, each with an id and facts of its own.

        Args:
            stream: Ask for streams, or for none; None leaves them as they are made.
        """
        made = [*self.make()]
        made += self.make() if len(made) == 1 else []
        for number, exchange in enumerate(made):
            exchange.id = f"exchange-{number}"
            exchange.state = WatchedState(exchange.state, self._missing(exchange))
            if stream is not None and exchange.request.payload:
                exchange.request.edit(stream=stream)
        return made

    def settings(self) -> FilterConfig:
        """Return the config, validated anew."""
        return self.kind.config_type.model_validate(dict(self.config))

    def construct(self, kind: type[Filter[Any]], context: FactoryContext) -> Filter[Any]:
        """Construct the filter, or a subclass of it."""
        return kind(self.settings(), context)

    def _missing(self, exchange: Exchange) -> list[object]:
        """Return facts for what the filter requires and the exchange does not carry."""
        given = {**EXAMPLES, **{type(fact): fact for fact in self.facts}}
        wanted = [fact for fact in self.kind.requires if exchange.state.get(fact) is None]
        return [given[fact] for fact in wanted]


@dataclass(slots=True)
class Stand:
    """A fresh instance of the filter in a chain, with a far end behind it."""

    subject: Subject
    far: FarEnd = field(default_factory=FarEnd)
    notes: Notes = field(default_factory=Notes)
    chain: Chain = field(init=False)
    filter: Filter[Any] = field(init=False)
    _end: FarFilter = field(init=False)
    _starting: bool = False

    def __post_init__(self) -> None:
        context = FactoryContext(
            id="under-test",
            document=self.subject.document,
            clock=YieldingClock(),
            random=random.Random(0),  # noqa: S311 - reproducible, not secret
            transport=self._transport,
        )
        kind = observed(self.subject.kind, self.notes)
        self.filter = self.subject.construct(kind, context)
        self._end = FarFilter(self.far)
        links = [link(self.filter, id="under-test", name=kind.__name__)]
        if not self.terminal:
            links.append(link(self._end, id="far-end", name="far-end"))
        self.chain = Chain(links)

    @property
    def terminal(self) -> bool:
        """Whether the filter answers by itself."""
        return isinstance(self.filter, TerminalFilter)

    @property
    def sees_bodies(self) -> bool:
        """Whether chunks of a response pass through the filter's hands."""
        return self.terminal or self.chain.links[0].on_response is not None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Stand]:
        """Run the chain until the block ends."""
        self._starting = True
        async with self.chain.lifespan():
            yield self

    async def run(
        self, exchange: Exchange, took: Callable[[bytes], None] = lambda chunk: None
    ) -> Result:
        """Take one exchange to its end, as the gateway would.

        Args:
            exchange: Is used up.
            took: Called with each chunk that comes out.
        """
        result = Result(exchange)
        left = True
        try:
            result.response = await self.chain.run(exchange)
            result.error = result.response.error
            async for chunk in _chunks(result.response):
                result.body += chunk
                took(chunk)
            left = False
        except Exception as error:  # noqa: BLE001 - whatever a stream raises
            result.error, left = error, False
        finally:
            outcome = Outcome(result.status, left, result.error, len(result.body))
            ending = asyncio.create_task(self._complete(result, outcome), name="end-of-exchange")
            await _whatever_comes(ending)
        return result

    def parts(self, result: Result) -> dict[str, object]:
        """Return what of an exchange others can see, by what it is called in messages."""
        exchange, response = result.exchange, result.response
        facts = {kind: exchange.state.get(kind) for kind in result.state.left}
        return {
            "the status": result.status,
            "the response headers": tuple(response.headers.items()) if response else (),
            "the body": result.body,
            "the request that it passed on": self._end.passed_on.get(exchange.id),
            "the decisions": tuple(
                _DURATION.sub("...", decision.text) for decision in exchange.decisions
            ),
            **{f"the fact {kind.__name__}": fact for kind, fact in facts.items()},
        }

    async def _complete(self, result: Result, outcome: Outcome) -> None:
        close = getattr(result.response and result.response.body, "aclose", None)
        if close is not None:
            with contextlib.suppress(Exception):
                await close()
        await self.chain.complete(result.exchange, outcome)

    def _transport(self) -> httpx.AsyncBaseTransport:
        if not self._starting:
            raise Failed("it asks for the transport in its constructor; do that in lifespan()")
        return FarTransport(self.far)


async def _whatever_comes(ending: asyncio.Task[None]) -> None:
    """Await the end of an exchange, which a cancellation does not reach."""
    try:
        await asyncio.shield(ending)
    except asyncio.CancelledError:
        await ending
        raise


async def _chunks(response: Response) -> AsyncGenerator[bytes]:
    if isinstance(response.body, bytes):
        yield response.body
        return
    async for chunk in response.body:
        yield chunk


def example_exchanges() -> list[Exchange]:
    """Return requests of different people about different things: two plain, one streamed."""
    said = ("Grüße, Nummer eins 🦊", "Hello, number two", "Buongiorno, numero tre ☕")
    return [
        make_exchange(
            {
                "model": "main",
                "messages": [{"role": "user", "content": text}],
                **({"stream": True} if number == 2 else {}),
            },
            headers={"x-request-id": f"example-{number}", "x-model-affinity": f"session-{number}"},
        )
        for number, text in enumerate(said)
    ]


def without_example(kind: type[Filter[Any]], facts: Iterable[object]) -> list[str]:
    """Return the names of the facts that a filter requires and nobody gives."""
    known = {*EXAMPLES, *(type(fact) for fact in facts)}
    return [fact.__name__ for fact in kind.requires if fact not in known]
