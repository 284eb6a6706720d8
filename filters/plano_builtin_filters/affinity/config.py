"""What users write under `affinity:`. How long and where pins are kept is under `routing:`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from plano_filters import FilterConfig
from plano_filters.config import Duration

ClientKey = Literal[
    "x-claude-code-session-id",
    "prompt_cache_key",
    "metadata.user_id",
    "conversation",
    "safety_identifier",
    "user",
]


class AffinityConfig(FilterConfig):
    """How a session is recognised where `X-Model-Affinity` does not name it."""

    client_keys: tuple[ClientKey, ...] = ()
    """What clients send of their own accord and names a session, looked for in this order.
    `x-claude-code-session-id` is a header, the others are fields of the body. None, unless asked
    for: `user` and its like name a person, who may hold several conversations at once."""

    implicit: bool | None = None
    """Recognise a conversation by how it begins: system text, tools and the user's first words.
    `x-plano-cache: off` keeps one request from that, and from `client_keys`. Default: only under a
    budget, or where `routing.route_on_user_only` is on and there are routing preferences; as in
    Plano."""

    deadline: Duration = Field(default=0.05, gt=0, le=1)
    """Longest time a request waits for Redis, once before it is routed and once before its answer
    begins. After it, the request goes on without."""
