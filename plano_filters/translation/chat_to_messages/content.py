"""The parts of a chat message as the blocks of a Messages API."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from plano_filters.errors import BadRequest
from plano_filters.translation.base import Document
from plano_filters.translation.reading import left_out, member, objects, text

IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What a Messages API reads as an image."""

OF_USER: Final = frozenset({"text", "image_url", "file"})
OF_TOOL: Final = OF_USER
"""OpenAI's own API takes text alone; a Messages API takes more, and clients make use of it."""
OF_ASSISTANT: Final = frozenset({"text", "refusal"})
OF_SYSTEM: Final = frozenset({"text"})

_PDF_MAGIC: Final = "JVBERi"
"""`%PDF-` in base64: clients send a file without the head of a `data:` URL, too."""
_PART_FIELDS: Final = frozenset(
    {"type", "text", "refusal", "image_url", "file", "cache_control", "prompt_cache_breakpoint"}
)


def text_block(content: str) -> list[Document]:
    """Return a text as a block; none for a blank one, which the API refuses."""
    return [{"type": "text", "text": content}] if content and not content.isspace() else []


def blocks(
    content: object, allowed: frozenset[str], path: str, dropped: list[str]
) -> list[Document]:
    """Translate the content of a message: a string, or a list of parts.

    Args:
        content: As the client sent it.
        allowed: The types of parts that this message may have.
        path: Of the message.
        dropped: Takes the paths of what the API has no word for.

    Raises:
        BadRequest: A part is of another type, or cannot be expressed.
    """
    if isinstance(content, str):
        return text_block(content)
    where = f"{path}.content"
    if not isinstance(content, list):
        raise BadRequest(f"{where} must be a string or a list of parts", param=where)
    found: list[Document] = []
    for position, part in enumerate(objects(content, where)):
        at = f"{where}.{position}"
        made = _block(part, allowed, at, dropped)
        cache = cache_control(part, at, dropped)
        before = made or found  # a blank text is no block; the one before it ends where it stood
        if cache and before:
            before[-1]["cache_control"] = cache
        dropped += left_out(part, _PART_FIELDS, at)
        found += made
    return found


def cache_control(part: Mapping[str, Any], path: str, dropped: list[str]) -> Document | None:
    """Read where the client wants the prompt to be cached up to: OpenAI's way or Anthropic's own.

    OpenAI's times are 30 minutes and 12 hours; the longest time here is an hour.
    """
    own = part.get("cache_control")
    if isinstance(own, dict) and own.get("type") == "ephemeral":
        dropped += left_out(own, {"type", "ttl"}, f"{path}.cache_control")
        ttl = own.get("ttl")
        if ttl in ("5m", "1h"):
            return {"type": "ephemeral", "ttl": ttl}
        return {"type": "ephemeral"}
    dropped += left_out({"cache_control": own}, (), path)
    breakpoint_ = part.get("prompt_cache_breakpoint")
    if isinstance(breakpoint_, dict):
        return (
            {"type": "ephemeral", "ttl": "1h"} if breakpoint_.get("ttl") else {"type": "ephemeral"}
        )
    dropped += left_out({"prompt_cache_breakpoint": breakpoint_}, (), path)
    return None


def _block(
    part: Mapping[str, Any], allowed: frozenset[str], path: str, dropped: list[str]
) -> list[Document]:
    kind = part.get("type")
    if kind == "input_audio":
        raise BadRequest("this model takes no audio", param=path)
    if not isinstance(kind, str) or kind not in allowed:
        raise BadRequest(
            f"{path}.type must be one of {', '.join(sorted(allowed))}", param=f"{path}.type"
        )
    if kind == "image_url":
        return [_image(part, path, dropped)]
    if kind == "file":
        return [_file(member(part, "file", path), f"{path}.file", dropped)]
    return text_block(text(part, kind, path))


def _image(part: Mapping[str, Any], path: str, dropped: list[str]) -> Document:
    where = f"{path}.image_url"
    image = part.get("image_url")
    if isinstance(image, str):
        image = {"url": image}
    if not isinstance(image, dict):
        raise BadRequest(f"{where} must be an object", param=where)
    url = text(image, "url", where)
    known = {"url", "detail"} if image.get("detail") == "auto" else {"url"}
    dropped += left_out(image, known, where)
    if url.startswith(("https://", "http://")):
        return {"type": "image", "source": {"type": "url", "url": url}}
    media_type, data = _decoded_url(url, f"{where}.url")
    if media_type not in IMAGES:
        raise BadRequest("this model takes images as png, jpeg, gif or webp", param=f"{where}.url")
    return _base64("image", media_type, data)


def _file(file: Mapping[str, Any], path: str, dropped: list[str]) -> Document:
    if file.get("file_id"):
        raise BadRequest(
            "a file id is known to one provider only; send the file itself as file_data",
            param=f"{path}.file_id",
        )
    content = text(file, "file_data", path)
    dropped += left_out(file, {"file_data", "filename", "file_id"}, path)
    if content.startswith(_PDF_MAGIC):
        media_type, data = "application/pdf", content
    else:
        media_type, data = _decoded_url(content, f"{path}.file_data")
    if media_type in IMAGES:
        dropped += left_out({"filename": file.get("filename")}, (), path)
        return _base64("image", media_type, data)
    if media_type == "text/plain":
        source = {"type": "text", "media_type": media_type, "data": _plain(data, path)}
        block: Document = {"type": "document", "source": source}
    elif media_type == "application/pdf":
        block = _base64("document", media_type, data)
    else:
        raise BadRequest(
            "this model takes files as PDF, plain text or an image", param=f"{path}.file_data"
        )
    name = file.get("filename")
    if isinstance(name, str) and name:
        block["title"] = name
    return block


def _base64(kind: str, media_type: str, data: str) -> Document:
    return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}}


def _plain(data: str, path: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        raise BadRequest("the file is no UTF-8 text in base64", param=f"{path}.file_data") from None


def _decoded_url(url: str, path: str) -> tuple[str, str]:
    """Split a `data:` URL into its media type and its base64."""
    head, _, data = url.partition(",")
    media_type, *parameters = head.removeprefix("data:").split(";")
    if not head.startswith("data:") or "base64" not in parameters:
        raise BadRequest(f"{path} must be a data: URL in base64", param=path)
    media_type = media_type.strip().lower()
    return ("image/jpeg" if media_type == "image/jpg" else media_type), data
