"""Every pair of dialects between which there is a translation.

What no translator does in one step goes through the form in the middle: a Responses request becomes
a chat request, and that a request to a Messages API; the answers come back the other way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from plano_filters.dialect import Dialect
from plano_filters.errors import BadRequest
from plano_filters.translation import (
    chat_to_messages,
    messages_to_chat,
    messages_to_converse,
    responses_to_chat,
)
from plano_filters.translation.base import Answers, Document, Outgoing, Stream, Traits, Translate
from plano_filters.translation.responses_to_chat.request import located


def translator(client: Dialect, provider: Dialect) -> Translate | None:
    """Return what translates a client's requests for a provider.

    Args:
        client: The dialect of the requests.
        provider: The dialect they are wanted in.

    Returns:
        None if there is no translation; nor is there one of a dialect into itself.
    """
    return _TRANSLATORS.get((client, provider))


def converse(client: Dialect) -> Translate | None:
    """Return what translates a client's requests for Converse, by way of a Messages API.

    Its answers take those of a Messages API.
    """
    if client == "messages":
        return messages_to_converse.translate
    first = translator(client, "messages")
    return None if first is None else partial(_to_converse, first)


def _to_converse(first: Translate, payload: Mapping[str, Any], traits: Traits) -> Outgoing:
    """Translate a request that becomes a Messages request before.

    Raises:
        BadRequest: One of the two steps cannot be done; `param` names the client's field, if the
            first step knows it.
    """
    message = first(payload, traits)
    form = dict(message.payload)
    limited = any(payload.get(name) is not None for name in _LIMITS)
    if not limited and "budget_tokens" not in form.get("thinking", {}):
        del form["max_tokens"]  # Converse needs none, and some models have less than our guess
    try:
        second = messages_to_converse.translate(form, traits)
    except BadRequest as error:
        raise BadRequest(error.detail) from None
    dropped = (*message.dropped, *(_said(path, payload) for path in second.dropped))
    return Outgoing(
        second.payload,
        _Composed(provider=second.answers, client=message.answers),
        tuple(dict.fromkeys(name for name in dropped if name)),
    )


def _said(path: str, payload: Mapping[str, Any]) -> str:
    """Return what a client called a field of a Messages request; empty if it did not say it."""
    if path.endswith("cache_control"):
        return "cache_control"
    names = _CLIENTS.get(path, (path,))
    return next((name for name in names if payload.get(name) is not None), "")


def _responses_to_messages(payload: Mapping[str, Any], traits: Traits) -> Outgoing:
    """Translate a Responses request for a Messages API.

    Raises:
        BadRequest: One of the two steps cannot be done; `param` names the client's field.
    """
    # The form in the middle has every word; what the provider has no word for, the second step
    # drops.
    form = replace(
        traits,
        max_tokens_field="max_completion_tokens",
        developer_role=True,
        stream_usage=True,
        reasoning_content=False,
        cache_breakpoints=True,
    )
    first, places = located(payload, form)
    try:
        second = chat_to_messages.translate(first.payload, traits)
    except BadRequest as error:
        param = None if error.param is None else places.find(error.param)
        raise BadRequest(error.detail, param=param) from None
    dropped = (*first.dropped, *(places.find(path) for path in second.dropped))
    return Outgoing(
        second.payload,
        _Composed(provider=second.answers, client=first.answers),
        tuple(dict.fromkeys(dropped)),
    )


@dataclass(frozen=True, slots=True)
class _Composed:
    """Answers that are translated twice."""

    provider: Answers
    """Out of the provider's dialect."""
    client: Answers
    """Into the client's."""

    def whole(self, document: Mapping[str, Any]) -> Document:
        return self.client.whole(self.provider.whole(document))

    def stream(self) -> Stream:
        return _ComposedStream(self.provider.stream(), self.client.stream())


@dataclass(frozen=True, slots=True)
class _ComposedStream:
    """A stream that is translated twice."""

    provider: Stream
    client: Stream

    def take(self, event: Mapping[str, Any]) -> list[Document]:
        return [said for chunk in self.provider.take(event) for said in self.client.take(chunk)]

    def finish(self) -> list[Document]:
        last = [said for chunk in self.provider.finish() for said in self.client.take(chunk)]
        return [*last, *self.client.finish()]


_TRANSLATORS: Final[Mapping[tuple[Dialect, Dialect], Translate]] = {
    ("chat", "messages"): chat_to_messages.translate,
    ("messages", "chat"): messages_to_chat.translate,
    ("responses", "chat"): responses_to_chat.translate,
    ("responses", "messages"): _responses_to_messages,
}

_LIMITS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_EFFORT: Final = ("reasoning_effort", "reasoning", "thinking")
_CLIENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "metadata": ("safety_identifier", "user"),
    "thinking": _EFFORT,
    "output_config.effort": _EFFORT,
    "tool_choice.disable_parallel_tool_use": ("parallel_tool_calls",),
}
"""What OpenAI's clients may have called the fields of a Messages request."""
