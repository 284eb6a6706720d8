"""Running exchanges: through one filter, or through a whole chain, without a socket."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpx
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from plano_filters.asgi import Gateway
from plano_filters.chain import Chain, link
from plano_filters.clock import Clock
from plano_filters.compile import Services
from plano_filters.exchange import Exchange, Outcome
from plano_filters.filter import Filter
from plano_filters.messages import Response
from plano_filters.meter import Meter
from plano_filters.registry import Registry
from plano_filters.telemetry import Telemetry
from plano_filters.testing.answered import Answered, Asked, Client
from plano_filters.testing.compiled import Links, Terminal, compiled
from plano_filters.testing.fakes import Answer, FakeClock
from plano_filters.transport import UpstreamTransport

_EVERY_FILTER = {"PLANO_FILTERS_FILTER_SPANS": "true"}
_ended: ContextVar[list[tuple[Exchange, Outcome]]] = ContextVar("_ended")
"""Takes the exchange of the request that is being sent."""


async def exercise(
    under_test: Filter[Any], exchange: Exchange, *, answer: Response | None = None
) -> Response:
    """Run one exchange through a filter, with a terminal filter behind it if it needs one.

    All hooks run as in a chain, `on_complete` included; a streamed body is read to its end.

    Returns:
        The response, its body as bytes. Errors are responses here, as for a client.
    """
    links = [link(under_test, id=under_test.context.id, name=type(under_test).__name__)]
    if not links[0].terminal:
        links.append(link(Answer(answer), id="answer", name="answer"))
    chain = Chain(links)
    response = await chain.run(exchange)
    failure: BaseException | None = response.error
    try:
        if not isinstance(response.body, bytes):
            response.body = b"".join([chunk async for chunk in response.body])
    except Exception as error:
        failure = error
        raise
    finally:
        sent = len(response.body) if isinstance(response.body, bytes) else 0
        await chain.complete(exchange, Outcome(response.status, error=failure, bytes_sent=sent))
    return response


@dataclass(slots=True)
class RunningChain:
    """A chain that runs, and what was seen of its exchanges."""

    chain: Chain
    clock: Clock
    gateway: Gateway
    meter: Meter
    answers: list[Answered] = field(default_factory=list)
    """Every exchange that has ended, in the order of their ends."""
    _exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def request(
        self,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        path: str = "/v1/chat/completions",
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        query: str = "",
        leave_after: int | None = None,
    ) -> Answered:
        """Send a request, and read its answer to the end.

        Args:
            body: A JSON object, or bytes as they are.
            path: Decides the endpoint and the dialect.
            method: HTTP method.
            headers: Request headers.
            query: Query string without `?`.
            leave_after: The client leaves after so many chunks; 0 is before the head.
        """
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        number = next(self._numbers)
        given = {k.lower(): v for k, v in (headers or {}).items()}
        sent = {"content-type": "application/json", "x-request-id": f"test-{number}", **given}
        client = Client(Asked(method, path, query, sent, raw), leave_after)
        ended: list[tuple[Exchange, Outcome]] = []
        token = _ended.set(ended)
        try:
            await client.ask(self.gateway)
        finally:
            _ended.reset(token)
        exchange, outcome = ended[0]
        trace = exchange.span.get_span_context().trace_id
        answered = Answered(
            client.status,
            client.headers,
            tuple(client.chunks),
            client.finished,
            exchange,
            outcome,
            tuple(span for span in self.spans if span.context and span.context.trace_id == trace),
        )
        self.answers.append(answered)
        return answered

    async def chat(
        self,
        text: str = "Hello",
        *,
        model: str = "",
        stream: bool = False,
        headers: Mapping[str, str] | None = None,
        leave_after: int | None = None,
        **fields: object,
    ) -> Answered:
        """Ask one question in the `chat` dialect.

        Args:
            text: What the user says.
            model: As the client writes it; absent if empty.
            stream: Whether to ask for a stream.
            headers: Request headers.
            leave_after: The client leaves after so many chunks; 0 is before the head.
            **fields: More fields of the body.
        """
        body: dict[str, object] = {"messages": [{"role": "user", "content": text}], **fields}
        body |= {"model": model} if model else {}
        body |= {"stream": True} if stream else {}
        return await self.request(body, headers=headers, leave_after=leave_after)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """Every span that has ended; each filter has one of its own."""
        return self._exporter.get_finished_spans()

    def metric(self, name: str, **labels: str) -> float | None:
        """Return the sum of the samples of a name that have these labels; None if there are none.

        Args:
            name: As `/metrics` shows it, such as `plano_filter_skipped_total`.
            **labels: Those that matter.
        """
        found = [
            sample.value
            for family in self.meter.registry.collect()
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found) if found else None


@asynccontextmanager
async def chain(
    links: Links,
    *,
    answer: Terminal = None,
    facts: Iterable[object] = (),
    env: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
    registry: Registry | None = None,
) -> AsyncGenerator[RunningChain]:
    """Run a chain until the block ends: its filters start, take exchanges, and stop.

    Args:
        links: A file's path; a document or its `filters:` list, as YAML or as values; or filters.
        answer: What answers at the end of a chain without a terminal filter: a response for one
            exchange, a function that makes one, or a filter. The mock provider unless given.
        facts: What earlier filters would leave; for filters given as instances.
        env: Variables that a document may use; none of the process's.
        clock: What filters go by; a `FakeClock` unless given.
        transport: HTTP towards providers; real sockets unless given.
        registry: Where filters are looked up; the installed ones unless given.

    Raises:
        ConfigError: The document has errors; it names them all.
        ValueError: `facts` were given for a document, whose filters provide their own.
    """
    async with AsyncExitStack() as stack:
        exporter = InMemorySpanExporter()
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(exporter))
        meter = Meter()
        telemetry = Telemetry(
            meter=meter,
            env=_EVERY_FILTER,
            tracer=tracers.get_tracer("plano_filters.testing"),
            observers=[lambda *ended: _ended.get().append(ended)],
        )
        services = Services(
            clock=clock or FakeClock(),
            transport=transport or _sockets(stack),
            tracer=telemetry.tracer,
            meter=meter,
        )
        made, document = compiled(
            links, services, registry, env or {}, answer=answer, facts=tuple(facts)
        )
        providers = document.model_providers
        telemetry.declare({entry.model for entry in providers if not entry.wildcard})
        gateway = Gateway(made, limits=document.limits, telemetry=telemetry)
        await stack.enter_async_context(gateway.lifespan())
        yield RunningChain(made, services.clock, gateway, meter, _exporter=exporter)


def _sockets(stack: AsyncExitStack) -> Callable[[], httpx.AsyncBaseTransport]:
    """Return a factory of one transport, made when it is first wanted and closed at the end."""
    made: list[UpstreamTransport] = []

    def transport() -> httpx.AsyncBaseTransport:
        if not made:
            made.append(UpstreamTransport())
            stack.push_async_callback(made[0].aclose)
        return made[0]

    return transport
