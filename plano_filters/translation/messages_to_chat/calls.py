"""Which tool call a delta belongs to, whatever the provider says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plano_filters.translation.messages_to_chat.names import Names
from plano_filters.translation.messages_to_chat.outcome import arguments_of
from plano_filters.translation.messages_to_chat.pieces import Call


class Calls:
    """The tool calls of one stream.

    OpenAI numbers them, and gives each its id and name once. Other providers leave out the number
    or give all the same, give no id, repeat the name, or send a call whole in one delta.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._by_index: dict[int, Call] = {}
        self._by_id: dict[str, Call] = {}
        self._newest: Call | None = None

    def take(self, delta: Mapping[str, Any]) -> tuple[Call, str, bool]:
        """Read one delta.

        Returns:
            The call it belongs to; what it adds to the arguments; whether the call is a new one.
        """
        found = delta.get("function")
        function: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
        call_id, name = _string(delta.get("id")), _string(function.get("name"))
        index = delta.get("index")
        call = self._known(index, call_id)
        is_new = call is None or _is_another(call, call_id, name)
        if call is None or is_new:
            call = Call()
        if call_id and not call.key:
            call.key = call_id
            if call_id not in self._by_id:
                call.id = call.id or call_id
                self._by_id[call_id] = call
        if name and not call.name:
            call.name = self._names.long(name)
        if isinstance(index, int):
            self._by_index[index] = call
        self._newest = call
        return call, arguments_of(function), is_new

    def _known(self, index: object, call_id: str) -> Call | None:
        if isinstance(index, int):
            return self._by_index.get(index)
        return self._by_id.get(call_id) if call_id else self._newest


def _is_another(call: Call, call_id: str, name: str) -> bool:
    """Say whether a delta begins another call, though its number is that of a known one."""
    if not name or not call.name:
        return False
    if call_id and call.key:
        return call_id != call.key
    return call.complete()


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
