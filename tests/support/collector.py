"""A small OTLP/HTTP receiver: takes spans, and hands them out as plain data."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.support.provider import FakeProvider, Reply


@dataclass(frozen=True, slots=True)
class SpanSeen:
    """A span as it was exported."""

    name: str
    kind: int
    """1 internal, 2 server, 3 client."""
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    status: int
    """2 is an error."""


class Collector:
    """Collects the spans that a gateway exports."""

    def __init__(self) -> None:
        self.spans: list[SpanSeen] = []
        self._server = FakeProvider()
        self._server.default = self._take
        self._grown = asyncio.Condition()

    @property
    def url(self) -> str:
        """For `OTEL_EXPORTER_OTLP_ENDPOINT`."""
        return self._server.url

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[Collector]:
        """Listen until the block ends."""
        async with self._server.serve():
            yield self

    async def trace(self, trace_id: str, spans: int, seconds: float = 15.0) -> list[SpanSeen]:
        """Wait until so many spans of a trace have come; return them."""

        def found() -> list[SpanSeen]:
            return [span for span in self.spans if span.trace_id == trace_id]

        async with asyncio.timeout(seconds), self._grown:
            await self._grown.wait_for(lambda: len(found()) >= spans)
        return found()

    async def _take(self, reply: Reply) -> None:
        body = reply.request.body
        if reply.request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        export = ExportTraceServiceRequest.FromString(body)
        async with self._grown:
            self.spans += list(_spans(export))
            self._grown.notify_all()
        await reply.whole(200, b"", {"content-type": "application/x-protobuf"})


def _spans(export: ExportTraceServiceRequest) -> Iterable[SpanSeen]:
    for resource_spans in export.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope in resource_spans.scope_spans:
            for span in scope.spans:
                yield SpanSeen(
                    span.name,
                    span.kind,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    _attributes(span.attributes),
                    resource,
                    [(event.name, _attributes(event.attributes)) for event in span.events],
                    span.status.code,
                )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind) if kind else None
