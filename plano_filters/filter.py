"""What a filter is: one class, one config, up to four hooks.

The life of a filter:

1. Its config is validated. Unknown keys are errors.
2. It is constructed, once per chain. No side effects: no files, no network, no tasks. Validate
   here what the config model cannot.
3. `lifespan` is entered: connections, models, background tasks start here.
4. Hooks run, many exchanges at once. No request state in the filter: it goes on the exchange.
5. `lifespan` is left, after the last exchange of the chain has ended.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

import httpx
from opentelemetry.trace import NoOpTracer, Tracer
from pydantic import BaseModel, ConfigDict

from plano_filters.clock import Clock, SystemClock
from plano_filters.config.document import Document, FilterEntry
from plano_filters.exchange import Exchange, Outcome
from plano_filters.messages import Response
from plano_filters.meter import Meter
from plano_filters.shared import Shared

if TYPE_CHECKING:
    from plano_filters.chain import Chain


class FilterConfig(BaseModel):
    """Base of every filter's config: what users write in YAML, and nothing else."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )


ConfigT = TypeVar("ConfigT", bound=FilterConfig)
TransportFactory = Callable[[], httpx.AsyncBaseTransport]
NestedChain = Callable[[Sequence[FilterEntry], "TerminalFilter[Any]"], "Chain"]


def _no_nested_chain(entries: Sequence[FilterEntry], terminal: TerminalFilter[Any]) -> Chain:
    raise RuntimeError("this context was made without a compiler; nested filters are not available")


def no_transport() -> httpx.AsyncBaseTransport:
    """Stand in where no transport was passed; always raises."""
    raise RuntimeError("this context was made without a transport; pass transport=")


@dataclass(frozen=True, slots=True)
class FactoryContext:
    """What code passes into a filter. Defaults are real; tests pass fakes."""

    id: str
    """The filter's id in its chain; its name unless the YAML says otherwise."""
    document: Document = field(default_factory=Document)
    """The whole configuration: providers, aliases, preferences."""
    clock: Clock = field(default_factory=SystemClock)
    random: random.Random = field(default_factory=random.Random)
    transport: TransportFactory = no_transport
    """Returns the HTTP transport towards providers, shared by the filters of a process. Call it in
    `lifespan`; do not close what it returns."""
    tracer: Tracer = field(default_factory=NoOpTracer)
    meter: Meter = field(default_factory=Meter)
    shared: Shared = field(default_factory=Shared)
    """What the chains of a process use together; a reload does not start it anew."""
    nested: NestedChain = _no_nested_chain
    """Compiles a nested list of filters in front of a terminal of the caller's own."""
    on_error: Literal["fail", "skip"] = "fail"
    """What the filter's link says. The chain sees to it in the hooks; a filter that wraps a stream
    sees to it there."""


class Filter(Generic[ConfigT]):
    """One link of a chain. Override the hooks you need; the others are never called.

    | filter | `on_request` | `on_forward` | `on_response` | `on_complete` |
    | --- | --- | --- | --- | --- |
    | before the one that answered | yes | if that is the terminal one | yes | yes |
    | the one that answered, or raised | yes | no | no | yes |
    | after it | no | no | no | no |

    All but `on_request` are called in reverse order. What `on_forward` raises is answered as if the
    terminal filter had raised it.

    With `on_error: skip` in the YAML, a request goes on when a hook fails or runs out of time. That
    is right for a filter that only helps. One that guards sets `fails_closed`, and `skip` is then a
    mistake that keeps the chain from starting: skipped, it would let everybody in.
    """

    api: ClassVar[str] = "1.0"
    """The oldest version of the API that it can do with. The gateway refuses to start with a filter
    that needs a newer one."""
    config_type: ClassVar[type[FilterConfig]] = FilterConfig
    """The config's model; repeats the generic argument."""
    requires: ClassVar[tuple[type, ...]] = ()
    """Facts that an earlier filter must provide. A fact that may be absent is read with `get`."""
    provides: ClassVar[tuple[type, ...]] = ()
    """Facts that every exchange carries after this filter. A promise."""
    fails_closed: ClassVar[bool] = False
    """Whether nothing may pass when it fails: `on_error: skip` is then refused."""
    may_provide: ClassVar[tuple[type, ...]] = ()
    """Facts of others that it leaves on some exchanges; later filters read them with `get`."""

    def __init__(self, config: ConfigT, context: FactoryContext) -> None:
        self.config = config
        self.context = context

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Start and stop what the filter needs. Entered once, before the first exchange."""
        yield

    async def on_request(self, exchange: Exchange) -> Response | None:
        """See the request. A returned `Response` answers it, and later filters never see it.

        While `exchange.dry_run` is set, store, spend and tell nothing.
        """

    async def on_forward(self, exchange: Exchange) -> None:
        """See the request once more when every filter let it pass, right before it is answered.

        For what can be settled only when the later filters have had their say.
        """

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        """See the response before its head is sent; change it in place."""

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        """See the end: after the last byte, an error, or the client's leaving. Exactly once."""

    def report(self) -> Mapping[str, Any] | None:
        """Say what the filter goes by at the moment, for `/-/sources` of the admin listener.

        JSON values, no secrets; None if there is nothing that an operator would ask about.
        """
        return None


class TerminalFilter(Filter[ConfigT]):
    """The last link: it always answers."""

    async def on_request(self, exchange: Exchange) -> Response:
        raise NotImplementedError
