"""What users write under `conversation_state:`. Where responses are kept is `state_storage:`."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from plano_filters import FilterConfig
from plano_filters.config import Duration

MIB = 1024 * 1024


class ConversationStateConfig(FilterConfig):
    """How much is kept of the Responses API's conversations, and for how long."""

    ttl: Duration = Field(default=24 * 3600.0, gt=0)
    """How long a response can be continued, from its end. OpenAI's own take 30 days; what is kept
    are prompts and answers in clear, so a day is the default."""

    max_entry_bytes: int = Field(default=4 * MIB, ge=1024)
    """Largest conversation to keep, images included. A longer one is answered, but cannot be
    continued by its id."""

    max_entries: int = Field(default=10_000, ge=1)
    """How many responses to keep in memory; beyond, the one that was not used for the longest time
    goes."""

    max_bytes: int = Field(default=64 * MIB, ge=1024)
    """How much memory they may take together; beyond, likewise."""

    deadline: Duration = Field(default=1.0, gt=0, le=30)
    """Longest time a request waits for Redis, once before it is routed and once before the end of
    its answer."""

    @model_validator(mode="after")
    def _one_fits(self) -> Self:
        if self.max_entry_bytes > self.max_bytes:
            raise ValueError("`max_bytes` must be at least `max_entry_bytes`, else nothing is kept")
        return self
