"""A Messages API in front of AWS's Converse: mostly other names for the same.

Requests go through here behind whatever makes Messages requests of the client's; the provider's
answers are made Messages answers before anybody else reads them.

Moved, which is not listed as dropped: turns of one role into one, `system` turns to the system
prompt, names of tools to such as Converse takes and back.

Refused: files and images by URL or id, images of other types, content of Anthropic's own tools.

Dropped, and listed: thinking without a signature, the choice of no tool where the conversation has
calls, Anthropic's own tools, and all else, known or not. `thinking`, `top_k`, the effort and cache
points are for Claude alone.
"""

from __future__ import annotations

from plano_filters.translation.messages_to_converse.answer import failure, read, whole
from plano_filters.translation.messages_to_converse.framing import BrokenFrame, Frame, Frames
from plano_filters.translation.messages_to_converse.request import translate
from plano_filters.translation.messages_to_converse.stream import ConverseStream

__all__ = [
    "BrokenFrame",
    "ConverseStream",
    "Frame",
    "Frames",
    "failure",
    "read",
    "translate",
    "whole",
]
