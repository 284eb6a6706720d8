"""Everything of a request that is neither conversation nor tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from plano_filters.errors import BadRequest
from plano_filters.translation.base import Document
from plano_filters.translation.messages_to_chat.job import Job
from plano_filters.translation.messages_to_chat.schema import is_strict
from plano_filters.translation.reading import left_out

MOST_STOPS: Final = 4
"""Stop sequences. OpenAI refuses a request with more."""
LOW_BUDGET: Final = 4_000
MEDIUM_BUDGET: Final = 16_000
"""Tokens of thinking below which the effort is low, or medium."""

Payload = Mapping[str, Any]


def parameters_of(payload: Payload, job: Job) -> Document:
    """Translate the parameters; whatever is not known here or elsewhere is dropped.

    Raises:
        BadRequest: One is not what Anthropic allows.
    """
    found: Document = {name: payload[name] for name in _COPIED if payload.get(name) is not None}
    for translate in _TRANSLATIONS:
        found |= translate(payload, job)
    job.dropped.extend(left_out(payload, _KNOWN))
    return found


def _limit(payload: Payload, job: Job) -> Document:
    """The limit of the answer, at most what the model can answer with."""
    limit = payload.get("max_tokens")
    if limit is None:
        return {}
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise BadRequest('"max_tokens" must be a positive integer', param="max_tokens")
    most = job.traits.max_tokens
    if most is not None and limit > most:
        job.dropped.append("max_tokens")
        limit = most
    return {job.traits.max_tokens_field: limit}


def _stop(payload: Payload, job: Job) -> Document:
    """The first four stop sequences; the others are dropped."""
    stops = payload.get("stop_sequences")
    if stops is None:
        return {}
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise BadRequest('"stop_sequences" must be a list of strings', param="stop_sequences")
    kept: list[str] = []
    for index, stop in enumerate(stops):
        if stop and len(kept) < MOST_STOPS:
            kept.append(stop)
        else:
            job.dropped.append(f"stop_sequences.{index}")
    return {"stop": kept} if kept else {}


def _stream(payload: Payload, job: Job) -> Document:
    """With the usage, which an Anthropic client always expects."""
    if payload.get("stream") is True and job.traits.stream_usage:
        return {"stream_options": {"include_usage": True}}
    return {}


def _reasoning(payload: Payload, job: Job) -> Document:
    """`none` if thinking is disabled, else `output_config.effort`, else what fits the budget."""
    effort = _object(payload, "output_config").get("effort")
    thinking = _object(payload, "thinking")
    kind = thinking.get("type")
    budget = thinking.get("budget_tokens")
    if effort is None and kind == "enabled" and isinstance(budget, int):
        job.dropped.extend(left_out(thinking, ("type", "budget_tokens"), "thinking"))
        return {"reasoning_effort": _effort(budget)}
    if effort is None and kind != "disabled":
        if thinking:
            job.dropped.append("thinking")
        return {}
    job.dropped.extend(left_out(thinking, ("type",), "thinking"))
    if kind != "disabled":
        return {"reasoning_effort": effort}
    if effort is not None:
        job.dropped.append("output_config.effort")
    return {"reasoning_effort": "none"}


def _effort(budget: int) -> str:
    if budget < LOW_BUDGET:
        return "low"
    return "medium" if budget < MEDIUM_BUDGET else "high"


def _format(payload: Payload, job: Job) -> Document:
    """The schema of the answer; one that OpenAI cannot be strict about counts as dropped too."""
    config = _object(payload, "output_config")
    job.dropped.extend(left_out(config, ("effort", "format"), "output_config"))
    path, wanted = "output_config.format", config.get("format")
    if wanted is None:
        path, wanted = "output_format", payload.get("output_format")
    elif payload.get("output_format") is not None:
        job.dropped.append("output_format")
    if wanted is None:
        return {}
    schema = wanted.get("schema") if isinstance(wanted, Mapping) else None
    if not isinstance(schema, Mapping) or wanted.get("type") != "json_schema":
        raise BadRequest(f'"{path}" must be a "json_schema" with its "schema"', param=path)
    job.dropped.extend(left_out(wanted, ("type", "schema"), path))
    strict = is_strict(schema)
    if not strict:
        job.dropped.append(f"{path}.schema")
    described = {"name": "answer", "schema": schema, "strict": strict}
    return {"response_format": {"type": "json_schema", "json_schema": described}}


def _user(payload: Payload, job: Job) -> Document:
    """Who asks, hashed: OpenAI takes 64 characters, and Claude Code sends 150."""
    metadata = _object(payload, "metadata")
    job.dropped.extend(left_out(metadata, ("user_id",), "metadata"))
    user = metadata.get("user_id")
    if user is None:
        return {}
    if not isinstance(user, str):
        raise BadRequest('"metadata.user_id" must be a string', param="metadata.user_id")
    return {"safety_identifier": sha256(user.encode("utf-8", "replace")).hexdigest()}


def _tier(payload: Payload, job: Job) -> Document:
    tier = payload.get("service_tier")
    known = {"auto": "auto", "standard_only": "default"}
    if isinstance(tier, str) and tier in known:
        return {"service_tier": known[tier]}
    if tier is not None:
        job.dropped.append("service_tier")
    return {}


def _object(payload: Payload, name: str) -> Payload:
    value = payload.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadRequest(f'"{name}" must be an object', param=name)
    return value


_COPIED: Final = ("temperature", "top_p", "stream")
_TRANSLATIONS: Final[tuple[Callable[[Payload, Job], Document], ...]] = (
    _limit, _stop, _stream, _reasoning, _format, _user, _tier,
)  # fmt: skip
_KNOWN: Final = frozenset((
    *_COPIED, "model", "system", "messages", "tools", "tool_choice", "max_tokens",
    "stop_sequences", "thinking", "output_config", "output_format", "metadata", "service_tier",
))  # fmt: skip
