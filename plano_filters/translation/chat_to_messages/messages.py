"""The messages of a chat as turns that alternate, with the results of tools where they belong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from plano_filters.errors import BadRequest
from plano_filters.translation.base import Document
from plano_filters.translation.chat_to_messages import content, tools
from plano_filters.translation.reading import left_out, objects, text

OPENING: Final = "Begin."
"""What the user says where a conversation has no user at its beginning: the API insists on one."""

_FIELDS: Final = {
    "system": frozenset({"role", "content"}),
    "developer": frozenset({"role", "content"}),
    "user": frozenset({"role", "content"}),
    "assistant": frozenset({"role", "content", "refusal", "tool_calls", "audio", "function_call"}),
    "tool": frozenset({"role", "content", "tool_call_id"}),
}
_NOT_IN_AN_ID: Final = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a Messages API gets of the messages."""

    system: list[Document]
    """Text blocks, in order."""
    turns: list[Document]
    """`messages`: user and assistant by turns, from a user on."""
    called: list[str]
    """The names of the tools that were called, in order, with repetitions."""


def conversation(payload: Mapping[str, Any], dropped: list[str]) -> Conversation:
    """Translate the messages of a request.

    Whatever stands in the middle for the system goes to the top, in order: not every version and
    model takes it in place.

    Raises:
        BadRequest: A message cannot be expressed, a call has no result or a result no call, or
            nobody says anything.
    """
    messages = objects(payload.get("messages"), "messages")
    system: list[Document] = []
    turns = _Turns()
    for position, message in enumerate(messages):
        path = f"messages.{position}"
        role = message.get("role")
        if not isinstance(role, str) or role not in _FIELDS:
            raise BadRequest(
                f"{path}.role must be one of {', '.join(_FIELDS)}", param=f"{path}.role"
            )
        dropped += left_out(message, _FIELDS[role], path)
        if role == "user":
            said = content.blocks(message.get("content"), content.OF_USER, path, dropped)
            turns.user(said)
        elif role == "assistant":
            _refuse_lost(message, path)
            turns.assistant(_said(message, path, dropped), _calls(message, path, dropped), path)
        elif role == "tool":
            turns.result(text(message, "tool_call_id", path), _result(message, path, dropped), path)
        else:
            said = content.blocks(message.get("content"), content.OF_SYSTEM, path, dropped)
            system += said
    return Conversation(system, turns.finished(bool(system)), turns.called)


def _refuse_lost(message: Mapping[str, Any], path: str) -> None:
    """Refuse what an assistant said in a form that would be lost."""
    if message.get("audio"):
        raise BadRequest("this model cannot hear what was said before", param=f"{path}.audio")
    if message.get("function_call"):
        raise BadRequest(
            "function_call is not translated for this model; use tool_calls",
            param=f"{path}.function_call",
        )


def _said(message: Mapping[str, Any], path: str, dropped: list[str]) -> list[Document]:
    said: list[Document] = []
    if message.get("content") is not None:
        said = content.blocks(message["content"], content.OF_ASSISTANT, path, dropped)
    if message.get("refusal") is not None:
        said += content.text_block(text(message, "refusal", path))
    return said


def _calls(message: Mapping[str, Any], path: str, dropped: list[str]) -> list[tuple[str, Document]]:
    where = f"{path}.tool_calls"
    return [
        tools.call(entry, f"{where}.{position}", dropped)
        for position, entry in enumerate(objects(message.get("tool_calls"), where))
    ]


def _result(message: Mapping[str, Any], path: str, dropped: list[str]) -> Document:
    """Make a `tool_result` without its id; only as a whole can it be cached up to."""
    value = message.get("content")
    if isinstance(value, str):
        return {"content": value} if value.strip() else {}
    parts = content.blocks(value, content.OF_TOOL, path, dropped)
    caches = [part.pop("cache_control") for part in parts if "cache_control" in part]
    result: Document = {"content": parts} if parts else {}
    if caches:
        result["cache_control"] = caches[-1]
    return result


class _Turns:
    """The turns as they grow: same roles merge, and results stand before anything else."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self._turns: list[Document] = []
        self._results = 0
        self._open: list[tuple[str, str, str]] = []
        """Calls without a result yet: the client's id, ours, and where."""
        self._ids: dict[str, int] = {}

    def user(self, said: list[Document]) -> None:
        if said:
            self._turn("user").extend(said)

    def assistant(self, said: list[Document], calls: list[tuple[str, Document]], path: str) -> None:
        if not said and not calls:
            return
        turn = self._turn("assistant")
        turn += said
        for position, (client_id, block) in enumerate(calls):
            own = self._own_id(client_id)
            self._open.append((client_id, own, f"{path}.tool_calls.{position}"))
            self.called.append(block["name"])
            turn.append({"type": "tool_use", "id": own, **block})

    def result(self, client_id: str, result: Document, path: str) -> None:
        for entry in self._open:
            if entry[0] == client_id:
                break
        else:
            where = f"{path}.tool_call_id"
            raise BadRequest(f"{where} names no call of the turn before", param=where)
        self._open.remove(entry)
        turn = self._turn("user")
        turn.insert(self._results, {"type": "tool_result", "tool_use_id": entry[1], **result})
        self._results += 1

    def finished(self, instructed: bool) -> list[Document]:
        """Return the turns.

        Args:
            instructed: There is a system prompt, which is enough to answer to.
        """
        self._refuse_open()
        turns = self._turns
        if not turns and not instructed:
            raise BadRequest("messages has no message that says something", param="messages")
        if not turns or turns[0]["role"] != "user":
            turns.insert(0, {"role": "user", "content": content.text_block(OPENING)})
        last = turns[-1]["content"][-1]
        if turns[-1]["role"] == "assistant" and last["type"] == "text":
            last["text"] = last["text"].rstrip()  # the API refuses to go on after a space
        return turns

    def _turn(self, role: str) -> list[Document]:
        """Return the content of the turn to add to, a new one after the other's."""
        if not self._turns or self._turns[-1]["role"] != role:
            if role == "assistant":
                self._refuse_open()
            self._turns.append({"role": role, "content": []})
            self._results = 0
        blocks: list[Document] = self._turns[-1]["content"]
        return blocks

    def _refuse_open(self) -> None:
        if self._open:
            where = self._open[0][2]
            raise BadRequest(f"{where} has no tool message that answers it", param=where)

    def _own_id(self, client_id: str) -> str:
        """Return an id that the API takes: other providers' have dots and colons, and repeat."""
        wanted = _NOT_IN_AN_ID.sub("_", client_id) or "call"
        own = wanted
        while own in self._ids:
            self._ids[wanted] += 1
            own = f"{wanted}_{self._ids[wanted]}"
        self._ids[own] = 1
        return own
