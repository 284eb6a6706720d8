"""From the document to sources: what is configured, and what stands in where nothing is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from plano_builtin_filters.rerank import prometheus
from plano_builtin_filters.rerank.config import RerankConfig
from plano_builtin_filters.rerank.measured import Measured
from plano_filters import FactoryContext
from plano_filters.config.document import LatencySource
from plano_filters.prices import PriceBook, book
from plano_filters.prices.keeper import Keeper
from plano_filters.prices.reading import Page

LATENCY_SECONDS: Final = 60
"""Between two queries. Prometheus itself scrapes every 15 to 60 seconds."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """Latencies, and where they are from."""

    source: str
    age: float | None
    """Seconds; None where it means nothing."""
    find: Callable[[str], float | None]


class Sources:
    """The sources of one chain.

    Args:
        config: How the gateway's own measurements are read.
        context: The document, clock, transport; sources outlive a reload that leaves them alone.
    """

    def __init__(self, config: RerankConfig, context: FactoryContext) -> None:
        self._config = config
        self._context = context
        declared = context.document.model_metrics_sources
        self._latency = next((one for one in declared if isinstance(one, LatencySource)), None)
        self._prices: PriceBook | None = None
        self._prometheus: Keeper[prometheus.Latencies] | None = None
        self.measured = Measured(config.half_life, context.clock)
        """Replaced in `lifespan` by those of the process."""

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Start the sources."""
        async with AsyncExitStack() as stack:
            self._prices = await stack.enter_async_context(book(self._context))
            use = self._context.shared.use
            if self._latency is not None and self._latency.provider == "prometheus":
                key = (Keeper, self._latency.model_dump_json())
                self._prometheus = await stack.enter_async_context(
                    use(key, partial(self._keep_latencies, self._latency))
                )
            half_life, clock = self._config.half_life, self._context.clock
            self.measured = await stack.enter_async_context(
                use((Measured, half_life), lambda: Measured(half_life, clock))
            )
            yield

    @property
    def prices(self) -> PriceBook:
        """What models cost and what they take."""
        if self._prices is None:
            raise RuntimeError("the lifespan of this filter was not entered")
        return self._prices

    def latencies(self, *, streamed: bool) -> Latencies:
        """Return the latencies: those of Prometheus, or until it answered our own."""
        kept = self._prometheus
        if kept is not None and kept.value is not None:
            return Latencies(kept.name, kept.age(), kept.value.find)
        find = partial(
            self.measured.find,
            streamed=streamed,
            statistic=self._config.statistic,
            min_samples=self._config.min_samples,
        )
        return Latencies("self", None, find)

    def shown(self) -> dict[str, object]:
        """Return the state of every source as JSON values."""
        own = {"source": "self", "models": self.measured.shown()}
        kept = [] if self._prometheus is None else [self._prometheus.shown()]
        used = self.latencies(streamed=True).source
        return {
            "cost": self.prices.shown(),
            "latency": {"used": used, "sources": [own, *kept]},
        }

    def _keep_latencies(self, latency: LatencySource) -> Keeper[prometheus.Latencies]:
        address = prometheus.address(latency.url or "", latency.query or "")
        return Keeper(
            "prometheus",
            Page(address, self._context.transport),
            prometheus.parse,
            interval=latency.refresh_interval or LATENCY_SECONDS,
            context=self._context,
        )
