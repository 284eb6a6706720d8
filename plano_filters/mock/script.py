"""What a request's headers ask the mock to do wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

DEFAULT_DELAY: Final = 0.03
"""Seconds between two chunks of a stream: slow enough to be seen."""


@dataclass(frozen=True, slots=True)
class Script:
    """The behaviour of one answer. Durations in seconds."""

    status: int = 200
    retry_after: str | None = None
    delay: float = DEFAULT_DELAY
    first_byte: float = 0.0
    cut_after: int | None = None
    """Break a stream off after so many events."""
    connect_error: bool = False

    @classmethod
    def read(cls, headers: Mapping[str, str], model: str, attempt: int) -> Script:
        """Read the `x-mock-*` headers.

        Args:
            headers: Of the request, names in lower case.
            model: The model asked; `x-mock-model` limits failures to one.
            attempt: 1 for the first request of this request id.
        """
        delay = _number(headers.get("x-mock-delay-ms"), DEFAULT_DELAY * 1000) / 1000
        first_byte = _number(headers.get("x-mock-first-byte-ms"), 0) / 1000
        if headers.get("x-mock-model", model) != model:
            return cls(delay=delay)
        statuses = [s.strip() for s in headers.get("x-mock-status", "200").split(",")]
        status = statuses[min(attempt, len(statuses)) - 1]
        cut = headers.get("x-mock-cut-after", "")
        return cls(
            status=int(status) if status.isdecimal() and 200 <= int(status) <= 599 else 200,
            retry_after=headers.get("x-mock-retry-after"),
            delay=delay,
            first_byte=first_byte,
            cut_after=int(cut) if cut.isdecimal() else None,
            connect_error="x-mock-connect-error" in headers,
        )


def _number(text: str | None, default: float) -> float:
    try:
        return min(60_000.0, max(0.0, float(text))) if text is not None else default
    except ValueError:
        return default
