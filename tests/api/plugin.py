"""A stranger's plugin that uses every public name: not run, but checked by mypy, strictly."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar, assert_type

from starlette.applications import Starlette

from plano_filters import (
    API_VERSION,
    Attempt,
    AttemptResult,
    Attempts,
    BadRequest,
    Blocked,
    Candidates,
    Chain,
    Clock,
    ConfigError,
    Continued,
    Cost,
    Decided,
    Decision,
    Dialect,
    Document,
    Duration,
    Endpoint,
    Event,
    Exchange,
    FactoryContext,
    Filter,
    FilterChainMiddleware,
    FilterConfig,
    FilterEntry,
    FilterFailed,
    FilterInfo,
    FilterState,
    Gateway,
    GatewayError,
    HeadersTooLarge,
    InternalError,
    InvalidJSON,
    Limits,
    Link,
    Listener,
    Loaded,
    Located,
    Locator,
    Meter,
    MethodNotAllowed,
    ModelNotFound,
    ModelProvider,
    MutableHeaders,
    NotFound,
    Operation,
    Outcome,
    PayloadTooLarge,
    PermissionDenied,
    Pin,
    Position,
    Principal,
    Problem,
    RateLimited,
    Registry,
    Report,
    Request,
    RequestTimeout,
    Resource,
    Response,
    ResponseInfo,
    Route,
    RoutingPreference,
    Secret,
    Served,
    Services,
    SessionInfo,
    Shared,
    Splitter,
    SystemClock,
    Telemetry,
    TerminalFilter,
    Timing,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
    UpstreamFailed,
    UpstreamTimeout,
    Usage,
    compile_chain,
    header_text,
    link,
    load,
    load_chain,
    load_text,
)

REFUSALS: tuple[type[GatewayError], ...] = (
    BadRequest, Blocked, FilterFailed, HeadersTooLarge, InvalidJSON, MethodNotAllowed,
    ModelNotFound, NotFound, PayloadTooLarge, PermissionDenied, RateLimited, RequestTimeout,
    Unauthorized, Unavailable, UnsupportedMediaType, UpstreamFailed, UpstreamTimeout,
)  # fmt: skip


class EverythingConfig(FilterConfig):
    """What users write under `everything:`."""

    pause: Duration = 1.0
    """Between two looks."""
    token: Secret | None = None
    """Of the service."""


class Table:
    """A resource of the process."""

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        yield


class Everything(Filter[EverythingConfig]):
    """Touch everything."""

    api: ClassVar[str] = API_VERSION
    config_type = EverythingConfig
    requires = (Principal, Candidates)
    provides = (Route,)
    may_provide = (Pin, SessionInfo)

    def __init__(self, config: EverythingConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        assert_type(self.config, EverythingConfig)
        assert_type(config.pause, float)
        self.clock: Clock = context.clock
        self.meter: Meter = context.meter
        self.shared: Shared = context.shared
        self.seen = self.meter.counter("everything_seen", "Requests.", ("dialect",))
        self.default = models(context.document)[0]

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        resource: Resource = Table()
        async with self.shared.use((Everything, "table"), lambda: resource):
            yield

    async def on_request(self, exchange: Exchange) -> Response | None:
        request: Request = exchange.request
        operation: Operation = exchange.operation
        endpoint: Endpoint = operation.endpoint
        dialect: Dialect = exchange.dialect
        state: FilterState = exchange.state
        assert_type(state[Candidates].models, tuple[str, ...])
        assert_type(state.get(Pin), Pin | None)
        assert_type(state.get(Continued), Continued | None)
        state.put(Route(endpoint, 0.5, (self.default.model,)))
        state.put(SessionInfo("session", pinned=False))
        self.seen.labels(dialect).inc()
        if request.stream:
            return Response(200, MutableHeaders({"x-who": header_text("Grüße")}), b"{}")
        if self.config.token is not None and not self.config.token.reveal():
            raise REFUSALS[0]("no token")
        return None

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        if not isinstance(response.body, bytes):
            response.body = named(response.body)

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        decisions: list[Decision] = exchange.decisions
        timings: list[Timing] = exchange.timings
        attempts = exchange.state.get(Attempts) or Attempts()
        results: list[AttemptResult] = attempts.results
        tried: list[Attempt] = [result.attempt for result in results]
        facts = [exchange.state.get(kind) for kind in (Served, Usage, Cost, Decided, ResponseInfo)]
        assert_type(outcome.status, int | None)
        self.context.tracer.start_span(f"{len(decisions)} {len(timings)} {tried} {facts}").end()


async def named(body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Relay a stream event by event."""
    splitter = Splitter()
    async for chunk in body:
        events: list[Event] = splitter.feed(chunk)
        for event in events:
            yield event.raw
    yield splitter.flush()


class Last(TerminalFilter[FilterConfig]):
    """Answer everybody."""

    async def on_request(self, exchange: Exchange) -> Response:
        return Response.from_error(InternalError(), exchange.dialect, exchange.id)


def models(document: Document) -> list[ModelProvider]:
    """Return what a document says of models."""
    listener: Listener = document.listeners[0]
    preferences: tuple[RoutingPreference, ...] = document.routing_preferences
    entries: tuple[FilterEntry, ...] = document.filters
    assert_type((listener.port, len(preferences), len(entries)), tuple[int, int, int])
    return list(document.model_providers)


class Nowhere:
    """Locates nothing."""

    name = ""

    def locate(self, path: tuple[str | int, ...], *, on_key: bool) -> Position | None:
        return None


def serve(file: Path, app: Starlette) -> tuple[Gateway, FilterChainMiddleware]:
    """Make a gateway of a file, and put its chain in front of an app."""
    loaded: Loaded = load(file) if file.is_file() else load_text("version: v0.4.0")
    locator: Locator = Nowhere()
    report: Report = loaded.report if loaded.report.errors else Report(locator)
    registry = Registry.from_entry_points()
    infos: list[FilterInfo] = registry.describe()
    services = Services(clock=SystemClock(), meter=Meter())
    chain: Chain = compile_chain(loaded.document, registry, report, services)
    links: tuple[Link, ...] = chain.links
    last = link(Last(FilterConfig(), FactoryContext("last")), id="last", name="last")
    try:
        report.raise_errors()
        front = load_chain(str(file))
    except ConfigError as error:
        located: tuple[Located, ...] = error.problems
        problems: list[Problem] = report.errors
        raise SystemExit(f"{located} {problems} {infos}") from error
    limits: Limits = loaded.document.limits
    gateway = Gateway(Chain([*links, last]), limits=limits, telemetry=Telemetry())
    return gateway, FilterChainMiddleware(app, chain=front)
