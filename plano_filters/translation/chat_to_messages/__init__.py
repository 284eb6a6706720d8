"""Clients that speak OpenAI's chat, in front of a provider that speaks Anthropic's Messages.

Moved, which is not listed as dropped:

- instructions, from wherever they stand, to `system`; a refusal to a text; ids of calls to ids
  that the API takes; results of tools to the head of the turn after their calls;
- `include_usage`, which the translated stream keeps; `json_object`, which becomes a line of the
  system prompt; the name and the `strict` of a JSON schema, which say nothing there;
- a custom tool, to a function with one text, and its calls back again;
- `temperature`, to the range of the API; `parallel_tool_calls`, to the choice of tools;
- what asks for what the API does anyway: null, empty, and the defaults.

Added where the API insists: `max_tokens`, a first turn of the user, and the tools that were called
if there are calls and no tools.

Refused: sound in and out, more than one answer, `functions`, file ids, images and files of other
types, and what OpenAI's own API refuses, such as a call without a result.

Dropped, and listed: all else, known or not. Anthropic's own `thinking`, `top_k` and
`cache_control` pass, for clients that send them in a chat request.
"""

from __future__ import annotations

from plano_filters.translation.chat_to_messages.request import translate

__all__ = ["translate"]
