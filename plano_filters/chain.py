"""The chain: request hooks in order, all others in reverse.

This file is the whole engine. What a filter may rely on is the table in `plano_filters.filter`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar, TypeVarTuple, Unpack

from pydantic import BaseModel

from plano_filters.deciding import ID, Decide
from plano_filters.errors import FilterFailed, GatewayError, UpstreamTimeout
from plano_filters.exchange import Action, Exchange, Outcome, Phase, Timing
from plano_filters.filter import Filter, TerminalFilter
from plano_filters.messages import Response

log = logging.getLogger(__name__)
T = TypeVar("T")
Args = TypeVarTuple("Args")


@dataclass(frozen=True, slots=True)
class Link:
    """A filter in its place, with its envelope. Hooks that are not overridden are None."""

    id: str
    name: str
    filter: Filter[Any]
    on_error: Literal["fail", "skip"]
    timeout: float | None
    """Seconds one hook may take; None for no limit."""
    on_request: Callable[[Exchange], Awaitable[Response | None]] | None
    on_forward: Callable[[Exchange], Awaitable[None]] | None
    on_response: Callable[[Exchange, Response], Awaitable[None]] | None
    on_complete: Callable[[Exchange, Outcome], Awaitable[None]] | None
    nested: tuple[Link, ...] = ()
    """The filters that it runs itself, once per try."""

    @property
    def terminal(self) -> bool:
        return isinstance(self.filter, TerminalFilter)


def link(
    made: Filter[Any],
    *,
    id: str,  # noqa: A002 - the YAML's word
    name: str,
    on_error: Literal["fail", "skip"] = "fail",
    timeout: float | None = None,
    nested: Sequence[Link] = (),
) -> Link:
    """Put a filter into a link, looking up once which hooks it has."""

    def own(hook: str) -> Any:
        overridden = getattr(type(made), hook) is not getattr(Filter, hook)
        return getattr(made, hook) if overridden else None

    hooks = own("on_request"), own("on_forward"), own("on_response"), own("on_complete")
    return Link(id, name, made, on_error, timeout, *hooks, tuple(nested))


class Chain:
    """Links in order, the last one terminal. Immutable; one chain serves every exchange.

    Args:
        links: From the first filter a request meets to the terminal one.
    """

    def __init__(self, links: Iterable[Link]) -> None:
        self.links = tuple(links)
        self._forward = tuple(
            (one, one.on_forward) for one in reversed(self.links) if one.on_forward is not None
        )

    @cached_property
    def deciding(self) -> Chain:
        """The same filters in front of a terminal that asks nobody, only says what was decided.

        They are started and stopped by this chain; do not enter the lifespan of the other.
        """
        return Chain([*self.links[:-1], link(Decide(), id=ID, name=ID)])

    def __str__(self) -> str:
        return " -> ".join(link.id for link in self.links)

    @property
    def configs(self) -> dict[str, BaseModel]:
        """The configs of the filters, by id."""
        found = {entry.id: getattr(entry.filter, "config", None) for entry in self.links}
        return {name: one for name, one in found.items() if isinstance(one, BaseModel)}

    def reports(self) -> dict[str, Mapping[str, Any]]:
        """Return what the filters say they go by at the moment, by id."""
        found = {entry.id: entry.filter.report() for entry in self.links}
        return {name: one for name, one in found.items() if one is not None}

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Start every filter in order; stop them in reverse."""
        async with AsyncExitStack() as stack:
            for entry in self.links:
                await stack.enter_async_context(entry.filter.lifespan())
            yield

    async def run(self, exchange: Exchange) -> Response:
        """Take a request through the chain. Raises nothing but cancellation: errors are answers."""
        try:
            response, answered = await self._request(exchange)
        except GatewayError as error:
            response = Response.from_error(error, exchange.dialect, exchange.id)
            answered = exchange.entered - 1
        return await self._response(exchange, response, answered)

    async def run_or_raise(self, exchange: Exchange) -> Response:
        """Take a request through the chain; what a filter raises comes out as it is.

        For chains nested in a filter, whose owner decides what a failure means. Response hooks run
        only if there is a response.
        """
        response, answered = await self._request(exchange)
        return await self._response(exchange, response, answered)

    async def complete(self, exchange: Exchange, outcome: Outcome) -> None:
        """End an exchange: close its resources, then `on_complete` in reverse.

        Resources go first, so that a client who left stops paying for upstream tokens before any
        hook takes its time. A second call does nothing. Raises nothing but cancellation.
        """
        entered, exchange.entered = exchange.entered, 0
        try:
            await exchange.resources.aclose()
        except Exception:  # a failing clean-up must not keep the hooks from running
            log.exception("closing the resources of an exchange failed")
        for entry in reversed(self.links[:entered]):
            if entry.on_complete is None:
                continue
            try:
                await self._call(entry, exchange, "complete", entry.on_complete, exchange, outcome)
            except GatewayError:
                log.exception('filter "%s" raised in on_complete', entry.id)

    async def _request(self, exchange: Exchange) -> tuple[Response, int]:
        for index, entry in enumerate(self.links):
            exchange.entered = index + 1
            if entry.terminal:
                for before, hook in self._forward:
                    await self._call(before, exchange, "forward", hook, exchange)
            if entry.on_request is None:
                continue
            response = await self._call(entry, exchange, "request", entry.on_request, exchange)
            if response is not None:
                return response, index
        raise FilterFailed("no filter of the chain answered; the last one must be terminal")

    async def _response(self, exchange: Exchange, response: Response, answered: int) -> Response:
        for entry in reversed(self.links[: max(answered, 0)]):
            if entry.on_response is None:
                continue
            try:
                await self._call(entry, exchange, "response", entry.on_response, exchange, response)
            except GatewayError as error:
                await _discard(response)
                response = Response.from_error(error, exchange.dialect, exchange.id)
        return response

    async def _call(
        self,
        entry: Link,
        exchange: Exchange,
        phase: Phase,
        hook: Callable[[Unpack[Args]], Awaitable[T]],
        *args: *Args,
    ) -> T | None:
        """Call one hook under its deadline; time it; turn what it raises into what it means."""
        exchange.filter_id = entry.id
        started, clock = time.time(), time.perf_counter()
        action: Action = "continue"
        failure: BaseException | None = None
        try:
            if entry.timeout is None:
                result = await hook(*args)
            else:
                result = await _within(entry, hook, *args)
        except FilterFailed as error:
            failure = error
            if entry.on_error == "skip":
                action = "skip"
                log.warning('filter "%s" was skipped in %s: %s', entry.id, phase, error.detail)
                return None
            action = "error"
            log.error("%s, in %s", error.detail, phase)  # noqa: TRY400 - it says what happened
            raise
        except GatewayError as error:
            action, failure = "error" if error.source == "filter" else "reject", error
            raise
        except Exception as error:
            failure = error
            if entry.on_error == "skip" or phase == "complete":
                action = "skip"
                log.warning('filter "%s" was skipped in %s', entry.id, phase, exc_info=error)
                return None
            action = "error"
            log.exception('filter "%s" failed in %s', entry.id, phase)
            raise FilterFailed(f'filter "{entry.id}" failed; see the log of the gateway') from error
        else:
            if phase == "request" and result is not None:
                action = "respond"
            return result
        finally:
            seconds = time.perf_counter() - clock
            name = type(failure).__name__ if failure is not None else None
            exchange.timings.append(Timing(entry.id, phase, action, started, seconds, name))


async def _within(entry: Link, hook: Callable[[Unpack[Args]], Awaitable[T]], *args: *Args) -> T:
    """Await a hook under its link's deadline.

    Raises:
        UpstreamTimeout: A terminal filter ran out of time.
        TimeoutError: Another filter did.
    """
    try:
        async with asyncio.timeout(entry.timeout) as deadline:
            return await hook(*args)
    except TimeoutError:
        if deadline.expired() and entry.terminal:
            raise UpstreamTimeout(f"no answer within {entry.timeout:g} s") from None
        if deadline.expired():
            raise TimeoutError(
                f'filter "{entry.id}" took longer than {entry.timeout:g} s'
            ) from None
        raise


async def _discard(response: Response) -> None:
    """Close a body that nobody will read."""
    close = getattr(response.body, "aclose", None)
    if close is not None:
        await close()
