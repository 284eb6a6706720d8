"""The hooks of `remote`."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from opentelemetry import propagate
from opentelemetry.trace import set_span_in_context

from plano_builtin_filters.remote import core
from plano_builtin_filters.remote.config import Phase, RemoteConfig
from plano_builtin_filters.remote.headers import Pair, outgoing
from plano_builtin_filters.remote.service import (
    Passed,
    Question,
    Refused,
    ServiceFailed,
)
from plano_builtin_filters.remote.stream import Tally, screened
from plano_builtin_filters.remote.units import TooMuchHeld, Units
from plano_builtin_filters.remote.wiring import configured, definition, service
from plano_filters import (
    BadRequest,
    Blocked,
    Exchange,
    FactoryContext,
    Filter,
    FilterFailed,
    Response,
    jsonbody,
)
from plano_filters.dialect import DECIDING_PREFIX
from plano_filters.exchange import Decision

log = logging.getLogger(__name__)

JSON = "application/json"
EVENTS = "text/event-stream"
NO_ANSWERS = frozenset({"models", "count_tokens"})
"""Endpoints at which no model says anything."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class InvalidReply(BadRequest):
    """A service made a request of the client's that is none."""

    code, source = "filter_invalid_request", "filter"


class Remote(Filter[RemoteConfig]):
    """Show requests or answers to a service, and go on with what it makes of them."""

    config_type = RemoteConfig

    def __init__(self, config: RemoteConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        self._about = definition(config.filter, context.document)
        self._headers = configured(self._about)
        self._service = service(self._about, context)
        self._limit = context.document.limits.body
        self._seconds = context.meter.histogram(
            "plano_remote_filter_seconds",
            "Calls to remote filters.",
            BUCKETS,
            ("filter", "phase", "outcome"),
        )

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async with self._service.lifespan():
            yield

    async def on_request(self, exchange: Exchange) -> None:
        request = exchange.request
        if "request" not in self.config.phases or not request.body:
            return
        if exchange.dry_run:
            exchange.decide("not asked: an explanation tells nobody about the request")
            return
        reply = await self._ask(exchange, "request", request.body, JSON)
        if reply == request.body:
            exchange.decide("let the request pass", changed=[])
            return
        try:
            after = jsonbody.decode(reply)
        except BadRequest as error:
            told = f'filter "{self._about.id}" made an invalid request of it: {error.detail}'
            if self.context.on_error == "skip":
                raise self._failed("its answer is no JSON object") from None
            raise InvalidReply(told) from None
        change = core.change(request.payload, after)
        request.edit(**change.fields)
        request.remove(*change.removed)
        exchange.decide(change.text, changed=change.names)

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        operation = exchange.operation
        of_a_model = not operation.deciding and operation.endpoint not in NO_ANSWERS
        answers = of_a_model and response.error is None and response.status < 300
        if "response" not in self.config.phases or not answers:
            return
        if response.headers.get("content-encoding", "identity") != "identity":
            raise self._failed("the answer is compressed, and cannot be shown")
        if response.event_stream and not isinstance(response.body, bytes):
            response.body = await self._begun(exchange, response.body)
            return
        body = await self._whole(response.body)
        given = response.headers.get("content-type", JSON)
        is_json = given.partition(";")[0].strip() == JSON
        reply = await self._ask(exchange, "response", body, JSON if is_json else given)
        if is_json and not core.is_json_object(reply):
            raise self._failed("its answer is no JSON object")
        changed = not core.same(body, reply)
        response.body = reply if changed else body
        exchange.decide("changed the answer" if changed else "let the answer pass", changed=changed)

    async def _begun(self, exchange: Exchange, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """Return a stream that is screened; what the service says of its first part is known.

        So a refusal of it still is an answer with a status of its own.
        """
        inner = self._screened(exchange, body)
        exchange.resources.push_async_callback(inner.aclose)
        first = await anext(inner, b"")
        return _after(first, inner)

    async def _screened(
        self, exchange: Exchange, body: AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes]:
        tally = Tally()
        units = Units(exchange.dialect, self._about.unit, self._limit)

        async def ask(block: bytes) -> bytes:
            return await self._part(exchange, block, tally)

        try:
            async with aclosing(screened(body, units, ask, limit=self._limit)) as parts:
                async for part in parts:
                    yield part
        except TooMuchHeld as much:
            raise self._failed(str(much)) from None
        finally:
            if tally.seen or tally.skipped:
                self._tell(exchange, tally.text, seen=tally.seen, changed=tally.changed)

    async def _part(self, exchange: Exchange, block: bytes, tally: Tally) -> bytes:
        """Return what to send on for a part of a stream.

        Raises:
            Blocked: The service refuses it.
            FilterFailed: It gave no answer, and that is not to be passed over.
        """
        if tally.skipped:
            return block
        try:
            reply = core.events(await self._ask(exchange, "response", block, EVENTS))
            if reply is None:
                raise self._failed("its answer is no events")
        except FilterFailed as failure:
            log.warning("in a stream: %s", failure.detail)
            if self.context.on_error == "fail":
                raise
            tally.skipped = True
            return block
        tally.seen += 1
        if core.same_events(block, reply):
            return block
        tally.changed += 1
        return reply

    async def _ask(self, exchange: Exchange, phase: Phase, body: bytes, media_type: str) -> bytes:
        """Return the body that the service answers with.

        Raises:
            Blocked: It refuses.
            FilterFailed: It gave no answer.
        """
        headers = tuple(self._outgoing(exchange, phase))
        path = exchange.request.path
        if exchange.operation.endpoint != "other":  # as the API has it, however the client wrote it
            path = exchange.operation.route.removeprefix(DECIDING_PREFIX)
        began, outcome = time.perf_counter(), "cancelled"
        try:
            answer = await self._service.ask(Question(path, body, media_type, headers))
            outcome = "passed" if isinstance(answer, Passed) else "refused"
        except ServiceFailed as failure:
            outcome = failure.reason
            raise self._failed(str(failure)) from None
        finally:
            seconds = time.perf_counter() - began
            self._seconds.labels(self._about.id, phase, outcome).observe(seconds)
        if isinstance(answer, Refused):
            raise self._blocked(exchange, phase, answer)
        return answer.body

    def _outgoing(self, exchange: Exchange, phase: Phase) -> list[Pair]:
        ours = [
            (b"x-request-id", exchange.id.encode("latin-1")),
            (b"x-arch-upstream", self._about.id.encode("ascii")),
            (b"x-plano-filter-phase", phase.encode()),
            *_trace_headers(exchange),
            *self._headers,
        ]
        client = exchange.request.headers.raw
        return outgoing(client, ours, pass_credentials=self._about.pass_credentials)

    def _blocked(self, exchange: Exchange, phase: Phase, answer: Refused) -> Blocked:
        what = "request" if phase == "request" else "answer"
        told = f"refused the {what}: {answer.status}"
        self._tell(exchange, told, refused=phase, status=answer.status)
        text, whole = core.refusal(answer.body)
        details = {"filter": self._about.id, "response": whole}
        detail = text or f'the filter "{self._about.id}" refused the {what}'
        return Blocked(detail, status=answer.status, details=details)

    def _failed(self, why: str) -> FilterFailed:
        return FilterFailed(f'filter "{self.context.id}" failed: {why}')

    async def _whole(self, body: bytes | AsyncIterator[bytes]) -> bytes:
        """Read an answer that came as an iterator and is no stream of events."""
        if isinstance(body, bytes):
            return body
        read = bytearray()
        async for chunk in body:
            read += chunk
            if len(read) > self._limit:
                raise self._failed(f"the answer is larger than {self._limit} bytes")
        return bytes(read)

    def _tell(self, exchange: Exchange, text: str, **data: object) -> None:
        """Record a decision; unlike `decide`, also while a stream is under way."""
        exchange.decisions.append(Decision(self.context.id, text, data))


async def _after(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    try:
        if first:
            yield first
        async for block in rest:
            yield block
    finally:
        await rest.aclose()


def _trace_headers(exchange: Exchange) -> list[Pair]:
    """Return the headers that make the service's spans children of ours; none without a trace."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier, context=set_span_in_context(exchange.span))
    return [(name.lower().encode(), value.encode()) for name, value in carrier.items()]
