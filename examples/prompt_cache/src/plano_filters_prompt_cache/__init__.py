"""prompt_cache: answers what was asked before from memory."""

from plano_filters_prompt_cache.config import PromptCacheConfig
from plano_filters_prompt_cache.filter import Lookup, PromptCache

__all__ = ["Lookup", "PromptCache", "PromptCacheConfig"]
