"""The blocks of a Messages request as the blocks of Converse."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

from plano_filters.errors import BadRequest
from plano_filters.translation.base import Document
from plano_filters.translation.messages_to_converse.names import ToolNames
from plano_filters.translation.reading import left_out, member, objects, text

_IMAGES: Final = frozenset({"png", "jpeg", "gif", "webp"})
_UNNAMED: Final = re.compile(r"[^a-zA-Z0-9()\[\]-]+")
"""What the name of a document may not have; one space may stand for it."""
_LONGEST_NAME: Final = 200


class Blocks:
    """Translates the blocks of one request.

    Args:
        names: Of its tools.
        caching: Whether the model knows cache points.
        dropped: Takes the paths of what Converse has no word for.
    """

    def __init__(self, names: ToolNames, *, caching: bool, dropped: list[str]) -> None:
        self.names = names
        self.dropped = dropped
        self._caching = caching
        self._documents = 0

    def read(self, content: object, path: str) -> list[Document]:
        """Translate a string or a list of blocks; what is blank is no block.

        Raises:
            BadRequest: A block cannot be expressed, or is none.
        """
        if isinstance(content, str):
            return _said(content)
        found: list[Document] = []
        for position, block in enumerate(objects(content, path)):
            at = f"{path}.{position}"
            found += self._block(block, at)
            if found:
                found += self.cache_point(block, at)
        return found

    def cache_point(self, block: Mapping[str, Any], path: str) -> list[Document]:
        """Return what says that the prompt is to be cached up to here."""
        wanted = block.get("cache_control")
        if not isinstance(wanted, dict):
            return []
        if not self._caching:
            self.dropped.append(f"{path}.cache_control")
            return []
        ttl: Document = {"ttl": "1h"} if wanted.get("ttl") == "1h" else {}
        return [{"cachePoint": {"type": "default", **ttl}}]

    def _block(self, block: Mapping[str, Any], path: str) -> list[Document]:
        kind = block.get("type")
        if kind == "text":
            return _said(text(block, "text", path))
        if kind == "thinking":
            return self._thought(block, path)
        made = {
            "redacted_thinking": _redacted,
            "image": _image,
            "document": self._document,
            "tool_use": self._use,
            "tool_result": self._result,
        }.get(kind if isinstance(kind, str) else "")
        if made is None:
            raise BadRequest("this model takes no such content", param=f"{path}.type")
        return [made(block, path)]

    def _use(self, block: Mapping[str, Any], path: str) -> Document:
        name = self.names.short(text(block, "name", path))
        use = {"toolUseId": text(block, "id", path), "name": name}
        return {"toolUse": {**use, "input": member(block, "input", path)}}

    def _result(self, block: Mapping[str, Any], path: str) -> Document:
        # A cache point stands behind a result, not in it.
        inner = Blocks(self.names, caching=False, dropped=self.dropped)
        inner._documents = self._documents
        result: Document = {
            "toolUseId": text(block, "tool_use_id", path),
            "content": inner.read(block.get("content"), f"{path}.content"),
        }
        self._documents = inner._documents
        if block.get("is_error") is True:
            result["status"] = "error"
        return {"toolResult": result}

    def _thought(self, block: Mapping[str, Any], path: str) -> list[Document]:
        """Return a thought; a model takes back only what it has signed."""
        if not block.get("signature"):
            self.dropped.append(path)
            return []
        thought = {"text": text(block, "thinking", path), "signature": block["signature"]}
        return [{"reasoningContent": {"reasoningText": thought}}]

    def _document(self, block: Mapping[str, Any], path: str) -> Document:
        source, where = member(block, "source", path), f"{path}.source"
        if source.get("type") == "text":
            form, data = "txt", base64.b64encode(text(source, "data", where).encode()).decode()
        elif source.get("type") == "base64" and source.get("media_type") == "application/pdf":
            form, data = "pdf", text(source, "data", where)
        else:
            raise BadRequest("this model takes documents as PDF or text only", param=where)
        self._documents += 1
        title = _UNNAMED.sub(" ", str(block.get("title") or "")).strip()[:_LONGEST_NAME]
        name = title or f"document {self._documents}"
        made: Document = {"format": form, "name": name, "source": {"bytes": data}}
        if block.get("context"):
            made["context"] = text(block, "context", path)
        known = {"type", "source", "title", "context", "cache_control"}
        cites = block.get("citations")
        if isinstance(cites, dict) and cites.get("enabled") is not True:
            known.add("citations")
        self.dropped += left_out(block, known, path)
        return {"document": made}


def _said(said: str) -> list[Document]:
    """Return a text; none for a blank one, which the API refuses."""
    return [{"text": said}] if said and not said.isspace() else []


def _redacted(block: Mapping[str, Any], path: str) -> Document:
    return {"reasoningContent": {"redactedContent": text(block, "data", path)}}


def _image(block: Mapping[str, Any], path: str) -> Document:
    source, where = member(block, "source", path), f"{path}.source"
    form = str(source.get("media_type", "")).removeprefix("image/")
    if source.get("type") != "base64" or form not in _IMAGES:
        raise BadRequest("this model takes images as png, jpeg, gif or webp data only", param=where)
    return {"image": {"format": form, "source": {"bytes": text(source, "data", where)}}}
