"""What users write under `prompt_cache:`."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from plano_filters import Duration, FilterConfig

MIB: Final = 1024 * 1024


class PromptCacheConfig(FilterConfig):
    """What is kept, how long, and how much of it."""

    ttl: Duration = Field(default=300.0, gt=0)
    """How long an answer is given again."""
    max_bytes: int = Field(default=64 * MIB, ge=1)
    """Memory for answers; those that were not asked for the longest go first."""
    max_answer_bytes: int = Field(default=MIB, ge=1)
    """Larger answers are not kept."""
    sampled: bool = False
    """Whether to keep answers to requests with a `temperature` above 0, too: whoever sets it wants
    answers to differ."""
    ignore: tuple[str, ...] = ("metadata", "prompt_cache_key", "safety_identifier", "user")
    """Fields of a body that make no difference to the answer."""
    single_flight: bool = False
    """Whether a request waits for the answer to another that asks the same at the moment."""
