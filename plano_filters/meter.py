"""Instruments for filters, backed by `prometheus_client`.

Get-or-create, because a reload builds every filter anew while the old ones still serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

InstrumentT = TypeVar("InstrumentT", bound=MetricWrapperBase)


class Meter:
    """Creates counters, gauges and histograms in one registry.

    Args:
        registry: Where they are collected; a new one unless given.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry(auto_describe=True)
        self._made: dict[str, MetricWrapperBase] = {}
        self._lock = Lock()

    def counter(self, name: str, description: str, labels: Sequence[str] = ()) -> Counter:
        """Return the counter of this name. Label values must come from a closed set."""
        return self._get(Counter, name, description, labels)

    def gauge(
        self, name: str, description: str, labels: Sequence[str] = (), *, mode: str = "livesum"
    ) -> Gauge:
        """Return the gauge of this name.

        Args:
            mode: How the workers of a host are added up: `prometheus_client`'s modes.
        """
        return self._get(Gauge, name, description, labels, multiprocess_mode=mode)

    def histogram(
        self, name: str, description: str, buckets: Sequence[float], labels: Sequence[str] = ()
    ) -> Histogram:
        """Return the histogram of this name. Durations are in seconds."""
        return self._get(Histogram, name, description, labels, buckets=buckets)

    def _get(
        self,
        kind: type[InstrumentT],
        name: str,
        description: str,
        labels: Sequence[str],
        **options: object,
    ) -> InstrumentT:
        with self._lock:
            made = self._made.get(name)
            if made is None:
                made = kind(name, description, labels, registry=self.registry, **options)  # type: ignore[arg-type]
                self._made[name] = made
            if not isinstance(made, kind):
                raise ValueError(f"{name} is already a {type(made).__name__}")
            return made
