"""Chat messages in the making: neighbours of one role are one message, results follow calls."""

from __future__ import annotations

from plano_filters.errors import BadRequest
from plano_filters.translation.base import Document

_JOINTS = {"system": "\n\n", "assistant": "", "tool": "\n"}
"""What stands between the texts of a message that has to be one string."""


class Conversation:
    """Collects messages in the order of the client, and puts tool results where they belong.

    Anthropic reads neighbours of one role as one message, and so do many chat templates; and chat
    completions want all results directly after the message with the calls. What a client says in
    between comes after them.
    """

    def __init__(self) -> None:
        self._messages: list[Document] = []
        self._unanswered: dict[str, str] = {}
        """The calls of the last assistant message without a result, and their paths."""
        self._slot = 0
        """Where the next result goes."""

    def say(self, role: str, parts: list[Document]) -> None:
        """Add what somebody says; nothing, if there are no parts."""
        if parts:
            self._message(role)["content"] += parts

    def call(self, call: Document, path: str) -> None:
        """Add a tool call of the assistant.

        Raises:
            BadRequest: Its id is that of another call that waits for a result.
        """
        message = self._message("assistant")
        if call["id"] in self._unanswered:
            raise BadRequest(f'the id of "{path}" is not unique', param=f"{path}.id")
        self._unanswered[call["id"]] = path
        message.setdefault("tool_calls", []).append(call)
        self._slot = len(self._messages)

    def think(self, thought: str) -> None:
        """Add what the assistant thought before it spoke."""
        message = self._message("assistant")
        message["reasoning_content"] = message.get("reasoning_content", "") + thought

    def result(self, call_id: str, parts: list[Document], path: str) -> None:
        """Add what a tool returned.

        Raises:
            BadRequest: No call before it waits for it.
        """
        if self._unanswered.pop(call_id, None) is None:
            raise BadRequest(
                f'"{path}" is no result of a tool_use block in the message before',
                param=f"{path}.tool_use_id",
            )
        message = {"role": "tool", "tool_call_id": call_id, "content": parts}
        self._messages.insert(self._slot, message)
        self._slot += 1

    def messages(self) -> list[Document]:
        """Return the messages, each content in its simplest form.

        Raises:
            BadRequest: A call has no result, or nobody says anything.
        """
        self._check_answered()
        if all(message["role"] == "system" for message in self._messages):
            raise BadRequest('"messages" says nothing', param="messages")
        for message in self._messages:
            message["content"] = _simplest(message)
        return self._messages

    def _message(self, role: str) -> Document:
        """Return the message that this role is saying, or a new one."""
        if self._messages and self._messages[-1]["role"] == role:
            return self._messages[-1]
        if role == "assistant":
            self._check_answered()
        message: Document = {"role": role, "content": []}
        self._messages.append(message)
        return message

    def _check_answered(self) -> None:
        for path in self._unanswered.values():
            raise BadRequest(f'the tool_use block "{path}" has no result after it', param=path)


def _simplest(message: Document) -> str | list[Document] | None:
    """Return a string where that says the same: not every provider reads lists of parts."""
    role: str = message["role"]
    parts: list[Document] = message["content"]
    if not parts:
        return None if "tool_calls" in message else ""
    plain = all(part["type"] == "text" and len(part) == 2 for part in parts)
    if not plain or (role == "user" and len(parts) > 1):
        return parts
    return _JOINTS.get(role, "").join(part["text"] for part in parts)
