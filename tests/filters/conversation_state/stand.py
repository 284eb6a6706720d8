"""A chain of `conversation_state` and a terminal filter that answers as the Responses API does."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from plano_builtin_filters.conversation_state import ConversationState, ConversationStateConfig
from plano_filters import (
    Candidates,
    Exchange,
    FactoryContext,
    FilterConfig,
    Outcome,
    Principal,
    Response,
    Served,
    TerminalFilter,
    load_text,
)
from plano_filters.chain import Chain, link
from plano_filters.meter import Meter
from plano_filters.shared import Shared
from plano_filters.testing import FakeClock, make_exchange
from tests.support.answers import event, response_document

GPT, CLAUDE = "openai/gpt-4o", "mistral/small"
"""One whose provider speaks Responses, and one whose provider does not."""
HEAD = f"""
version: v0.4.0
listeners: [{{name: m, type: model}}]
model_providers:
  - {{model: {GPT}, access_key: sk-aaaaaaaa, default: true}}
  - {{model: {CLAUDE}, access_key: sk-aaaaaaaa}}
"""


def said(text: str, role: str = "user") -> dict[str, Any]:
    """Return an item of `input`."""
    return {"type": "message", "role": role, "content": text}


def answered(text: str) -> dict[str, Any]:
    """Return the item of an answer, as it is kept."""
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "status": "completed", "role": "assistant", "content": [part]}


def events_of(document: dict[str, Any], last: str = "completed") -> list[bytes]:
    """Return a response as a stream."""
    begun = {**document, "status": "in_progress", "output": []}
    steps: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": begun}),
        ("response.output_text.delta", {"delta": 'says "type": "response.completed"'}),
        (f"response.{last}", {"response": document}),
    ]
    return [
        event({"type": name, "sequence_number": at, **data}, name)
        for at, (name, data) in enumerate(steps)
    ]


class Serve(TerminalFilter[FilterConfig]):
    """Answers with what it is told, as the first candidate."""

    def __init__(self) -> None:
        super().__init__(FilterConfig(), FactoryContext("serve"))
        self.document: dict[str, Any] = {}
        self.chunks: list[bytes] | None = None
        """The body of a stream; else its own events."""
        self.error: Exception | None = None
        """Breaks a stream behind its chunks."""
        self.headers: dict[str, str] = {}
        self.status = 200

    async def on_request(self, exchange: Exchange) -> Response:
        model = exchange.state[Candidates].models[0]
        exchange.state.put(Served(model, model.partition("/")[0]))
        if not exchange.request.stream:
            response = Response.from_json(self.document, status=self.status)
        else:
            response = Response.from_json({})
            response.headers["content-type"] = "text/event-stream; charset=utf-8"
            response.body = self._stream(self.chunks or events_of(self.document))
        response.headers.update(self.headers)
        return response

    async def _stream(self, chunks: list[bytes]) -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
        if self.error is not None:
            raise self.error


@dataclass(slots=True)
class Gate:
    """The chain, and what went through it."""

    chain: Chain
    serve: Serve
    meter: Meter
    seen: list[Exchange] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    """Of the last streamed answer, as they left the chain."""

    async def ask(
        self,
        body: Mapping[str, Any],
        *,
        answer: str | dict[str, Any] = "well",
        store: bool | None = None,
        models: tuple[str, ...] = (CLAUDE,),
        principal: str | None = None,
        headers: Mapping[str, str] | None = None,
        path: str = "/v1/responses",
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Send a request through; returns the response, or the error, as the client has it.

        Args:
            body: The request.
            answer: The response, or its text.
            store: What the provider says about keeping it.
            models: The candidates.
            principal: Who asks.
            headers: Of the request.
            path: Of the request.
            dry_run: Whether it is only to be explained.
        """
        document = response_document("m", answer) if isinstance(answer, str) else answer
        self.serve.document = document if store is None else {**document, "store": store}
        facts: list[object] = [Candidates(models, models[0], explicit=True)]
        facts += [Principal(principal)] if principal else []
        exchange = make_exchange(body, path=path, headers=headers, facts=facts)
        exchange.dry_run = dry_run
        self.seen.append(exchange)
        response = await self.chain.run(exchange)
        raw, self.chunks = response.body, []
        try:
            if not isinstance(raw, bytes):
                async for chunk in raw:
                    self.chunks.append(chunk)
                raw = b"".join(self.chunks)
        finally:
            await self.chain.complete(exchange, Outcome(response.status))
        if not self.chunks:
            found: dict[str, Any] = json.loads(raw)
            return found
        events = [json.loads(e.partition(b"data: ")[2]) for e in raw.split(b"\n\n") if e.strip()]
        whole = [e["response"] for e in events if "response" in e]
        assert len({one["id"] for one in whole}) <= 1
        return whole[-1] if whole else {}

    @property
    def sent(self) -> Mapping[str, Any]:
        """The last request, as the provider would get it."""
        return self.seen[-1].request.payload

    @property
    def told(self) -> list[str]:
        """What was decided about the last request."""
        return [decision.text for decision in self.seen[-1].decisions]

    def count(self, name: str, result: str) -> float:
        """Return a counter's value."""
        full = f"plano_conversation_state_{name}_total"
        return self.meter.registry.get_sample_value(full, {"result": result}) or 0.0


@asynccontextmanager
async def gate(
    config: ConversationStateConfig | None = None,
    *,
    more: str = "",
    clock: FakeClock | None = None,
    shared: Shared | None = None,
) -> AsyncGenerator[Gate]:
    """Start a chain.

    Args:
        config: Of the filter.
        more: Of the document.
        clock: Time, for the store in memory.
        shared: What outlives a chain.
    """
    document = load_text(HEAD + more, env={}).document
    meter, serve = Meter(), Serve()
    context = FactoryContext(
        "conversation_state",
        document,
        clock=clock or FakeClock(),
        meter=meter,
        shared=shared or Shared(),
    )
    made = ConversationState(config or ConversationStateConfig(), context)
    chain = Chain(
        [
            link(made, id="conversation_state", name="conversation_state"),
            link(serve, id="serve", name="serve"),
        ]
    )
    async with chain.lifespan():
        yield Gate(chain, serve, meter)
