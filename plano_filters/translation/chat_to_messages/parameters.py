"""The parameters of a chat request beside its messages and its tools."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from plano_filters.errors import BadRequest
from plano_filters.translation.base import Document, Traits
from plano_filters.translation.chat_to_messages.schema import narrowed
from plano_filters.translation.reading import left_out, member

WITHOUT_SAMPLING: Final = "2026-10-21"
"""The first API version that refuses `temperature`, `top_p` and `top_k`."""

JSON_ONLY: Final = "Answer with one valid JSON object and nothing else."
"""The line of the system prompt that stands for `response_format: json_object`."""

_TOKENS: Final = 4096
"""Room for an answer of which neither the client nor the model says how long it may be."""
_TOKENS_BY_EFFORT: Final = {
    "low": 8192, "medium": 16_384, "high": 32_000, "xhigh": 64_000, "max": 64_000,
}  # fmt: skip
"""The same for a model that thinks first, which counts too. No model that knows the effort
answers with less than 64 000 tokens."""
_USER_ID: Final = 256
"""Characters of the longest `metadata.user_id`."""


def reasoning(payload: Mapping[str, Any], *, forced: bool) -> Document:
    """Return `thinking`, and the effort under `effort`.

    A client may also send Anthropic's own `thinking`, as Anthropic's compatible endpoint has it.

    Args:
        payload: The client's body.
        forced: The model has to call a tool; the API then refuses to let it think.

    Raises:
        BadRequest: No such effort.
    """
    fields: Document = {}
    effort = payload.get("reasoning_effort")
    if effort == "none":
        fields["thinking"] = {"type": "disabled"}
    elif effort == "minimal":
        fields["effort"] = "low"
    elif isinstance(effort, str) and effort in _TOKENS_BY_EFFORT:
        fields["effort"] = effort
        if not forced:
            fields["thinking"] = {"type": "adaptive"}
    elif effort is not None:
        words = ", ".join(("none", "minimal", *_TOKENS_BY_EFFORT))
        raise BadRequest(f"reasoning_effort must be one of {words}", param="reasoning_effort")
    if payload.get("thinking") is not None:
        if not isinstance(payload["thinking"], dict):
            raise BadRequest("thinking must be an object", param="thinking")
        fields["thinking"] = dict(payload["thinking"])
    return fields


def max_tokens(
    payload: Mapping[str, Any], traits: Traits, thought: Mapping[str, Any], dropped: list[str]
) -> int:
    """Return the limit of the answer: the client's, else the model's, else what should do.

    Args:
        payload: The client's body.
        traits: Of the model.
        thought: What `reasoning` returned.
        dropped: Takes `max_tokens` where `max_completion_tokens` says something else.

    Raises:
        BadRequest: It is no positive integer.
    """
    limits = {}
    for name in ("max_completion_tokens", "max_tokens"):
        value = payload.get(name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise BadRequest(f"{name} must be a positive integer", param=name)
        limits[name] = value
    if len(set(limits.values())) > 1:
        dropped.append("max_tokens")
    if limits:
        return next(iter(limits.values()))
    if traits.max_tokens is not None:
        return traits.max_tokens
    budget = thought.get("thinking", {}).get("budget_tokens")
    if isinstance(budget, int):
        return budget + _TOKENS
    return _TOKENS_BY_EFFORT.get(thought.get("effort", ""), _TOKENS)


def sampling(
    payload: Mapping[str, Any], traits: Traits, thought: Mapping[str, Any], dropped: list[str]
) -> Document:
    """Return `temperature`, `top_p` and `top_k` as far as the version and the model take them.

    A model that thinks takes none. Of `temperature` and `top_p` newer models take one only.
    What is as the API has it anyway is left out without a word.

    Raises:
        BadRequest: It is no number.
    """
    values = {
        name: value
        for name, usual in (("temperature", 1), ("top_p", 1), ("top_k", None))
        if (value := _number(payload, name)) is not None and value != usual
    }
    thinks = thought.get("thinking", {"type": "disabled"}).get("type") != "disabled"
    if thinks or traits.anthropic_version >= WITHOUT_SAMPLING:
        dropped += values
        return {}
    if "temperature" in values:
        values["temperature"] = min(max(values["temperature"], 0), 1)
        if values.pop("top_p", None) is not None:
            dropped.append("top_p")
    return values


def stop(payload: Mapping[str, Any], dropped: list[str]) -> Document:
    """Return `stop_sequences`; the API refuses those of white space alone.

    Raises:
        BadRequest: It is neither a string nor a list of strings.
    """
    value = payload.get("stop")
    if value is None:
        return {}
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise BadRequest("stop must be a string or a list of strings", param="stop")
    kept = [entry for entry in entries if entry.strip()]
    dropped += [
        "stop" if isinstance(value, str) else f"stop.{position}"
        for position, entry in enumerate(entries)
        if entry and not entry.strip()
    ]
    return {"stop_sequences": kept} if kept else {}


def response_format(payload: Mapping[str, Any], dropped: list[str]) -> tuple[Document, bool]:
    """Return the `format` of `output_config`, and whether the model is to be asked for JSON.

    The name of a schema is a label, and its `strict` is how this API always is: neither is listed.

    Raises:
        BadRequest: No such format.
    """
    wanted = payload.get("response_format")
    if wanted is None:
        return {}, False
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "text":
        return {}, False
    if kind == "json_object":
        return {}, True
    if kind != "json_schema":
        raise BadRequest(
            "response_format.type must be text, json_object or json_schema",
            param="response_format.type",
        )
    path = "response_format.json_schema"
    definition = member(wanted, "json_schema", "response_format")
    dropped += left_out(definition, {"name", "strict", "schema", "description"}, path)
    if definition.get("schema") is None:
        return {}, True
    schema = narrowed(member(definition, "schema", path), f"{path}.schema", dropped)
    if definition.get("description"):
        schema.setdefault("description", definition["description"])
    return {"type": "json_schema", "schema": schema}, False


def identity(payload: Mapping[str, Any], dropped: list[str]) -> Document:
    """Return `metadata`, with whom the client asks for.

    Raises:
        BadRequest: It is no string.
    """
    said = {}
    for name in ("safety_identifier", "user"):
        value = payload.get(name)
        if not value:
            continue
        if not isinstance(value, str):
            raise BadRequest(f"{name} must be a string", param=name)
        said[name] = value
    if len(set(said.values())) > 1:
        dropped.append("user")
    if not said:
        return {}
    user = next(iter(said.values()))
    if len(user) > _USER_ID:
        user = hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
    return {"metadata": {"user_id": user}}


def service_tier(payload: Mapping[str, Any], dropped: list[str]) -> Document:
    """Return `service_tier`, of which this API has two."""
    tier = payload.get("service_tier")
    if tier == "auto":
        return {"service_tier": "auto"}
    if tier == "default":
        return {"service_tier": "standard_only"}
    dropped += left_out({"service_tier": tier}, ())
    return {}


def refuse_impossible(payload: Mapping[str, Any]) -> None:
    """Refuse what would be a different answer if it were left out.

    Raises:
        BadRequest: More than one answer, or an answer that is not text.
    """
    if payload.get("n") not in (None, 1):
        raise BadRequest("this model gives one answer to a request", param="n")
    if payload.get("modalities") not in (None, [], ["text"]):
        raise BadRequest("this model answers with text only", param="modalities")
    if payload.get("audio"):
        raise BadRequest("this model answers with text only", param="audio")


def _number(payload: Mapping[str, Any], name: str) -> float | int | None:
    value = payload.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < 1e9:
        raise BadRequest(f"{name} must be a number", param=name)
    return value
