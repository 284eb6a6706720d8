"""The price book of a document: its catalogue, or until that was read the bundled one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from plano_filters import providers
from plano_filters.config.document import CostSource
from plano_filters.filter import FactoryContext
from plano_filters.prices.catalog import Ability, Catalog
from plano_filters.prices.keeper import Keeper
from plano_filters.prices.rates import FREE, Rates
from plano_filters.prices.reading import OnDisk, Page, Place
from plano_filters.prices.sources import digitalocean, file, genai_prices, models_dev

BUNDLED: Final = "genai-prices"
OWN: Final = "own"
CATALOG_SECONDS: Final = 3600
"""Between two readings of a catalogue, unless the document says otherwise. Prices change weekly."""
FILE_SECONDS: Final = 60
"""Between two looks at a file: one that did not change is not read."""
_CATALOGS: Final[Mapping[str, tuple[str, Callable[[bytes, Mapping[str, str]], Catalog]]]] = {
    "digitalocean": (digitalocean.URL, digitalocean.parse),
    "models.dev": (models_dev.URL, models_dev.parse),
    "file": ("", file.parse),
}


@dataclass(frozen=True, slots=True)
class Quote:
    """A price, and where it is from."""

    rates: Rates
    source: str
    """`genai-prices`, `models.dev`, `digitalocean` or `file`; `own` for a server of one's own."""
    age: float | None
    """Seconds since the source was last known to be true; None where that means nothing."""


def book(context: FactoryContext) -> AbstractAsyncContextManager[PriceBook]:
    """Enter the price book of the document that a filter belongs to.

    All filters of a process use one; a reload that leaves the cost source alone keeps it.

    Args:
        context: The filter's. Call it in `lifespan`.
    """
    declared = context.document.model_metrics_sources
    cost = next((one for one in declared if isinstance(one, CostSource)), None)
    key = (PriceBook, cost.model_dump_json() if cost is not None else None)
    return context.shared.use(key, lambda: PriceBook(cost, context))


class PriceBook:
    """What models cost and what they take.

    Figures of two sources are never mixed: one source is asked for all rates. What models take is
    filled in from the bundled data where the source says nothing.

    Args:
        cost: The declared source; None for the bundled prices.
        context: Clock, transport, random numbers, metrics.
    """

    def __init__(self, cost: CostSource | None, context: FactoryContext) -> None:
        self._context = context
        self._aliases: Mapping[str, str] = {}
        self._bundled: genai_prices.Bundled | None = None
        self._keeper: Keeper[Catalog] | None = None
        if cost is not None and cost.provider == BUNDLED:
            self._aliases = cost.model_aliases
        elif cost is not None:
            self._keeper = _keeper(cost, context)

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Start the source. Nothing is waited for but the bundled file."""
        self._bundled = await asyncio.to_thread(genai_prices.load, self._aliases)
        if self._keeper is None:
            yield
            return
        async with self._keeper.lifespan():
            yield

    @property
    def source(self) -> str:
        """Which source counts at the moment."""
        kept = self._keeper
        return kept.name if kept is not None and kept.value is not None else BUNDLED

    def age(self) -> float | None:
        """Return the age of the rates in seconds; of the bundled ones since they were collected."""
        if self._keeper is not None and self._keeper.value is not None:
            return self._keeper.age()
        made = datetime.fromisoformat(self._bundle.date).replace(tzinfo=UTC).timestamp()
        return max(0.0, self._context.clock.time() - made)

    def rates(self, model: str) -> Quote | None:
        """Return what a declared model costs; None if it is not known.

        Args:
            model: Full name, `provider/model-id`. Looked for as it is, then by its bare id. One
                that runs on a server of one's own costs nothing unless the source says otherwise.
        """
        kept = self._keeper.value if self._keeper is not None else None
        found = (kept if kept is not None else self._bundle).find(model)
        if found is not None and found.rates is not None:
            return Quote(found.rates, self.source, self.age())
        row = providers.find(model.partition("/")[0])
        return Quote(FREE, OWN, None) if row is not None and row.own else None

    def ability(self, model: str) -> Ability:
        """Return what a model takes, from the source, then from the bundled data."""
        found = Ability()
        for catalog in (self._keeper.value if self._keeper else None, self._bundle):
            known = catalog.find(model) if catalog is not None else None
            found = found.filled(known.ability) if known is not None else found
        return found

    def shown(self) -> dict[str, object]:
        """Return the state of the sources as JSON values."""
        bundled = {"source": BUNDLED, "date": self._bundle.date, "entries": len(self._bundle)}
        kept = [] if self._keeper is None else [self._keeper.shown()]
        return {"used": self.source, "sources": [bundled, *kept]}

    @property
    def _bundle(self) -> genai_prices.Bundled:
        if self._bundled is None:
            raise RuntimeError("the lifespan of this price book was not entered")
        return self._bundled


def _keeper(cost: CostSource, context: FactoryContext) -> Keeper[Catalog]:
    url, parse = _CATALOGS[cost.provider]
    on_disk = cost.provider == "file"
    place: Place = OnDisk(cost.url or "") if on_disk else Page(cost.url or url, context.transport)
    return Keeper(
        cost.provider,
        place,
        lambda text: parse(text, cost.model_aliases),
        interval=cost.refresh_interval or (FILE_SECONDS if on_disk else CATALOG_SECONDS),
        context=context,
    )
