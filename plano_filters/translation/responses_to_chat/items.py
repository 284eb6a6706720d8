"""The items of `input`, as chat messages.

Chat completions want an answer's calls in one message, and each call's output directly after it;
Responses only want both to be there. Source: OpenAI's API reference, "Create a model response".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from plano_filters.errors import BadRequest
from plano_filters.translation.base import Document, Traits
from plano_filters.translation.reading import left_out, objects, text
from plano_filters.translation.responses_to_chat import parts
from plano_filters.translation.responses_to_chat.tools import Tools, custom_arguments

_BOOKKEEPING: Final = ("type", "id", "status")
"""What an item has because it was once answered; it means nothing to a model."""
_MESSAGE: Final = (*_BOOKKEEPING, "role", "content")
_CALL: Final = (*_BOOKKEEPING, "call_id", "name", "namespace", "arguments", "input")
_OUTPUT: Final = (*_BOOKKEEPING, "call_id", "name", "namespace", "output")
_THOUGHT: Final = (*_BOOKKEEPING, "summary", "content")
_CALLS: Final = ("function_call", "custom_tool_call")
_OUTPUTS: Final = ("function_call_output", "custom_tool_call_output")
_RUN_BY_THE_PROVIDER: Final = (
    "code_interpreter_call", "file_search_call", "image_generation_call", "mcp_approval_request",
    "mcp_approval_response", "mcp_call", "mcp_list_tools", "program", "program_output",
    "tool_search_call", "tool_search_output", "web_search_call",
)  # fmt: skip
"""Notes of tools that another provider ran; what came of them is in its answers."""

_NO_CALL: Final = (
    "there is no call that this output belongs to; what an `item_reference` or an earlier response "
    "holds is not kept here, so send the call itself (clients do so with `store: false`)"
)


def messages(
    items: list[Any], tools: Tools, traits: Traits, dropped: list[str]
) -> list[tuple[str, Document]]:
    """Translate the items of `input`; return messages with where their contents come from.

    Raises:
        BadRequest: An item that chat has no word for, a call without an output, or the reverse.
    """
    pairs = [(f"input.{at}", item) for at, item in enumerate(objects(items, "input"))]
    outputs: dict[str, deque[tuple[str, Mapping[str, Any]]]] = {}
    for path, item in pairs:
        if item.get("type") in _OUTPUTS:
            outputs.setdefault(text(item, "call_id", path), deque()).append((path, item))
    conversation = _Conversation(outputs, tools, traits, dropped)
    for path, item in pairs:
        conversation.take(item, path)
    conversation.close()
    conversation.forget()
    for left in outputs.values():
        if left:
            raise BadRequest(_NO_CALL, param=left[0][0])
    return conversation.messages


class _Conversation:
    """Makes messages of items, one after the other."""

    def __init__(
        self,
        outputs: Mapping[str, deque[tuple[str, Mapping[str, Any]]]],
        tools: Tools,
        traits: Traits,
        dropped: list[str],
    ) -> None:
        self.messages: list[tuple[str, Document]] = []
        self._outputs = outputs
        """By the ids of their calls, in order, with where they stand; taken out when written."""
        self._tools = tools
        self._traits = traits
        self._dropped = dropped
        self._answer: Document | None = None
        """The assistant's message that is not complete yet: calls may follow."""
        self._called: list[tuple[str, str]] = []
        """The calls of that message: their ids and where they stand."""
        self._thoughts: list[tuple[str, str]] = []
        """What was thought before an answer that has yet to come: where it stands, and the text."""

    def take(self, item: Mapping[str, Any], path: str) -> None:
        """Take the next item."""
        kind = item.get("type")
        if kind in _CALLS:
            self._call(item, path)
        elif kind in _OUTPUTS:
            self.close()
        elif kind == "message" or (kind is None and "role" in item):
            self._message(item, path)
        elif kind == "reasoning":
            self._reasoning(item, path)
        elif kind == "item_reference" or (kind is None and "id" in item):
            self._dropped.append(path)  # what it refers to is not kept here
        elif kind in _RUN_BY_THE_PROVIDER:
            self._dropped.append(path)
        elif kind == "additional_tools":
            self._dropped += left_out(item, (*_BOOKKEEPING, "role", "tools"), path)
        else:
            raise BadRequest("this item cannot be sent to this model", param=f"{path}.type")

    def _message(self, item: Mapping[str, Any], path: str) -> None:
        self.close()
        role, said = item.get("role"), item.get("content")
        here = f"{path}.content"
        self._dropped += left_out(item, _MESSAGE, path)
        if said is None:
            raise BadRequest(f"`{here}` is required", param=here)
        if role != "assistant":
            self.forget()
        if role == "assistant":
            self._open(path)["content"] = parts.answer(said, here, self._dropped)
        elif role == "user":
            spoken = parts.content(said, here, self._traits, self._dropped)
            self.messages.append((here, {"role": "user", "content": spoken}))
        elif role in ("system", "developer"):
            known = role if self._traits.developer_role else "system"
            told = parts.prose(said, here, self._traits, self._dropped)
            self.messages.append((here, {"role": known, "content": told}))
        else:
            why = f"`{path}.role` must be assistant, developer, system or user"
            raise BadRequest(why, param=f"{path}.role")

    def _call(self, item: Mapping[str, Any], path: str) -> None:
        call_id, name = text(item, "call_id", path), text(item, "name", path)
        if item["type"] == "function_call":
            arguments = text(item, "arguments", path)
        else:
            arguments = custom_arguments(text(item, "input", path))
        self._dropped += left_out(item, _CALL, path)
        namespace = item.get("namespace")
        flat = self._tools.name(name, namespace if isinstance(namespace, str) else None)
        answer = self._answer if self._answer is not None else self._open(path)
        self._think(answer)
        answer.setdefault("tool_calls", []).append(
            {"id": call_id, "type": "function", "function": {"name": flat, "arguments": arguments}}
        )
        self._called.append((call_id, path))

    def _reasoning(self, item: Mapping[str, Any], path: str) -> None:
        told = _thought(item) if self._traits.reasoning_content else ""
        if told:
            self._thoughts.append((path, told))
            self._dropped += left_out(item, _THOUGHT, path)
        else:
            self._dropped.append(path)

    def _open(self, path: str) -> Document:
        self._answer = {"role": "assistant", "content": None}
        self._think(self._answer)
        self.messages.append((path, self._answer))
        return self._answer

    def _think(self, answer: Document) -> None:
        if self._thoughts:
            before = [answer["reasoning_content"]] if "reasoning_content" in answer else []
            told = [said for _, said in self._thoughts]
            answer["reasoning_content"] = "\n".join(before + told)
            self._thoughts = []

    def forget(self) -> None:
        """Drop thoughts that no answer followed."""
        self._dropped.extend(path for path, _ in self._thoughts)
        self._thoughts = []

    def close(self) -> None:
        """End the assistant's message: the outputs of its calls follow, media after all of them."""
        if self._answer is not None and not self._answer["content"]:
            self._answer["content"] = None if self._called else ""
        media: list[Document] = []
        shown_at = ""
        for call_id, path in self._called:
            queue = self._outputs.get(call_id)
            if not queue:
                raise BadRequest("there is no output for this call", param=path)
            whole, item = queue.popleft()
            self._dropped += left_out(item, _OUTPUT, whole)
            here = f"{whole}.output"
            said, shown = parts.output(
                item.get("output"), call_id, here, self._traits, self._dropped
            )
            self.messages.append((here, {"role": "tool", "tool_call_id": call_id, "content": said}))
            media.extend(shown)
            shown_at = here if shown else shown_at
        if media:
            self.messages.append((shown_at, {"role": "user", "content": media}))
        self._called = []
        self._answer = None


def _thought(item: Mapping[str, Any]) -> str:
    """Return the text of a reasoning item: what was thought, else its summary."""
    for name in ("content", "summary"):
        found = item.get(name)
        if isinstance(found, list):
            texts = [part.get("text") for part in found if isinstance(part, Mapping)]
            told = "\n".join(said for said in texts if isinstance(said, str))
            if told:
                return told
    return ""
