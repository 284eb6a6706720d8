"""The loop of `upstream`: candidates in order, tries of each, one ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from plano_builtin_filters.upstream import answers, core
from plano_builtin_filters.upstream.attempt import AttemptFailed
from plano_builtin_filters.upstream.config import UpstreamConfig
from plano_builtin_filters.upstream.counting import estimate
from plano_builtin_filters.upstream.notes import Notes
from plano_builtin_filters.upstream.sender import Sender, Sending
from plano_builtin_filters.upstream.target import Target
from plano_builtin_filters.upstream.translated import Translated, Untranslatable
from plano_filters import (
    Attempt,
    AttemptResult,
    Attempts,
    Candidates,
    Cost,
    Exchange,
    FactoryContext,
    GatewayError,
    NotFound,
    Outcome,
    Response,
    Served,
    TerminalFilter,
    Usage,
)
from plano_filters.facts import ResponseInfo

DEFAULT_ATTEMPTS: Final = 2
"""Tries of one model: a second one mends most blips, a third mostly costs time."""


class Upstream(TerminalFilter[UpstreamConfig]):
    """Ask the candidates in order until one answers; relay its answer."""

    config_type = UpstreamConfig
    requires = (Candidates,)
    provides = (Attempts,)
    may_provide = (Served, Translated, Usage, Cost, ResponseInfo)

    def __init__(self, config: UpstreamConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        document = context.document
        listener = document.listeners[0]
        retries = listener.max_retries
        attempts = config.attempts or (DEFAULT_ATTEMPTS if retries is None else retries + 1)
        self._policy = core.Policy(
            attempts, config.backoff_base, config.backoff_cap, config.retry_after_cap
        )
        self._total = config.total_timeout or listener.timeout
        connect = config.connect_timeout or document.overrides.upstream_connect_timeout
        self._sender = Sender(config, context, connect)
        self._nested = context.nested(config.filters, self._sender) if config.filters else None
        for entry in self._nested.links[:-1] if self._nested else ():
            if entry.terminal:
                raise ValueError(f'"{entry.id}" always answers, so no try would reach a provider')

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async with (self._nested or self._sender).lifespan():
            yield

    def report(self) -> Mapping[str, Any] | None:
        return self._sender.report()

    async def on_request(self, exchange: Exchange) -> Response:
        models = exchange.state[Candidates].models
        exchange.state.put(Attempts())
        try:
            if not models:
                raise NotFound(f"nothing serves {exchange.request.method} {exchange.request.path}")
            if exchange.operation.endpoint == "count_tokens":
                return await self._count(exchange, models[0])
            return await self._ask(exchange, models)
        except GatewayError as error:
            error.headers = {**answers.truth(exchange, None), **error.headers}
            raise

    async def _count(self, exchange: Exchange, model: str) -> Response:
        """Have the provider count the tokens of a request, or estimate them.

        Nobody stands in for a model here: each counts in its own way.
        """
        if self._sender.target(model, exchange.dialect).counts_tokens:
            return await self._ask(exchange, (model,))
        exchange.decide(f"estimated the tokens; {model} has no endpoint that counts them")
        response = Response.from_json({"input_tokens": estimate(exchange.request.payload)})
        response.headers.update(answers.truth(exchange, model))
        response.headers["x-plano-estimated"] = "input_tokens"
        return response

    async def _ask(self, exchange: Exchange, models: tuple[str, ...]) -> Response:
        """Ask the candidates in order.

        Raises:
            GatewayError: None answered, and the last gave nothing to pass on.
        """
        deadline = self.context.clock.now() + self._total
        refused: list[Untranslatable] = []
        failed: tuple[str, AttemptFailed] | None = None
        for model, following in zip(models, (*models[1:], None), strict=True):
            try:
                found = await self._ask_one(exchange, model, following, deadline)
            except Untranslatable as error:
                exchange.decide(f"{model} cannot be asked this: {error.detail}", model=model)
                refused.append(error)
                continue
            if isinstance(found, Response):
                return found
            failed = model, found
        if failed is not None:
            where = self._sender.target(failed[0], exchange.dialect)
            return answers.final(exchange, failed[0], where, failed[1])
        raise refused[0]

    async def _ask_one(
        self, exchange: Exchange, model: str, following: str | None, deadline: float
    ) -> Response | AttemptFailed:
        """Ask one candidate as often as it is worth it; a failure to go on with the next.

        Raises:
            Untranslatable: Its provider has no words for the request.
        """
        clock, tries = self.context.clock, 0
        where = self._sender.target(model, exchange.dialect)
        while True:
            try:
                response = await self._try(exchange, model, where, deadline)
            except AttemptFailed as failed:
                tries += 1
                step = core.after(
                    failed.failure,
                    tries,
                    self._policy,
                    more=following is not None,
                    chance=self.context.random.random(),
                    remaining=deadline - clock.now(),
                )
                exchange.decide(**answers.decision(model, failed, step, following))
                if step.action == "next":
                    return failed
                if step.action == "stop":
                    return answers.final(exchange, model, where, failed)
            else:
                return self._served(exchange, model, response)
            await clock.sleep(step.wait)

    def _served(self, exchange: Exchange, model: str, response: Response) -> Response:
        exchange.state.put(Served(model, model.partition("/")[0]))
        exchange.decide(f"served by {model}", model=model, attempts=len(exchange.state[Attempts]))
        response.headers.update(answers.truth(exchange, model))
        return response

    async def _try(
        self, exchange: Exchange, model: str, where: Target, deadline: float
    ) -> Response:
        """Make one try and enter it into the ledger."""
        ledger, clock = exchange.state[Attempts].results, self.context.clock
        attempt = Attempt(len(ledger) + 1, model, model.partition("/")[0])
        child = exchange.child(exchange.request.copy())
        for fact in (attempt, where, Sending(deadline)):
            child.state.put(fact)
        started, began = clock.time(), clock.now()
        status: int | None = None
        error: str | None = None
        asked = True
        try:
            response = await self._send(child)
            status = response.status
        except Untranslatable as refused:
            asked, status, error = False, refused.status, refused.code
            raise
        except AttemptFailed as failed:
            status, error = failed.failure.status, failed.failure.kind
            raise
        except BaseException as failure:
            error = type(failure).__name__
            raise
        finally:
            lost = child.state.get(Translated) or Translated()
            exchange.state.withdraw(Translated)  # an earlier try's
            exchange.state.put(lost)
            place = (where.url.host, where.port)
            seconds = clock.now() - began
            if asked:
                ledger.append(AttemptResult(attempt, status, error, started, seconds, *place))
            if error is not None:
                await asyncio.shield(self._end(child, _Course(status)))
        self._follow(exchange, child, response)
        return response

    async def _send(self, child: Exchange) -> Response:
        if self._nested is None:
            return await self._sender.on_request(child)
        response = await self._nested.run_or_raise(child)
        if response.error is not None:
            raise response.error
        return response

    def _follow(self, exchange: Exchange, child: Exchange, response: Response) -> None:
        """End the try that serves with its exchange, and tell the nested filters how it went."""
        notes = child.state.get(Notes)
        if notes is not None:  # None: a nested filter answered instead of the provider
            notes.publish(exchange.state)
        course = _Course(response.status)
        if isinstance(response.body, bytes):
            course.sent = len(response.body)
        elif self._nested is not None:
            response.body = course.of(response.body)
        exchange.resources.push_async_callback(self._end, child, course)

    async def _end(self, child: Exchange, course: _Course) -> None:
        """End a try: close its connection, then its nested filters."""
        if self._nested is not None:
            await self._nested.complete(child, course.outcome())
        else:
            await child.resources.aclose()


@dataclass(slots=True)
class _Course:
    """How far the body of a try has come."""

    status: int | None
    sent: int = 0
    whole: bool = True
    error: Exception | None = None

    async def of(self, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """Follow a body."""
        self.whole = False
        try:
            async for chunk in body:
                yield chunk
                self.sent += len(chunk)
        except Exception as error:
            self.error = error
            raise
        self.whole = True

    def outcome(self) -> Outcome:
        left = not self.whole and self.error is None
        return Outcome(self.status, disconnected=left, error=self.error, bytes_sent=self.sent)
