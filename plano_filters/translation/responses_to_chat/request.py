"""A Responses request as a chat request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plano_filters.errors import BadRequest
from plano_filters.translation.base import Document, Outgoing, Traits
from plano_filters.translation.responses_to_chat import items
from plano_filters.translation.responses_to_chat.answer import ChatAnswers
from plano_filters.translation.responses_to_chat.echo import Asked
from plano_filters.translation.responses_to_chat.parameters import (
    parameters,
    wants_logprobs,
    wants_thoughts,
)
from plano_filters.translation.responses_to_chat.places import Places
from plano_filters.translation.responses_to_chat.tools import Tools, choice


def translate(payload: Mapping[str, Any], traits: Traits) -> Outgoing:
    """Translate a Responses request for a provider of chat completions.

    Source: OpenAI's API reference, "Create a model response".

    Args:
        payload: The client's body. Not changed; the result may share nested values with it.
        traits: Of the provider and the model.

    Raises:
        BadRequest: It needs responses that are kept, holds what chat completions have no word
            for, or is no Responses request; `param` names the field.
    """
    return located(payload, traits)[0]


def located(payload: Mapping[str, Any], traits: Traits) -> tuple[Outgoing, Places]:
    """Translate like `translate`; say also where the parts of the chat request come from."""
    dropped: list[str] = []
    made = parameters(payload, traits, dropped)
    tools = _tools(payload, dropped)
    messages = _messages(payload, tools, traits, dropped)
    made["messages"] = [message for _, message in messages]
    chosen, functions = choice(payload.get("tool_choice"), tools)
    if functions:
        made["tools"] = functions
    if chosen is not None:
        made["tool_choice"] = chosen
    if functions and payload.get("parallel_tool_calls") is not None:
        made["parallel_tool_calls"] = payload["parallel_tool_calls"]
    asked = Asked.of(
        payload,
        origins=tools.origins,
        thoughts=wants_thoughts(payload),
        logprobs=wants_logprobs(payload),
    )
    places = Places(
        messages=[path for path, _ in messages],
        tools=[tools.places[function["function"]["name"]] for function in functions],
        logprobs="top_logprobs" if payload.get("top_logprobs") else "include",
    )
    return Outgoing(made, ChatAnswers(asked), tuple(dict.fromkeys(dropped))), places


def _tools(payload: Mapping[str, Any], dropped: list[str]) -> Tools:
    """Read the tools, and those that the conversation adds on its way."""
    tools = Tools()
    tools.add(payload.get("tools"), "tools", dropped)
    given = payload.get("input")
    for at, item in enumerate(given if isinstance(given, list) else []):
        if isinstance(item, Mapping) and item.get("type") == "additional_tools":
            tools.add(item.get("tools"), f"input.{at}.tools", dropped)
    return tools


def _messages(
    payload: Mapping[str, Any], tools: Tools, traits: Traits, dropped: list[str]
) -> list[tuple[str, Document]]:
    """Translate instructions and input; return messages with where they come from."""
    messages: list[tuple[str, Document]] = []
    instructions, given = payload.get("instructions"), payload.get("input")
    if isinstance(instructions, str):
        if instructions:
            messages.append(("instructions", {"role": "system", "content": instructions}))
    elif instructions is not None:
        raise BadRequest("`instructions` must be a string", param="instructions")
    if isinstance(given, str):
        messages.append(("input", {"role": "user", "content": given}))
    elif isinstance(given, list):
        messages.extend(items.messages(given, tools, traits, dropped))
    elif given is None:
        raise BadRequest("`input` is required", param="input")
    else:
        raise BadRequest("`input` must be a string or an array of items", param="input")
    if not messages:
        raise BadRequest("`input` holds nothing that could be sent to this model", param="input")
    return messages
