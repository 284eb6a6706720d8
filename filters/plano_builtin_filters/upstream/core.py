"""What to do after a failed try. Time and chance are arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, Literal

Kind = Literal["connect", "dns", "tls", "timeout", "reset", "status", "stream"]
RETRYABLE_4XX: Final = frozenset({408, 409, 429})
QUOTA_CODES: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""429s that no waiting mends."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient the gateway is. Durations in seconds."""

    attempts: int = 2
    backoff_base: float = 0.025
    backoff_cap: float = 2.0
    retry_after_cap: float = 2.0


@dataclass(frozen=True, slots=True)
class Failure:
    """How a try failed."""

    kind: Kind
    status: int | None = None
    retry_after: float | None = None
    """Seconds the provider asked to wait."""
    quota: bool = False
    """The account is out of money."""


@dataclass(frozen=True, slots=True)
class Step:
    """What comes next."""

    action: Literal["again", "next", "stop"]
    """The same model again, the next candidate, or give up."""
    wait: float = 0.0
    """Seconds to wait first."""


def retryable(failure: Failure) -> bool:
    """Say whether another try could do better.

    A 4xx but 408, 409 and 429 is about the request, and a redirect about the configuration: the
    next provider would answer the same.
    """
    if failure.kind != "status":
        return True
    status = failure.status or 0
    return status >= 500 or status in RETRYABLE_4XX


def after(
    failure: Failure, tries: int, policy: Policy, *, more: bool, chance: float, remaining: float
) -> Step:
    """Decide what follows a failed try.

    Args:
        failure: How it failed.
        tries: Tries of this model so far, this one included.
        policy: How patient to be.
        more: Whether there is another candidate.
        chance: A random number in 0..1, for full jitter.
        remaining: Seconds until the deadline of the exchange.
    """
    if not retryable(failure) or remaining <= 0:
        return Step("stop")
    give_up = Step("next") if more else Step("stop")
    if failure.quota or tries >= policy.attempts:
        return give_up
    if failure.retry_after is not None:
        wait = failure.retry_after
        return Step("again", wait) if wait <= policy.retry_after_cap and wait < remaining else give_up
    ceiling = min(policy.backoff_cap, policy.backoff_base * 2.0 ** (tries - 1))
    wait = chance * ceiling
    return Step("again", wait) if wait < remaining else give_up


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read how long a provider asks to wait.

    Args:
        headers: The answer's headers, lower case.
        now: Seconds since the epoch, for `Retry-After` as a date.

    Returns:
        Seconds, at least 0; None if it does not say, or says nonsense.
    """
    precise = _number(headers.get("retry-after-ms", ""))
    if precise is not None:
        return max(0.0, precise / 1000)
    text = headers.get("retry-after", "")
    seconds = _number(text)
    if seconds is not None:
        return max(0.0, seconds)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value and abs(value) < 1e9 else None  # noqa: PLR0124 - no NaN
