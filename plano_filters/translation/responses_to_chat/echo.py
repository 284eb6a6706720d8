"""The Response object around an answer: the request's own fields again, ids, status and usage.

Source: OpenAI's API reference, "The response object"; its SDK wants every field that is here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, Final, Literal

from plano_filters.translation.base import Document
from plano_filters.translation.responses_to_chat.tools import Origin

Status = Literal["in_progress", "completed", "incomplete"]

_DEFAULTS: Final[Mapping[str, Any]] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "temperature": None,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
"""What a response repeats of its request, and what it says where the request is silent."""
_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ID_LENGTH: Final = 48
"""Characters taken of the provider's id; OpenAI refuses ids of more than 64."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request its answer depends on."""

    repeated: Document
    """The fields that a response repeats."""
    model: str
    service_tier: str | None
    origins: Mapping[str, Origin]
    """The client's tools by the names of the functions."""
    thoughts: bool
    """The client wants to be told what the model thinks."""
    logprobs: bool
    """The client wants the probabilities of the tokens."""

    @classmethod
    def of(
        cls,
        payload: Mapping[str, Any],
        *,
        origins: Mapping[str, Origin],
        thoughts: bool,
        logprobs: bool,
    ) -> Asked:
        """Keep what is needed of a request."""
        repeated = {
            name: copy(default) if payload.get(name) is None else payload[name]
            for name, default in _DEFAULTS.items()
        }
        text = payload.get("text")
        repeated["text"] = {"format": {"type": "text"}}
        if isinstance(text, Mapping):
            repeated["text"] |= {name: value for name, value in text.items() if value is not None}
        model, tier = payload.get("model"), payload.get("service_tier")
        return cls(
            repeated=repeated,
            model=model if isinstance(model, str) else "",
            service_tier=tier if isinstance(tier, str) else None,
            origins=origins,
            thoughts=thoughts,
            logprobs=logprobs,
        )


@dataclass(frozen=True, slots=True)
class Head:
    """What the provider's first word says of an answer."""

    id: str
    """The provider's id, without its prefix; every id of the answer is made of it."""
    model: str
    created: int | float
    """Seconds since the epoch; 0 if the provider does not say."""

    @classmethod
    def of(cls, document: Mapping[str, Any], asked: Asked) -> Head:
        """Read a completion, or the first chunk of one."""
        given, model = document.get("id"), document.get("model")
        name = given.removeprefix("chatcmpl-")[:_ID_LENGTH] if isinstance(given, str) else ""
        return cls(
            id=name or "0",
            model=model if isinstance(model, str) and model else asked.model,
            created=_number(document.get("created")),
        )

    def item(self, prefix: str, index: int) -> str:
        """Return the id of an item of the answer."""
        return f"{prefix}_{self.id}_{index}"


def response(
    asked: Asked,
    head: Head,
    output: list[Document],
    *,
    status: Status,
    finish: object = None,
    usage: Document | None = None,
    tier: object = None,
) -> Document:
    """Return a Response object.

    Args:
        asked: Of its request.
        head: Of the provider's answer.
        output: The items.
        status: How far it is.
        finish: Chat's `finish_reason`.
        usage: As Responses write it; None while it is not known.
        tier: The service tier that the provider says it used.
    """
    reason = _INCOMPLETE.get(finish) if status == "incomplete" and isinstance(finish, str) else None
    return {
        "id": f"resp_{head.id}",
        "object": "response",
        "created_at": head.created,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "model": head.model,
        "output": output,
        **asked.repeated,
        "service_tier": tier if isinstance(tier, str) else asked.service_tier,
        "usage": usage,
    }


def status_of(finish: object) -> Status:
    """Return how an answer ended, by chat's `finish_reason`."""
    return "incomplete" if isinstance(finish, str) and finish in _INCOMPLETE else "completed"


def usage_of(given: object) -> Document | None:
    """Write chat's usage as Responses write it; None if there is none."""
    if not isinstance(given, Mapping):
        return None
    prompt, completion = given.get("prompt_tokens_details"), given.get("completion_tokens_details")
    read = prompt if isinstance(prompt, Mapping) else {}
    written = completion if isinstance(completion, Mapping) else {}
    taken, made = _count(given, "prompt_tokens"), _count(given, "completion_tokens")
    return {
        "input_tokens": taken,
        "input_tokens_details": {
            "cached_tokens": _count(read, "cached_tokens"),
            "cache_write_tokens": _count(read, "cache_write_tokens"),
        },
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": _count(written, "reasoning_tokens")},
        "total_tokens": _count(given, "total_tokens") or taken + made,
    }


def _count(holder: Mapping[str, Any], name: str) -> int:
    return max(0, int(_number(holder.get(name))))


def _number(value: object) -> int | float:
    """Return a number as it is, 0 for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0
    return value
