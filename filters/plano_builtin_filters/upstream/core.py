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
UNREACHABLE: Final = frozenset({"connect", "dns", "tls"})
UNREACHABLE_TRIES: Final = 2
"""Most tries of a model whose provider cannot be reached: a third would mend nothing."""
SHORTEST_TRY: Final = 0.01
"""Seconds. With less left before the deadline no try can succeed."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient the gateway is. Durations in seconds."""

    attempts: int = 2
    backoff_base: float = 0.025
    backoff_cap: float = 0.25
    retry_after_cap: float = 2.0


@dataclass(frozen=True, slots=True)
class Failure:
    """How a try failed.

    `status` means that the answer's status says so; `stream` that it said 200 and was no answer:
    an error event first, an end before the first event, an HTML page.
    """

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
    if not retryable(failure) or remaining < SHORTEST_TRY:
        return Step("stop")
    give_up = Step("next") if more else Step("stop")
    limit = policy.attempts
    if failure.kind in UNREACHABLE:
        limit = min(limit, UNREACHABLE_TRIES)
    if failure.quota or tries >= limit:
        return give_up
    wait = failure.retry_after
    if wait is None:
        wait = chance * min(policy.backoff_cap, policy.backoff_base * 2.0 ** (tries - 1))
    elif wait > policy.retry_after_cap:
        return give_up
    return Step("again", wait) if wait + SHORTEST_TRY <= remaining else give_up


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read how long a provider asks to wait.

    Args:
        headers: The answer's headers, names in lower case.
        now: Seconds since the epoch, for `Retry-After` as a date.

    Returns:
        Seconds, at least 0; None if it does not say, or says nonsense.

    Source:
        RFC 9110 section 10.2.3; `retry-after-ms` is OpenAI's, and more precise.
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
    return value if abs(value) < 1e9 else None  # neither NaN nor infinity passes
