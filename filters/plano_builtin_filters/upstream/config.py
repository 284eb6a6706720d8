"""What users write under `upstream:`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from plano_filters import FilterConfig
from plano_filters.config import Duration, FilterEntry, filter_entries


class UpstreamConfig(FilterConfig):
    """How often, how long and with which filters a provider is asked."""

    attempts: int | None = Field(default=None, ge=1, le=10)
    """Tries of one model before the next candidate. Default: the listener's `max_retries` + 1,
    else 2."""

    backoff_base: Duration = Field(default=0.025, ge=0)
    """Longest wait before the second try of a model; doubled for each further one. The wait is
    drawn evenly between zero and that."""

    backoff_cap: Duration = Field(default=0.25, ge=0)
    """Longest backoff."""

    retry_after_cap: Duration = Field(default=2.0, ge=0)
    """Longest `Retry-After` of a provider to wait for. A longer one goes to the next candidate."""

    connect_timeout: Duration | None = Field(default=None, gt=0)
    """For a connection, name and TLS included. Default: `overrides.upstream_connect_timeout`."""

    first_byte_timeout: Duration = Field(default=120.0, gt=0)
    """From the request to the first byte of the answer; of a stream, to its first event."""

    idle_timeout: Duration = Field(default=60.0, gt=0)
    """Longest silence in the middle of an answer."""

    total_timeout: Duration | None = Field(default=None, gt=0)
    """For everything: tries, waits and the whole answer. Default: the listener's `timeout`."""

    keep_alive: Duration = Field(default=15.0, ge=0)
    """Send a comment to the client of a stream that has been silent for so long. 0: never."""

    filters: Annotated[tuple[FilterEntry, ...], BeforeValidator(filter_entries)] = ()
    """Filters that run once per try, in front of the provider."""
