"""Latencies that the gateway measures itself: the time to first byte of every model it asks.

Plain and streamed answers are kept apart: a plain one has its first byte when all is written.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from plano_builtin_filters.rerank.config import Statistic
from plano_filters import Attempts, Clock

RECENT: Final = 200
"""Measurements of a model that a percentile is taken from."""
MOST: Final = 1024
"""Models; wildcards let clients ask for any."""


@dataclass(slots=True)
class Track:
    """What was measured of one model. Older measurements weigh less: half after each half-life."""

    weight: float = 0.0
    """Of all measurements, at `updated`."""
    mean: float = 0.0
    """Seconds."""
    updated: float = 0.0
    """Monotonic seconds."""
    recent: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=RECENT))
    """When and how long, oldest first."""
    p95: float | None = None
    """Of `recent`; None: to be computed. All weights fade alike, so time alone changes nothing."""


def add(track: Track, seconds: float, now: float, half_life: float) -> None:
    """Enter a measurement."""
    weight = faded(track, now, half_life) + 1.0
    track.mean += (seconds - track.mean) / weight
    track.weight, track.updated, track.p95 = weight, now, None
    track.recent.append((now, seconds))


def faded(track: Track, now: float, half_life: float) -> float:
    """Return the weight that a track's measurements have left."""
    return track.weight * fade(now - track.updated, half_life)


def fade(age: float, half_life: float) -> float:
    """Return what a weight of 1 is after some seconds."""
    return math.pow(0.5, max(0.0, age) / half_life)


def percentile(
    recent: Iterable[tuple[float, float]], share: float, half_life: float
) -> float | None:
    """Return the time that a share of the weight stays at or below; None without measurements."""
    rows: Sequence[tuple[float, float]] = list(recent)
    if not rows:
        return None
    newest = max(when for when, _ in rows)
    weighed = sorted((seconds, fade(newest - when, half_life)) for when, seconds in rows)
    wanted, reached = share * sum(weight for _, weight in weighed), 0.0
    for seconds, weight in weighed:
        reached += weight
        if reached >= wanted:
            return seconds
    return weighed[-1][0]


class Measured:
    """The measurements of a process; a reload does not lose them.

    Args:
        half_life: Seconds after which a measurement weighs half.
        clock: For their age.
    """

    def __init__(self, half_life: float, clock: Clock) -> None:
        self._half_life = half_life
        self._clock = clock
        self._tracks: OrderedDict[tuple[str, bool], Track] = OrderedDict()
        self._failed: dict[str, float] = {}

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Nothing is to be started."""
        yield

    def learn(self, attempts: Attempts, *, streamed: bool) -> None:
        """Take the times of an exchange: of answers, and of tries that waited in vain.

        A refusal is quick and says nothing; a try that timed out took at least that long.
        """
        for result in attempts.results:
            model = result.attempt.model
            answered = result.error is None and result.status is not None and result.status < 300
            if answered or result.error == "timeout":
                self.enter(model, result.seconds, streamed=streamed)
            if answered:
                self._failed.pop(model, None)
            elif result.error != "CancelledError":
                self._failed[model] = self._clock.now()
                if len(self._failed) > MOST:
                    del self._failed[next(iter(self._failed))]

    def fails(self, model: str) -> bool:
        """Say whether a model's last try failed, less than a half-life ago."""
        when = self._failed.get(model)
        return when is not None and self._clock.now() - when < self._half_life

    def enter(self, model: str, seconds: float, *, streamed: bool) -> None:
        """Enter one measurement."""
        key = (model, streamed)
        track = self._tracks.setdefault(key, Track())
        self._tracks.move_to_end(key)
        add(track, seconds, self._clock.now(), self._half_life)
        if len(self._tracks) > MOST:
            self._tracks.popitem(last=False)

    def samples(self, model: str, *, streamed: bool) -> float:
        """Return how many measurements there are, by weight."""
        track = self._tracks.get((model, streamed))
        return 0.0 if track is None else faded(track, self._clock.now(), self._half_life)

    def find(
        self, model: str, *, streamed: bool, statistic: Statistic, min_samples: float
    ) -> float | None:
        """Return a model's time to first byte in seconds; None if too little is known."""
        track = self._tracks.get((model, streamed))
        if track is None or self.samples(model, streamed=streamed) < min_samples * ENOUGH:
            return None
        if statistic == "ewma":
            return track.mean
        if track.p95 is None:
            track.p95 = percentile(track.recent, 0.95, self._half_life)
        return track.p95

    def shown(self) -> list[dict[str, object]]:
        """Return the figures as JSON values, for people."""
        return [
            {
                "model": model,
                "streamed": streamed,
                "mean_seconds": round(track.mean, 4),
                "p95_seconds": percentile(track.recent, 0.95, self._half_life),
                "samples": round(self.samples(model, streamed=streamed), 2),
            }
            for (model, streamed), track in self._tracks.items()
        ]


ENOUGH: Final = 0.99
"""Of the least weight. Five measurements within a second weigh a little less than five."""
