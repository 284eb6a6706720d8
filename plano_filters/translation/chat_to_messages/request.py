"""A chat request as a request to a Messages API."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from plano_filters.errors import BadRequest
from plano_filters.translation.base import Document, Outgoing, Traits
from plano_filters.translation.chat_to_messages import parameters
from plano_filters.translation.chat_to_messages.answer import MessagesAnswers
from plano_filters.translation.chat_to_messages.content import text_block
from plano_filters.translation.chat_to_messages.messages import conversation
from plano_filters.translation.chat_to_messages.tools import tools
from plano_filters.translation.reading import left_out

_READ: Final = frozenset(
    {
        "model", "messages", "stream", "stream_options", "tools", "tool_choice",
        "parallel_tool_calls", "functions", "function_call", "max_completion_tokens", "max_tokens",
        "temperature", "top_p", "top_k", "stop", "reasoning_effort", "thinking",
        "response_format", "user", "safety_identifier", "service_tier", "n", "modalities", "audio",
    }
)  # fmt: skip
"""What is moved, refused or listed by its own rule. All else is listed as dropped."""

_USUAL: Final[Document] = {
    "frequency_penalty": 0, "presence_penalty": 0, "logprobs": False, "top_logprobs": 0,
    "store": False, "verbosity": "medium",
}  # fmt: skip
"""What the API has no word for and does anyway; not listed if it is this."""


def translate(
    payload: Mapping[str, Any], traits: Traits, *, now: Callable[[], float] = time.time
) -> Outgoing:
    """Translate a chat request.

    Args:
        payload: The client's body. Not changed; the result may share nested values with it.
        traits: Of the provider and the model.
        now: Says when it is, in seconds since 1970: an answer has a time, which the provider
            does not tell.

    Raises:
        BadRequest: It asks for what a Messages API cannot express; `param` names the field.
    """
    parameters.refuse_impossible(payload)
    dropped: list[str] = []
    talk = conversation(payload, dropped)
    offer = tools(payload, talk.called, dropped)
    thought = parameters.reasoning(payload, forced=offer.forced)
    output, plain_json = parameters.response_format(payload, dropped)
    if plain_json:
        talk.system.extend(text_block(parameters.JSON_ONLY))
    made: Document = {
        "model": payload.get("model"),
        "max_tokens": parameters.max_tokens(payload, traits, thought, dropped),
        **_system(talk.system),
        "messages": talk.turns,
        **offer.fields,
        **parameters.sampling(payload, traits, thought, dropped),
        **parameters.stop(payload, dropped),
        **_output_config(thought, output),
        **parameters.identity(payload, dropped),
        **parameters.service_tier(payload, dropped),
    }
    if payload.get("stream") is True:
        made["stream"] = True
    options = payload.get("stream_options")
    if options is None:
        options = {}
    if not isinstance(options, dict):
        raise BadRequest("stream_options must be an object", param="stream_options")
    dropped += _without_word(payload, options)
    answers = MessagesAnswers(
        custom=offer.custom, include_usage=options.get("include_usage") is True, now=now
    )
    return Outgoing(made, answers, tuple(dict.fromkeys(dropped)))


def _system(blocks: list[Document]) -> Document:
    """Return `system`: one text, unless the client said how far it is to be cached."""
    if any("cache_control" in block for block in blocks):
        return {"system": blocks}
    return {"system": "\n\n".join(block["text"] for block in blocks)} if blocks else {}


def _output_config(thought: Mapping[str, Any], output: Document) -> Document:
    config: Document = {}
    if "effort" in thought:
        config["effort"] = thought["effort"]
    if output:
        config["format"] = output
    fields: Document = {"thinking": thought["thinking"]} if "thinking" in thought else {}
    if config:
        fields["output_config"] = config
    return fields


def _without_word(payload: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """List what of the body no rule reads."""
    usual = {name for name, value in _USUAL.items() if payload.get(name) == value}
    found = left_out(payload, _READ | usual)
    hints = {name: value for name, value in options.items() if value is not False}
    return found + left_out(hints, {"include_usage"}, "stream_options")
