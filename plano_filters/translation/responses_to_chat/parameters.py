"""The parameters beside the conversation and the tools: moved, refused or dropped.

Moved: the provider gets it, under chat's name. Refused: it cannot be done without kept responses.
Dropped: the provider has no word for it; listed, and the request goes on. Source: OpenAI's API
reference, "Create a model response" and "Create chat completion".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from plano_filters.errors import BadRequest
from plano_filters.translation.base import Document, Traits
from plano_filters.translation.reading import left_out

_SAME: Final = (
    "model", "moderation", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
    "service_tier", "temperature", "top_p", "user",
)  # fmt: skip
_READ_ELSEWHERE: Final = ("input", "instructions", "parallel_tool_calls", "tool_choice", "tools")
_REFUSED: Final = {
    "previous_response_id": "the response is not kept here; send its items in `input`",
    "conversation": "conversations are not kept here; send the items in `input`",
    "prompt": "stored prompts are not known here; send the text in `instructions` or `input`",
}
_AS_IT_IS: Final = {"store": False, "background": False, "truncation": "disabled"}
"""What would be done anyway, so that asking for it loses nothing."""
_LOGPROBS: Final = "message.output_text.logprobs"


def parameters(payload: Mapping[str, Any], traits: Traits, dropped: list[str]) -> Document:
    """Translate everything but the conversation and the tools.

    Raises:
        BadRequest: It needs responses that are kept, or its type is wrong.
    """
    refuse(payload)
    made: Document = {}
    for name, value in payload.items():
        if value is None or name in _READ_ELSEWHERE:
            continue
        if name in _SAME:
            made[name] = value
        elif name in _READERS:
            _READERS[name](value, made, dropped)
        elif name == "max_output_tokens":
            made[traits.max_tokens_field] = value
        elif name not in _AS_IT_IS or value != _AS_IT_IS[name]:
            dropped += left_out({name: value}, ())
    if made.get("stream") and traits.stream_usage:
        made["stream_options"] = {"include_usage": True}
    return made


def refuse(payload: Mapping[str, Any]) -> None:
    """Refuse what needs kept responses; BadRequest names the parameter."""
    for name, why in _REFUSED.items():
        if payload.get(name) is not None:
            raise BadRequest(f"`{name}` cannot be used with this model: {why}", param=name)
    if payload.get("background"):
        why = "`background` cannot be used with this model: responses are not kept here"
        raise BadRequest(why, param="background")


def wants_thoughts(payload: Mapping[str, Any]) -> bool:
    """Return whether the client asked for a summary of what the model thinks."""
    asked = payload.get("reasoning")
    if not isinstance(asked, Mapping):
        return False
    return bool(asked.get("summary") or asked.get("generate_summary"))


def wants_logprobs(payload: Mapping[str, Any]) -> bool:
    """Return whether the client asked for the probabilities of the answer's tokens."""
    asked = payload.get("include")
    return bool(payload.get("top_logprobs")) or (isinstance(asked, list) and _LOGPROBS in asked)


def _object(value: object, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadRequest(f"{path} must be an object", param=path)
    return value


def _stream(value: object, made: Document, _: list[str]) -> None:
    if not isinstance(value, bool):
        raise BadRequest("`stream` must be a boolean", param="stream")
    if value:
        made["stream"] = True


def _stream_options(value: object, _: Document, dropped: list[str]) -> None:
    options = _object(value, "stream_options")
    # Padding against those who measure packets: asked for or not, there is none.
    known = () if options.get("include_obfuscation") else ("include_obfuscation",)
    dropped += left_out(options, known, "stream_options")


def _reasoning(value: object, made: Document, dropped: list[str]) -> None:
    reasoning = _object(value, "reasoning")
    if reasoning.get("effort") is not None:
        made["reasoning_effort"] = reasoning["effort"]
    # A summary is ours to give: it is made of what the provider tells of its thoughts.
    known = ("effort", "summary", "generate_summary")
    dropped += left_out(reasoning, known, "reasoning")


def _text(value: object, made: Document, dropped: list[str]) -> None:
    asked = _object(value, "text")
    dropped += left_out(asked, ("format", "verbosity"), "text")
    if asked.get("verbosity") is not None:
        made["verbosity"] = asked["verbosity"]
    if asked.get("format") is None:
        return
    form = _object(asked["format"], "text.format")
    kind = form.get("type")
    if kind == "json_schema":
        kept = ("name", "description", "schema", "strict")
        schema = {name: form[name] for name in kept if form.get(name) is not None}
        made["response_format"] = {"type": kind, "json_schema": schema}
        dropped += left_out(form, ("type", *kept), "text.format")
    elif kind == "json_object":
        made["response_format"] = {"type": kind}
        dropped += left_out(form, ("type",), "text.format")
    elif kind != "text":
        why = "`text.format.type` must be text, json_object or json_schema"
        raise BadRequest(why, param="text.format")


def _include(value: object, made: Document, dropped: list[str]) -> None:
    if not isinstance(value, list):
        raise BadRequest("include must be a list", param="include")
    for at, item in enumerate(value):
        if item == _LOGPROBS:
            made["logprobs"] = True
        else:
            dropped.append(f"include.{at}")


def _top_logprobs(value: object, made: Document, _: list[str]) -> None:
    if value:
        made["logprobs"] = True
        made["top_logprobs"] = value


def _prompt_cache_options(value: object, made: Document, dropped: list[str]) -> None:
    options = _object(value, "prompt_cache_options")
    kept = ("mode", "ttl")
    made["prompt_cache_options"] = {name: options[name] for name in kept if options.get(name)}
    dropped += left_out(options, kept, "prompt_cache_options")


_READERS: Final = {
    "include": _include,
    "prompt_cache_options": _prompt_cache_options,
    "reasoning": _reasoning,
    "stream": _stream,
    "stream_options": _stream_options,
    "text": _text,
    "top_logprobs": _top_logprobs,
}
