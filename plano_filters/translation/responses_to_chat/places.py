"""Where in a Responses request the parts of the chat request come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_NAMES: Final = {
    "max_completion_tokens": "max_output_tokens",
    "messages": "input",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
    "stream_options": "stream",
    "verbosity": "text.verbosity",
}
_WRAPPER: Final = "response_format.json_schema"


@dataclass(frozen=True, slots=True)
class Places:
    """Finds the client's path for a path of the chat request that was made of it."""

    messages: Sequence[str]
    """Of each message: its item, or the content in it of which the parts are counted alike."""
    tools: Sequence[str]
    """Of each tool."""
    logprobs: str
    """What asked for the probabilities of tokens."""

    def find(self, path: str) -> str:
        """Return the client's path: of the part, the item, the tool or the parameter at fault."""
        head, _, rest = path.partition(".")
        index, _, inner = rest.partition(".")
        among = {"messages": self.messages, "tools": self.tools}.get(head, ())
        if index.isdecimal() and int(index) < len(among):
            place = among[int(index)]
            return _in_tool(place, inner) if head == "tools" else _in_message(place, inner)
        if head == "logprobs":
            return self.logprobs
        if path.startswith(f"{_WRAPPER}."):
            return f"text.format.{path.removeprefix(f'{_WRAPPER}.')}"
        return _NAMES.get(head, path)


def _in_tool(place: str, inner: str) -> str:
    flat = inner.removeprefix("function").removeprefix(".")
    return f"{place}.{flat}" if flat else place


def _in_message(place: str, inner: str) -> str:
    """Return where it is in a content: the part, and its field; chat's parts are one level more."""
    where = inner.split(".")
    if not place.endswith(".content") or len(where) < 2 or not where[1].isdecimal():
        return place
    part = f"{place}.{where[1]}"
    return f"{part}.{where[-1]}" if len(where) > 2 else part
