"""The loop of `upstream`: candidates in order, tries of each, one ledger."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager


from plano_builtin_filters.upstream import answers, core
from plano_builtin_filters.upstream.attempt import AttemptFailed
from plano_builtin_filters.upstream.config import UpstreamConfig
from plano_builtin_filters.upstream.sender import Sender, Sending
from plano_filters import (
    Attempt,
    AttemptResult,
    Attempts,
    Candidates,
    Exchange,
    FactoryContext,
    GatewayError,
    NotFound,
    Outcome,
    Response,
    Served,
    TerminalFilter,
)

DEFAULT_ATTEMPTS = 2
"""Tries of one model: a second one mends most blips, a third mostly costs time."""


class Upstream(TerminalFilter[UpstreamConfig]):
    """Ask the candidates in order until one answers; relay its answer."""

    config_type = UpstreamConfig
    requires = (Candidates,)
    provides = (Attempts,)

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

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            if self._nested is not None:
                await stack.enter_async_context(self._nested.lifespan())
            else:
                await stack.enter_async_context(self._sender.lifespan())
            yield

    async def on_request(self, exchange: Exchange) -> Response:
        candidates = exchange.state[Candidates]
        attempts = Attempts()
        exchange.state.put(attempts)
        try:
            if not candidates.models:
                raise NotFound(f"nothing serves {exchange.request.method} {exchange.request.path}")
            return await self._ask(exchange, candidates.models, attempts)
        except GatewayError as error:
            error.headers |= answers.truth(exchange, None)
            raise

    async def _ask(
        self, exchange: Exchange, models: tuple[str, ...], attempts: Attempts
    ) -> Response:
        """Try the candidates in order.

        Raises:
            GatewayError: None answered, and the last gave nothing to pass on.
        """
        clock = self.context.clock
        deadline = clock.now() + self._total
        for position, model in enumerate(models):
            tries = 0
            while True:
                tries += 1
                remaining = deadline - clock.now()
                try:
                    response = await self._try(exchange, model, attempts, remaining)
                except AttemptFailed as failed:
                    more = position + 1 < len(models)
                    step = core.after(
                        failed.failure,
                        tries,
                        self._policy,
                        more=more,
                        chance=self.context.random.random(),
                        remaining=deadline - clock.now(),
                    )
                    following = models[position + 1] if more else None
                    exchange.decide(**answers.sentence(model, failed, step, following))
                    if step.action == "stop":
                        return answers.failed(exchange, model, failed, self._sender.secrets(model))
                    if step.action == "next":
                        break
                    await clock.sleep(step.wait)
                else:
                    exchange.state.put(Served(model, model.partition("/")[0]))
                    exchange.decide(f"served by {model}", model=model, attempts=len(attempts))
                    response.headers.update(answers.truth(exchange, model))
                    return response
        raise AssertionError("the last candidate ends in `stop`")  # pragma: no cover

    async def _try(
        self, exchange: Exchange, model: str, attempts: Attempts, remaining: float
    ) -> Response:
        """Make one try and enter it into the ledger."""
        attempt = Attempt(len(attempts) + 1, model, model.partition("/")[0])
        child = exchange.child(exchange.request.copy())
        child.state.put(attempt)
        child.state.put(Sending(remaining, exchange.state))
        started, clock = time.time(), time.perf_counter()
        status: int | None = None
        error: str | None = None
        try:
            if self._nested is not None:
                response = await self._nested.run_or_raise(child)
            else:
                response = await self._sender.on_request(child)
            status = response.status
        except AttemptFailed as failed:
            status, error = failed.failure.status, failed.failure.kind
            raise
        except BaseException as failure:
            error = type(failure).__name__
            raise
        finally:
            seconds = time.perf_counter() - clock
            place = self._sender.place(child)
            attempts.results.append(AttemptResult(attempt, status, error, started, seconds, *place))
            if error is not None:
                await self._end(child, Outcome(status))
        exchange.resources.push_async_callback(self._end, child, Outcome(status))
        return response

    async def _end(self, child: Exchange, outcome: Outcome) -> None:
        """End a try: close its connection, then its nested filters."""
        if self._nested is not None:
            await self._nested.complete(child, outcome)
        else:
            await child.resources.aclose()


