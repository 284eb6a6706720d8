"""What the client is told: who served it, how often was tried, and why it failed."""

from __future__ import annotations

import json
from typing import Any

from starlette.datastructures import MutableHeaders

from plano_builtin_filters.upstream import headers
from plano_builtin_filters.upstream.attempt import AttemptFailed
from plano_builtin_filters.upstream.core import Step
from plano_builtin_filters.upstream.usage import decode
from plano_filters import (
    Attempts,
    Candidates,
    Cost,
    Exchange,
    Response,
    Route,
    UpstreamFailed,
    UpstreamTimeout,
)
from plano_filters.dialect import error_document
from plano_filters.messages import header_text


def truth(exchange: Exchange, model: str | None) -> dict[str, str]:
    """Return the headers that say who answered, after how many tries, and what it cost.

    What is not ASCII in a name is percent-encoded: a header could not carry it.

    Args:
        exchange: With its ledger.
        model: Who answered; None if nobody was asked.
    """
    told = {"x-plano-attempts": str(len(exchange.state[Attempts]))}
    if model is not None:
        told["x-plano-model"] = header_text(model)
        first = exchange.state[Candidates].models[0]
        if model != first:
            told["x-plano-fallback-from"] = header_text(first)
    route = exchange.state.get(Route)
    if route is not None:
        told["x-plano-route"] = header_text(route.name)
        if route.confidence is not None:
            told["x-plano-route-confidence"] = f"{route.confidence:.3f}"
    paid = exchange.state.get(Cost)
    if paid is not None and paid.whole:
        told["x-plano-cost-usd"] = shown_usd(paid.usd)
    return told


def shown_usd(usd: float) -> str:
    """Write an amount without an exponent: 12 decimals at most, and no more than it has."""
    return f"{usd:.12f}".rstrip("0").rstrip(".")


def decision(
    model: str, failed: AttemptFailed, step: Step, following: str | None
) -> dict[str, Any]:
    """Return a decision's text and data about a failed try."""
    then = {
        "again": f"retry in {step.wait:.2g} s",
        "next": f"fallback to {following}",
        "stop": "giving up",
    }[step.action]
    return {
        "text": f"{model} {failed.does}, {then}",
        "model": model,
        "error": failed.failure.kind,
        "status": failed.failure.status,
        "action": step.action,
    }


def final(
    exchange: Exchange, model: str, failed: AttemptFailed, secrets: tuple[str, ...]
) -> Response:
    """Return the last provider's own error, as it came but for our credentials.

    The SDKs retry by themselves; we have done that, so they are told not to.

    Args:
        exchange: With its ledger.
        model: Who failed last.
        failed: How.
        secrets: What must not be in the answer.

    Raises:
        UpstreamTimeout: It gave none because it was too slow.
        UpstreamFailed: It gave none for another reason.
    """
    told = {"x-should-retry": "false", **truth(exchange, model)}
    answer = failed.answer
    if answer is None:
        kind = UpstreamTimeout if failed.failure.kind == "timeout" else UpstreamFailed
        tries = len(exchange.state[Attempts])
        raise kind(f"{model} {failed.does} (attempt {tries}, the last)", headers=told)
    body, pairs = answer.body, headers.down(answer.headers)
    for secret in secrets:
        body = body.replace(secret.encode(), b"***")
    if not decode(body):
        error = UpstreamFailed(f"{model} {failed.does}, and not with a JSON object")
        body = json.dumps(error_document(error, exchange.dialect, exchange.id)).encode()
        pairs = [p for p in pairs if p[0] not in (b"content-type", b"content-encoding")]
        pairs.append((b"content-type", b"application/json"))
    status = answer.status
    if status == 529 and exchange.dialect != "messages":
        status = 503  # 529 is Anthropic's own; OpenAI's clients know 503
    response = Response(status, MutableHeaders(raw=pairs), body)
    response.headers.update({**told, "x-plano-error-source": "upstream"})
    return response
