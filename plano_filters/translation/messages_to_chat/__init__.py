"""A client that speaks Anthropic's Messages, a provider that speaks chat completions.

Moved, which is not listed as dropped:

- `system` to a first message; neighbours of one role into one message; results of tools to
  directly after their calls; images and files within results to the user's next message;
- titles of documents to file names; titles, sources and texts of search results to texts;
- a budget of thinking to the effort it amounts to; `adaptive` thinking to the effort it comes with;
- `metadata.user_id` to a hash of it; tool names over 64 characters to shorter ones, and back.

Refused: files known by an id or, for documents, by an address; a choice of tools that the provider
does not have; and what Anthropic refuses, such as a call without a result.

Dropped, and listed: all else, known or not. That is Anthropic's own tools and what they returned,
thinking of earlier turns, `top_k`, cache breakpoints the provider does not know; and where less
than asked for is sent: stop sequences after the fourth, `max_tokens` over what the model can answer
with, a schema that OpenAI cannot be strict about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plano_filters.translation.base import Document, Outgoing, Traits
from plano_filters.translation.messages_to_chat.answer import ChatAnswers
from plano_filters.translation.messages_to_chat.job import Job
from plano_filters.translation.messages_to_chat.messages import messages_of
from plano_filters.translation.messages_to_chat.parameters import parameters_of
from plano_filters.translation.messages_to_chat.tools import tools_of

__all__ = ["translate"]


def translate(payload: Mapping[str, Any], traits: Traits) -> Outgoing:
    """Translate a request to `/v1/messages` into one to `/v1/chat/completions`.

    Raises:
        BadRequest: It asks for what chat completions cannot express, or is not what Anthropic
            allows; `param` names the field.
    """
    job = Job(traits)
    model = payload.get("model")
    body: Document = {"model": model, "messages": messages_of(payload, job)}
    body |= tools_of(payload, job)
    body |= parameters_of(payload, job)
    answers = ChatAnswers(
        model if isinstance(model, str) else "", job.names, thoughts=traits.reasoning_content
    )
    return Outgoing(body, answers, tuple(dict.fromkeys(job.dropped)))
