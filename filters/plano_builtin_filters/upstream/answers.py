"""What the client is told: who served it, how often was tried, and why it failed."""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.datastructures import MutableHeaders

from plano_builtin_filters.upstream import headers
from plano_builtin_filters.upstream.attempt import AttemptFailed
from plano_builtin_filters.upstream.core import Step
from plano_builtin_filters.upstream.reported import reported, request_id
from plano_builtin_filters.upstream.target import Target
from plano_builtin_filters.upstream.translated import Translated
from plano_builtin_filters.upstream.usage import decode
from plano_filters import (
    Attempts,
    Candidates,
    Cost,
    Exchange,
    GatewayError,
    Response,
    Route,
    UpstreamFailed,
    UpstreamTimeout,
)
from plano_filters.dialect import error_document
from plano_filters.messages import header_text

LONGEST_LIST: Final = 4096
"""Bytes of a header with a list; servers and proxies refuse heads beyond some kilobytes."""


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
    lost = exchange.state.get(Translated)
    if lost is not None and lost.dropped:
        told["x-plano-dropped-params"] = header_text(", ".join(lost.dropped))[:LONGEST_LIST]
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


def final(exchange: Exchange, model: str, where: Target, failed: AttemptFailed) -> Response:
    """Return the last provider's own error: as it came, or in the client's dialect.

    Our credentials are not in it. The SDKs retry by themselves; we have done that, so they are
    told not to.

    Args:
        exchange: With its ledger.
        model: Who failed last.
        where: It was asked.
        failed: How.

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
    body = answer.body
    for secret in where.secrets:
        body = body.replace(secret.encode(), b"***")
    document = decode(body)
    rewritten = not document or where.dialect != where.client
    head = MutableHeaders(raw=headers.down(answer.headers, rewritten=rewritten))
    if rewritten:
        error: GatewayError = UpstreamFailed(f"{model} {failed.does}, and not with a JSON object")
        if document:
            error = reported(document, _status(failed))
            theirs = request_id(document)
            if theirs is not None:
                head.setdefault("x-upstream-request-id", theirs)
        body = json.dumps(error_document(error, exchange.dialect, exchange.id)).encode()
        head["content-type"] = "application/json"
    status = answer.status
    if status == 529 and exchange.dialect != "messages":
        status = 503  # 529 is Anthropic's own; OpenAI's clients know 503
    response = Response(status, head, body)
    response.headers.update({**told, "x-plano-error-source": "upstream"})
    return response


def _status(failed: AttemptFailed) -> int | None:
    """Return the status that a provider's error came with; None if it said 200."""
    return failed.failure.status if failed.failure.kind == "status" else None
