"""The parts of a message or of a tool's output, as chat completions write them.

Source: OpenAI's API reference, "Create a model response", `input`, and "Create chat completion".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from plano_filters.errors import BadRequest
from plano_filters.translation.base import Document, Traits
from plano_filters.translation.reading import left_out, member, objects, text

BREAKPOINT: Final = "prompt_cache_breakpoint"
_TEXTS: Final = ("input_text", "output_text", "text")
_OF_AN_ANSWER: Final = ("type", "text", "annotations", "logprobs")
"""What the provider itself put beside a text; it means nothing to a model."""
_MEDIA: Final = {"image_url": "image", "file": "file", "input_audio": "sound"}
_DETAILS: Final = ("low", "high")
"""`auto` is what a provider does anyway; `original` has no word."""


def content(value: object, path: str, traits: Traits, dropped: list[str]) -> str | list[Document]:
    """Return what a user, or an output with media, says.

    A single plain text becomes a string, which every provider takes.
    """
    if isinstance(value, str):
        return value
    parts = [
        _part(part, f"{path}.{at}", traits, dropped) for at, part in enumerate(objects(value, path))
    ]
    if not parts:
        return ""
    if len(parts) == 1 and parts[0]["type"] == "text" and BREAKPOINT not in parts[0]:
        return str(parts[0]["text"])
    return parts


def prose(value: object, path: str, traits: Traits, dropped: list[str]) -> str | list[Document]:
    """Return what a system or developer message says: text only."""
    said = content(value, path, traits, dropped)
    if isinstance(said, list):
        for at, part in enumerate(said):
            if part["type"] != "text":
                raise BadRequest("only a user message can hold media", param=f"{path}.{at}")
    return said


def answer(value: object, path: str, dropped: list[str]) -> str:
    """Return the text of an earlier answer; parts follow without a gap, refusals are text."""
    if isinstance(value, str):
        return value
    said = ""
    for at, part in enumerate(objects(value, path)):
        here = f"{path}.{at}"
        if part.get("type") == "refusal":
            said += text(part, "refusal", here)
            dropped += left_out(part, ("type", "refusal"), here)
        elif part.get("type") in _TEXTS:
            said += text(part, "text", here)
            dropped += left_out(part, _OF_AN_ANSWER, here)
        else:
            raise _unknown(part, here)
    return said


def output(
    value: object, call_id: str, path: str, traits: Traits, dropped: list[str]
) -> tuple[str, list[Document]]:
    """Return the text of a tool's output, and its media with a word on where they come from.

    Tool messages hold text only; the media go into a user message.
    """
    said = content(value, path, traits, dropped)
    if isinstance(said, str):
        return said, []
    texts, media = [], []
    for at, part in enumerate(said):
        if part["type"] == "text":
            texts.append(part["text"])
            if BREAKPOINT in part:
                dropped.append(f"{path}.{at}.{BREAKPOINT}")
        else:
            kind = _MEDIA[part["type"]]
            texts.append(f"[the {kind} is in the next user message]")
            media.append(part)
    if media:
        whence = f"From the result of the tool call {call_id}:"
        media.insert(0, {"type": "text", "text": whence})
    return "\n".join(texts), media


def _part(part: Mapping[str, Any], path: str, traits: Traits, dropped: list[str]) -> Document:
    """Translate one part."""
    kind = part.get("type")
    if kind in _TEXTS:
        made: Document = {"type": "text", "text": text(part, "text", path)}
        known: tuple[str, ...] = _OF_AN_ANSWER
    elif kind == "input_image":
        made = {"type": "image_url", "image_url": _image(part, path, dropped)}
        known = ("type", "image_url", "detail")
    elif kind == "input_file":
        made = {"type": "file", "file": _file(part, path)}
        known = ("type", "file_data", "file_id", "filename")
    elif kind == "input_audio":
        made = {"type": "input_audio", "input_audio": member(part, kind, path)}
        known = ("type", kind)
    else:
        raise _unknown(part, path)
    if traits.cache_breakpoints and part.get(BREAKPOINT) is not None:
        made[BREAKPOINT] = part[BREAKPOINT]
        known = (*known, BREAKPOINT)
    dropped += left_out(part, known, path)
    return made


def _image(part: Mapping[str, Any], path: str, dropped: list[str]) -> Document:
    if part.get("file_id") is not None:
        why = "a stored image cannot be sent to this model; send it as `image_url`"
        raise BadRequest(why, param=f"{path}.file_id")
    made: Document = {"url": text(part, "image_url", path)}
    if part.get("detail") in _DETAILS:
        made["detail"] = part["detail"]
    elif part.get("detail") not in (None, "auto"):
        dropped.append(f"{path}.detail")
    return made


def _file(part: Mapping[str, Any], path: str) -> Document:
    if part.get("file_url") is not None:
        why = "a file cannot be sent to this model by its URL; send it as `file_data`"
        raise BadRequest(why, param=f"{path}.file_url")
    made = {name: part[name] for name in ("filename", "file_data", "file_id") if part.get(name)}
    if "file_data" not in made and "file_id" not in made:
        raise BadRequest("a file needs `file_data` or `file_id`", param=path)
    return made


def _unknown(part: Mapping[str, Any], path: str) -> BadRequest:
    kind = part.get("type")
    named = f"parts of type `{kind[:40]}`" if isinstance(kind, str) else "parts without a type"
    return BadRequest(f"{named} cannot be sent to this model", param=f"{path}.type")
