"""Continues the response that `previous_response_id` names."""

from plano_builtin_filters.conversation_state.config import ConversationStateConfig
from plano_builtin_filters.conversation_state.filter import ConversationState

__all__ = ["ConversationState", "ConversationStateConfig"]
