"""The access log: one JSON line an exchange. Never a prompt, never a secret."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

from pydantic import ValidationError

from plano_filters.config.words import without_input
from plano_filters.exchange import Exchange, Outcome
from plano_filters.facts import Decided
from plano_filters.telemetry.view import View

log = logging.getLogger("plano_filters.access")

ExceptionInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)
LONGEST: Final = 200
"""Characters of anything that a client chose."""


def record(exchange: Exchange, outcome: Outcome, view: View) -> None:
    """Write the line of one exchange."""
    if log.isEnabledFor(logging.INFO):
        log.info("exchange", extra={"fields": fields(exchange, outcome, view)})


def fields(exchange: Exchange, outcome: Outcome, view: View) -> dict[str, Any]:
    """Return what there is to say of an exchange; absent things are left out."""
    context, decided = exchange.span.get_span_context(), exchange.state.get(Decided)
    line: dict[str, Any] = {
        "request_id": exchange.id,
        "trace_id": f"{context.trace_id:032x}" if context.is_valid else None,
        "span_id": f"{context.span_id:016x}" if context.is_valid else None,
        "method": exchange.request.method[:LONGEST],
        "path": exchange.request.path[:LONGEST],
        "status": view.status,
        "disconnected": outcome.disconnected or None,
        "bytes_sent": outcome.bytes_sent,
        "duration_s": round(view.seconds, 6),
        "first_byte_s": round(view.first_byte, 6) if view.first_byte is not None else None,
        "requested": view.requested[:LONGEST] or None,
        "model": view.served or None,
        "decided": decided.model[:LONGEST] if decided else None,
        "provider": view.provider or None,
        "route": view.route or None,
        "principal": view.principal[:LONGEST] or None,
        "attempts": [
            {
                "model": result.attempt.model[:LONGEST],
                "status": result.status,
                "error": result.error,
                "seconds": round(result.seconds, 6),
            }
            for result in view.attempts
        ]
        or None,
        "decisions": [f"{d.filter}: {d.text}"[: 2 * LONGEST] for d in exchange.decisions] or None,
        "usage": _usage(view),
        "cost": _cost(view),
        "error": view.error or None,
        "error_source": getattr(outcome.error, "source", None),
        "user_agent": exchange.request.headers.get("user-agent", "")[:LONGEST] or None,
    }
    return {name: value for name, value in line.items() if value is not None}


def _usage(view: View) -> dict[str, int] | None:
    if view.usage is None:
        return None
    counts = {
        "input": view.usage.input_tokens,
        "output": view.usage.output_tokens,
        "cached": view.usage.cached_tokens,
        "cache_write": view.usage.cache_write_tokens,
        "cache_write_1h": view.usage.cache_write_1h_tokens,
        "reasoning": view.usage.reasoning_tokens,
    }
    return {name: count for name, count in counts.items() if count is not None}


def _cost(view: View) -> dict[str, Any] | None:
    if view.cost is None:
        return None
    told: dict[str, Any] = {"usd": round(view.cost.usd, 12), "source": view.cost.source}
    if view.cost.age is not None:
        told["age_s"] = round(view.cost.age, 1)
    if not view.cost.whole:
        told["whole"] = False
    return told


class TextFormatter(logging.Formatter):
    """Writes tracebacks without the values that pydantic puts into its errors."""

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802 - logging's name
        """Return the traceback: what failed, but not on which prompt or credential."""
        text = super().formatException(ei)
        error = ei[1]
        while error is not None:
            if isinstance(error, ValidationError):
                text = text.replace(str(error), without_input(error))
            error = error.__cause__ or error.__context__
        return text


class JSONFormatter(TextFormatter):
    """Writes any log record as one line of JSON; control characters are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class SafeHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Drops lines that cannot be written: a full or closed stdout must not stop requests."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Ignore it."""


def configure_logging(level: str = "INFO", *, as_json: bool = True, access: bool = True) -> None:
    """Send log records to stdout (the access log) and stderr (everything else).

    Args:
        level: Lowest level of the gateway's and other libraries' records.
        as_json: One JSON object a line; else plain text.
        access: Whether to write the access log.
    """
    import sys  # noqa: PLC0415 - the streams of the moment, which tests replace

    plain = TextFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    formatter = JSONFormatter() if as_json else plain
    rest = SafeHandler(sys.stderr)
    rest.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[rest], force=True)
    lines = SafeHandler(sys.stdout)
    lines.setFormatter(JSONFormatter())
    log.handlers[:] = [lines] if access else []
    log.propagate = False
    log.setLevel(logging.INFO if access else logging.CRITICAL)
