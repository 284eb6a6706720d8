"""Clients that speak OpenAI Responses, in front of a provider that speaks OpenAI's chat.

Moved, which is not listed as dropped:

- instructions and items, to messages: calls of one turn into one message, outputs directly behind
  it, and images of outputs into a user message after them; refusals to text;
- custom tools, to functions with one text, `input`; the members of a namespace `ns`, to functions
  `ns__name`; calls come back under the client's names. A grammar is told to the model in the
  tool's description and listed all the same, as nobody enforces it;
- `allowed_tools`, to fewer tools; `tool_choice` and `parallel_tool_calls` without a tool that is
  left, to nothing;
- `reasoning.summary`, which is for the answer: what the provider tells of its thoughts
  (`reasoning_content`) becomes the summary of a reasoning item if the client asks for one;
- `id` and `status` of items, and what an earlier answer had beside its text;
- what asks for what is done anyway: null, empty, `store: false`, `truncation: "disabled"`.

Refused: `previous_response_id`, `conversation`, `background`, `prompt`, stored images and files by
URL, items of tools that the client runs in a form of their own (shell, patches, computer),
compacted histories, and calls without an output or the reverse.

Dropped, and listed: reasoning items, unless the provider wants its thoughts back; references to
items that are not kept here, which some clients send for earlier answers (unless `store: false`);
tools that the provider would run itself and their items; all else, known or not.
"""

from __future__ import annotations

from plano_filters.translation.responses_to_chat.request import translate

__all__ = ["translate"]
