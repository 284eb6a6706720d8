"""An answer of Converse, or its error, as that of a Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import orjson

from plano_filters.dialect import error_document
from plano_filters.errors import UpstreamFailed
from plano_filters.translation.base import Document

_REASONS: Final = {"guardrail_intervened": "refusal", "content_filtered": "refusal"}
"""Those that a Messages API calls otherwise."""
_USAGE: Final = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cache_read_input_tokens": "cacheReadInputTokens",
    "cache_creation_input_tokens": "cacheWriteInputTokens",
}
"""As at Anthropic, what is read from a cache or written to it is no `inputTokens`."""


def read(data: bytes) -> Document:
    """Decode a JSON object; empty if it is none."""
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def whole(document: Mapping[str, Any], *, answer_id: str, model: str) -> Document | None:
    """Translate a whole answer; None if it is none.

    Args:
        document: Of the provider.
        answer_id: Names the answer; Converse does not.
        model: As it was asked.
    """
    content = inner(inner(document, "output"), "message").get("content")
    if not isinstance(content, list) or not isinstance(document.get("stopReason"), str):
        return None
    blocks = [_block(block) for block in content if isinstance(block, dict)]
    return {
        **head(answer_id, model),
        "content": [block for block in blocks if block is not None],
        "stop_reason": stop_reason(document),
        "usage": usage(document),
    }


def failure(document: Mapping[str, Any], status: int) -> Document:
    """Translate an error.

    Args:
        document: Its body, or the payload of an exception.
        status: That it came with, or stands for.
    """
    said = document.get("message") or document.get("Message")
    error = UpstreamFailed(said if isinstance(said, str) else "the provider gave no reason")
    error.status = status
    told = cast("Document", error_document(error, "messages", "")["error"])
    return {"type": "error", "error": {"type": told["type"], "message": told["message"]}}


def head(answer_id: str, model: str) -> Document:
    """Return a message without content that has not ended."""
    return {
        "id": answer_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def stop_reason(document: Mapping[str, Any]) -> str:
    """Say why an answer ended."""
    reason = str(document.get("stopReason"))
    return _REASONS.get(reason, reason)


def usage(document: Mapping[str, Any]) -> Document:
    """Translate usage; what the provider does not count is 0."""
    spent = inner(document, "usage")
    made: Document = {name: spent.get(theirs) or 0 for name, theirs in _USAGE.items()}
    details = spent.get("cacheDetails")
    written = {
        f"ephemeral_{one['ttl']}_input_tokens": one.get("inputTokens") or 0
        for one in (details if isinstance(details, list) else ())
        if isinstance(one, dict) and one.get("ttl") in ("5m", "1h")
    }
    return {**made, "cache_creation": written} if written else made


def inner(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a member that is an object, else an empty one."""
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def called(use: Mapping[str, Any]) -> Document:
    """Return the block of a call, without what it is called with."""
    name, call_id = str(use.get("name", "")), str(use.get("toolUseId", ""))
    return {"type": "tool_use", "id": call_id, "name": name, "input": {}}


def _block(block: Mapping[str, Any]) -> Document | None:
    if isinstance(block.get("text"), str):
        return {"type": "text", "text": block["text"]}
    use = inner(block, "toolUse")
    if use:
        return {**called(use), "input": inner(use, "input")}
    thought = inner(block, "reasoningContent")
    if "redactedContent" in thought:
        return {"type": "redacted_thinking", "data": thought["redactedContent"]}
    if thought:
        said = inner(thought, "reasoningText")
        signature = said.get("signature") or ""
        return {"type": "thinking", "thinking": said.get("text") or "", "signature": signature}
    return None
