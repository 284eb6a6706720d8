"""From the document to sources: what is configured, and what stands in where nothing is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, Generic, TypeVar

from plano_builtin_filters.rerank.catalog import Ability, Catalog, Model
from plano_builtin_filters.rerank.config import RerankConfig
from plano_builtin_filters.rerank.keeper import Keeper
from plano_builtin_filters.rerank.reading import OnDisk, Page, Place
from plano_builtin_filters.rerank.sources import (
    digitalocean,
    file,
    genai_prices,
    models_dev,
    prometheus,
)
from plano_builtin_filters.rerank.sources.measured import Measured
from plano_filters import FactoryContext
from plano_filters.config.document import CostSource, LatencySource

T = TypeVar("T")
COST_SECONDS: Final = 3600
"""Between two readings of a catalogue, unless the document says otherwise. Prices change weekly."""
FILE_SECONDS: Final = 60
"""Between two looks at a file: one that did not change is not read."""
LATENCY_SECONDS: Final = 60
"""Between two queries. Prometheus itself scrapes every 15 to 60 seconds."""
_CATALOGS: Final[Mapping[str, tuple[str, Callable[[bytes, Mapping[str, str]], Catalog]]]] = {
    "digitalocean": (digitalocean.URL, digitalocean.parse),
    "models.dev": (models_dev.URL, models_dev.parse),
    "file": ("", file.parse),
}


@dataclass(frozen=True, slots=True)
class Book(Generic[T]):
    """Figures, and where they are from."""

    source: str
    age: float | None
    """Seconds; None where it means nothing."""
    find: Callable[[str], T | None]


class Sources:
    """The sources of one chain.

    Args:
        config: Limits, and how the gateway's own measurements are read.
        context: The document, clock, transport; sources outlive a reload that leaves them alone.
    """

    def __init__(self, config: RerankConfig, context: FactoryContext) -> None:
        self._config = config
        self._context = context
        declared = context.document.model_metrics_sources
        self._cost = next((one for one in declared if isinstance(one, CostSource)), None)
        self._latency = next((one for one in declared if isinstance(one, LatencySource)), None)
        self._catalog: Keeper[Catalog] | None = None
        self._prometheus: Keeper[prometheus.Latencies] | None = None
        self._bundled: genai_prices.Bundled | None = None
        self.measured = Measured(config.half_life, context.clock)
        """Replaced in `lifespan` by those of the process."""

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Start the sources. Nothing is waited for but the bundled file."""
        aliases: dict[str, str] = {}
        if self._cost is not None and self._cost.provider == "genai-prices":
            aliases = self._cost.model_aliases
        self._bundled = await asyncio.to_thread(genai_prices.load, aliases)
        async with AsyncExitStack() as stack:
            use, limits = (
                self._context.shared.use,
                (self._config.fetch_timeout, self._config.max_bytes),
            )
            if self._cost is not None and self._cost.provider != "genai-prices":
                key = (Keeper, self._cost.model_dump_json(), *limits)
                self._catalog = await stack.enter_async_context(
                    use(key, partial(self._keep_catalog, self._cost))
                )
            if self._latency is not None and self._latency.provider == "prometheus":
                key = (Keeper, self._latency.model_dump_json(), *limits)
                self._prometheus = await stack.enter_async_context(
                    use(key, partial(self._keep_latencies, self._latency))
                )
            half_life, clock = self._config.half_life, self._context.clock
            self.measured = await stack.enter_async_context(
                use((Measured, half_life), lambda: Measured(half_life, clock))
            )
            yield

    def costs(self) -> Book[Model]:
        """Return the prices: of the configured source, or until it was read the bundled ones."""
        if self._catalog is not None and self._catalog.value is not None:
            return Book(self._catalog.name, self._catalog.age(), self._catalog.value.find)
        if self._bundled is None:
            raise RuntimeError("the lifespan of this filter was not entered")
        made = datetime.fromisoformat(self._bundled.date).replace(tzinfo=UTC).timestamp()
        age = max(0.0, self._context.clock.time() - made)
        return Book("genai-prices", age, self._bundled.find)

    def latencies(self, *, streamed: bool) -> Book[float]:
        """Return the latencies: those of Prometheus, or until it answered our own."""
        if self._prometheus is not None and self._prometheus.value is not None:
            return Book(self._prometheus.name, self._prometheus.age(), self._prometheus.value.find)
        find = partial(
            self.measured.find,
            streamed=streamed,
            statistic=self._config.statistic,
            min_samples=self._config.min_samples,
        )
        return Book("self", None, find)

    def ability(self, model: str) -> Ability:
        """Return what a model takes, from the configured source, then from the bundled data."""
        found = Ability()
        for catalog in (self._catalog.value if self._catalog else None, self._bundled):
            known = catalog.find(model) if catalog is not None else None
            found = found.filled(known.ability) if known is not None else found
        return found

    def shown(self) -> dict[str, object]:
        """Return the state of every source as JSON values."""
        costs, latencies = self.costs(), self.latencies(streamed=True)
        return {
            "cost": {
                "used": costs.source,
                "sources": [self._shown_bundled(), *_kept(self._catalog)],
            },
            "latency": {
                "used": latencies.source,
                "sources": [
                    {"source": "self", "models": self.measured.shown()},
                    *_kept(self._prometheus),
                ],
            },
        }

    def _shown_bundled(self) -> dict[str, object]:
        bundled = self._bundled
        entries, date = (len(bundled), bundled.date) if bundled else (0, None)
        return {"source": "genai-prices", "date": date, "entries": entries}

    def _keep_catalog(self, cost: CostSource) -> Keeper[Catalog]:
        url, parse = _CATALOGS[cost.provider]
        place: Place
        often = FILE_SECONDS if cost.provider == "file" else COST_SECONDS
        if cost.provider == "file":
            place = OnDisk(cost.url or "", self._config.max_bytes)
        else:
            place = Page(cost.url or url, self._context.transport, self._config.max_bytes)
        return Keeper(
            cost.provider,
            place,
            lambda text: parse(text, cost.model_aliases),
            interval=cost.refresh_interval or often,
            timeout=self._config.fetch_timeout,
            context=self._context,
        )

    def _keep_latencies(self, latency: LatencySource) -> Keeper[prometheus.Latencies]:
        address = prometheus.address(latency.url or "", latency.query or "")
        return Keeper(
            "prometheus",
            Page(address, self._context.transport, self._config.max_bytes),
            prometheus.parse,
            interval=latency.refresh_interval or LATENCY_SECONDS,
            timeout=self._config.fetch_timeout,
            context=self._context,
        )


def _kept(keeper: Keeper[Catalog] | Keeper[prometheus.Latencies] | None) -> list[dict[str, object]]:
    return [] if keeper is None else [keeper.shown()]
