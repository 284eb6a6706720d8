"""What every translator has: a request that goes out, and the answer that comes back.

A translator is without I/O and works on decoded JSON. The form in the middle is OpenAI's chat form,
with `reasoning_content` for what a model thought.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Document = dict[str, Any]
"""A JSON object that the translator made and that the caller may change."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a translator has to know of the provider and of the model that is asked."""

    anthropic_version: str = "2023-06-01"
    """The API version that goes with a request to a Messages API."""
    max_tokens: int | None = None
    """The most tokens the model can answer with, if that is known."""
    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    """What a chat provider calls the limit of the answer."""
    developer_role: bool = True
    """Whether a chat provider knows `developer` messages."""
    stream_usage: bool = True
    """Whether a chat provider knows `stream_options.include_usage`."""
    reasoning_content: bool = False
    """Whether a chat provider wants to be told again what it thought."""
    cache_breakpoints: bool = False
    """Whether a chat provider knows `prompt_cache_breakpoint` on a content part."""


class Stream(Protocol):
    """Translates one stream of events, already decoded; error events are the caller's to handle."""

    def take(self, event: Mapping[str, Any]) -> list[Document]:
        """Take the next event of the provider; return the events the client gets for it.

        What cannot be read is passed over; nothing is raised.
        """
        ...

    def finish(self) -> list[Document]:
        """Return the last events, after the provider's stream has come to its proper end.

        A chat stream's `[DONE]` is the caller's, to read and to write.
        """
        ...


class Answers(Protocol):
    """Translates the answer to one request."""

    def whole(self, document: Mapping[str, Any]) -> Document:
        """Translate a whole answer. What cannot be read is left out; nothing is raised."""
        ...

    def stream(self) -> Stream:
        """Return a translator of one stream."""
        ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as the provider takes it."""

    payload: Document
    answers: Answers
    """Translates what the provider answers to it."""
    dropped: tuple[str, ...] = ()
    """The parameters of the client's request that the provider has no word for, by their paths,
    such as `logit_bias` or `messages.0.content.1.detail`; each once, in order."""


class Translate(Protocol):
    """Translates requests of one dialect into another."""

    def __call__(self, payload: Mapping[str, Any], traits: Traits) -> Outgoing:
        """Translate a request.

        Args:
            payload: The client's body. Not changed.
            traits: Of the provider and the model.

        Raises:
            BadRequest: It asks for what the other dialect cannot express, or is not what the
                client's own dialect allows; `param` names the field.
        """
        ...
