"""Reading what chat providers answer, of which not everything is as OpenAI writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_NOTHING: Final[Mapping[str, Any]] = {}


def first_choice(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the choice that the client gets, of a completion or of a chunk; empty if none."""
    choices = document.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, Mapping) and not choice.get("index"):
            return choice
    return _NOTHING


def said(content: object) -> str:
    """Return the text of `content`: a string, or parts as Mistral's reasoning models send."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part.get("text") for part in content if isinstance(part, Mapping)]
    return "".join(text for text in texts if isinstance(text, str))


def thought(message: Mapping[str, Any]) -> str:
    """Return what was thought: `reasoning_content`, or `reasoning` as vLLM and OpenRouter say."""
    for name in ("reasoning_content", "reasoning"):
        value = message.get(name)
        if isinstance(value, str) and value:
            return value
    return ""
