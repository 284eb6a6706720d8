"""What the client is told: who served it, how often was tried, and why it failed."""

from __future__ import annotations

import json
from typing import Any

from starlette.datastructures import MutableHeaders

from plano_builtin_filters.upstream.attempt import AttemptFailed
from plano_builtin_filters.upstream.core import Step
from plano_builtin_filters.upstream.target import response_headers
from plano_builtin_filters.upstream.usage import decode
from plano_filters import (
    Attempts,
    Candidates,
    Exchange,
    Response,
    Route,
    UpstreamFailed,
    UpstreamTimeout,
)
from plano_filters.dialect import error_document


def truth(exchange: Exchange, model: str | None) -> dict[str, str]:
    """Return the headers that say who served an exchange and after how many tries."""
    headers = {"x-plano-attempts": str(len(exchange.state[Attempts]))}
    if model is not None:
        headers["x-plano-model"] = model
        first = exchange.state[Candidates].models[0]
        if model != first:
            headers["x-plano-fallback-from"] = first
    route = exchange.state.get(Route)
    if route is not None:
        headers["x-plano-route"] = route.name
    return headers


def sentence(model: str, failed: AttemptFailed, step: Step, following: str | None) -> dict[str, Any]:
    """Return a decision's text and data about a failed try."""
    does = {
        "again": f"again in {step.wait:.2g} s",
        "next": f"falling back to {following}",
        "stop": "giving up",
    }[step.action]
    return {
        "text": f"{model} {_clause(failed)}, {does}",
        "model": model,
        "error": failed.failure.kind,
        "status": failed.failure.status,
        "action": step.action,
    }


def failed(
    exchange: Exchange, model: str, failure: AttemptFailed, secrets: tuple[str, ...]
) -> Response:
    """Return the provider's own error, as it came but for our credentials.

    The SDKs retry by themselves; we have done that, so they are told not to.

    Raises:
        UpstreamTimeout: It gave none because it was too slow.
        UpstreamFailed: It gave none for another reason.
    """
    headers = {"x-should-retry": "false", **truth(exchange, None)}
    answer = failure.answer
    if answer is None:
        kind = UpstreamTimeout if failure.failure.kind == "timeout" else UpstreamFailed
        tries = len(exchange.state[Attempts])
        raise kind(f"{model} {_clause(failure)} (attempt {tries}, the last)", headers=headers)
    body, fields = answer.body, response_headers(answer.headers)
    for secret in secrets:
        body = body.replace(secret.encode(), b"***")
    if not decode(body):
        error = UpstreamFailed(f"{model} {_clause(failure)}, and not with JSON")
        body = json.dumps(error_document(error, exchange.dialect, exchange.id)).encode()
        fields = [(k, v) for k, v in fields if k not in ("content-type", "content-encoding")]
        fields.append(("content-type", "application/json"))
    raw = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in fields]
    status = answer.status
    if status == 529 and exchange.dialect != "messages":
        status = 503  # 529 is Anthropic's own; OpenAI's clients know 503
    response = Response(status, MutableHeaders(raw=raw), body)
    response.headers.update({**headers, "x-plano-error-source": "upstream", "x-plano-model": model})
    return response


def _clause(failed: AttemptFailed) -> str:
    if failed.failure.kind == "status" and failed.failure.status:
        return failed.detail
    return f"failed ({failed.failure.kind}: {failed.detail})"
