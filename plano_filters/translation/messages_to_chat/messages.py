"""The conversation of an Anthropic request becomes that of a chat completion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from plano_filters.errors import BadRequest
from plano_filters.translation.base import Document
from plano_filters.translation.messages_to_chat.blocks import (
    Block,
    blocks_of,
    mark_cached,
    parts_of,
    text_part,
)
from plano_filters.translation.messages_to_chat.conversation import Conversation
from plano_filters.translation.messages_to_chat.job import Job
from plano_filters.translation.reading import left_out, text

_USERS_ONLY: Final = ("image", "document", "search_result", "tool_result", "container_upload")


def messages_of(payload: Mapping[str, Any], job: Job) -> list[Document]:
    """Translate `system` and `messages`.

    Raises:
        BadRequest: A message is not what Anthropic allows, or has no counterpart.
    """
    conversation = Conversation()
    if payload.get("system") is not None:
        _system(conversation, payload["system"], "system", job)
    messages = payload.get("messages")
    if not isinstance(messages, list):
        raise BadRequest('"messages" must be a list', param="messages")
    for index, message in enumerate(messages):
        path = f"messages.{index}"
        read = _ROLES.get(str(message.get("role"))) if isinstance(message, Mapping) else None
        if read is None:
            raise BadRequest(
                f'"{path}.role" must be user, assistant or system', param=f"{path}.role"
            )
        job.dropped.extend(left_out(message, ("role", "content"), path))
        read(conversation, message.get("content"), f"{path}.content", job)
    return conversation.messages()


def _system(conversation: Conversation, content: object, path: str, job: Job) -> None:
    for block, at in blocks_of(content, path):
        if block["type"] != "text":
            raise BadRequest(f'"{at}" must be a text block', param=at)
        conversation.say("system", parts_of(block, at, job))


def _user(conversation: Conversation, content: object, path: str, job: Job) -> None:
    """Add the results first, then what no tool message can hold, then what the user says."""
    moved: list[Document] = []
    said: list[Document] = []
    for block, at in blocks_of(content, path):
        if block["type"] == "tool_result":
            moved += _result(conversation, block, at, job)
        else:
            said += parts_of(block, at, job)
    conversation.say("user", moved + said)


def _result(conversation: Conversation, block: Block, path: str, job: Job) -> list[Document]:
    """Add the result of a tool; return its images and files, for the user's next message."""
    known = ("type", "cache_control", "tool_use_id", "content", "is_error")
    job.dropped.extend(left_out(block, known, path))
    call_id = text(block, "tool_use_id", path)
    texts: list[Document] = []
    moved: list[Document] = []
    content = block.get("content")
    for inner, at in blocks_of("" if content is None else content, f"{path}.content"):
        for part in parts_of(inner, at, job):
            if part["type"] == "text":
                texts.append(part)
                continue
            kind = "file" if part["type"] == "file" else "image"
            texts.append({"type": "text", "text": f"[the {kind} is in the next user message]"})
            moved.append(part)
    if block.get("is_error") is True:
        if texts:
            texts[0]["text"] = f"Error: {texts[0]['text']}"
        else:
            texts.append({"type": "text", "text": "Error"})
    mark_cached(texts, block, path, job)
    conversation.result(call_id, texts, path)
    if moved:
        moved.insert(0, {"type": "text", "text": f"From the result of the tool call {call_id}:"})
    return moved


def _assistant(conversation: Conversation, content: object, path: str, job: Job) -> None:
    """Add what the assistant said and called; what only Anthropic understands is dropped."""
    for block, at in blocks_of(content, path):
        kind = block["type"]
        if kind == "text":
            parts = text_part(block, at, job)
            mark_cached(parts, block, at, job)
            conversation.say("assistant", parts)
        elif kind == "tool_use":
            conversation.call(_call(block, at, job), at)
        elif kind == "thinking" and job.traits.reasoning_content:
            conversation.think(text(block, "thinking", at))
            unsigned = not block.get("signature")  # an empty one is of our own making
            job.dropped.extend(
                left_out(block, ("type", "thinking", *(("signature",) if unsigned else ())), at)
            )
        elif kind in _USERS_ONLY:
            raise BadRequest(f'"{at}" is no block of an assistant', param=at)
        else:
            job.dropped.append(at)


def _call(block: Block, path: str, job: Job) -> Document:
    job.dropped.extend(left_out(block, ("type", "id", "name", "input"), path))
    given = block.get("input")
    if not isinstance(given, Mapping):
        raise BadRequest(f'"{path}.input" must be an object', param=f"{path}.input")
    arguments = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
    function = {"name": job.names.short(text(block, "name", path)), "arguments": arguments}
    return {"id": text(block, "id", path), "type": "function", "function": function}


_ROLES: Final = {"user": _user, "assistant": _assistant, "system": _system}
