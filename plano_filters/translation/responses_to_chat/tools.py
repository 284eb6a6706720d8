"""Tools: flat functions, custom tools and namespaces, as chat functions; and what they were.

A custom tool becomes a function with one string, `input`. The members of a namespace `ns` become
functions `ns__name`. Tools that the provider would run itself have no word in chat completions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from plano_filters.errors import BadRequest
from plano_filters.translation.base import Document
from plano_filters.translation.custom import CUSTOM_INPUT
from plano_filters.translation.reading import left_out, objects, text

NAME_LENGTH: Final = 64
"""Characters of a function's name; OpenAI refuses a longer one."""
_FUNCTION: Final = ("type", "name", "description", "parameters", "strict")
_CUSTOM: Final = ("type", "name", "description", "format")
_NAMESPACE: Final = ("type", "name", "description", "tools")
_CUSTOM_PARAMETERS: Final = {
    "type": "object",
    "properties": {
        CUSTOM_INPUT: {"type": "string", "description": "The input of the tool, as it is."}
    },
    "required": [CUSTOM_INPUT],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Origin:
    """What the client called a function."""

    name: str
    namespace: str | None = None
    custom: bool = False


class Tools:
    """The functions of one request, and how to find back to the client's tools."""

    def __init__(self) -> None:
        self.origins: dict[str, Origin] = {}
        """By the function's name."""
        self.functions: dict[str, Document] = {}
        """Chat tools by the function's name, in the client's order."""
        self.places: dict[str, str] = {}
        """Where each function stands in the request."""
        self._names: dict[tuple[str | None, str], str] = {}

    def add(self, tools: object, path: str, dropped: list[str]) -> None:
        """Add the tools of an array of the request; list those that have no word in chat."""
        for at, tool in enumerate(objects(tools, path)):
            here = f"{path}.{at}"
            if tool.get("type") == "namespace":
                self._add_namespace(tool, here, dropped)
            elif not self._add_one(tool, here, dropped):
                dropped.append(here)

    def name(self, name: str, namespace: str | None) -> str:
        """Return what a tool of the client is called as a function, declared or not."""
        return self._names.get((namespace, name)) or _joined(name, namespace)

    def members(self, namespace: str) -> list[str]:
        """Return the functions of a namespace."""
        return [flat for flat, was in self.origins.items() if was.namespace == namespace]

    def _add_namespace(self, group: Mapping[str, Any], path: str, dropped: list[str]) -> None:
        namespace = text(group, "name", path)
        dropped += left_out(group, _NAMESPACE, path)
        about = group.get("description")
        for at, tool in enumerate(objects(group.get("tools"), f"{path}.tools")):
            here = f"{path}.tools.{at}"
            # The model reads what is said of the group once, with its first member.
            first = about if at == 0 and isinstance(about, str) else None
            if not self._add_one(tool, here, dropped, namespace, first):
                dropped.append(here)

    def _add_one(
        self,
        tool: Mapping[str, Any],
        path: str,
        dropped: list[str],
        namespace: str | None = None,
        about: str | None = None,
    ) -> bool:
        """Add a function or a custom tool; say whether it was one that is not there yet."""
        kind = tool.get("type")
        if kind not in ("function", "custom"):
            return False
        name = text(tool, "name", path)
        if (namespace, name) in self._names:
            return False
        flat = _joined(name, namespace)
        if flat in self.functions:
            flat = _shortened(flat, f"{namespace}\0{name}")
        function = _function(tool) if kind == "function" else _custom(tool)
        if about:
            own = function.get("description")
            function["description"] = f"{about}\n\n{own}" if own else about
        dropped += left_out(tool, _FUNCTION if kind == "function" else _CUSTOM, path)
        if kind == "custom" and _grammar(tool):
            dropped.append(f"{path}.format")  # the model is told, but nobody enforces it
        self._names[namespace, name] = flat
        self.places[flat] = path
        self.origins[flat] = Origin(name, namespace, kind == "custom")
        self.functions[flat] = {"type": "function", "function": {"name": flat} | function}
        return True


def custom_arguments(given: str) -> str:
    """Write the input of a custom tool as the arguments of its function."""
    return json.dumps({CUSTOM_INPUT: given}, ensure_ascii=False, separators=(",", ":"))


def _function(tool: Mapping[str, Any]) -> Document:
    kept = ("description", "parameters", "strict")
    return {name: tool[name] for name in kept if tool.get(name) is not None}


def _custom(tool: Mapping[str, Any]) -> Document:
    about = [tool["description"]] if isinstance(tool.get("description"), str) else []
    if grammar := _grammar(tool):
        syntax = tool["format"].get("syntax") or "formal"
        about.append(f"The input must follow this {syntax} grammar:\n{grammar}")
    made: Document = {"description": "\n\n".join(about)} if about else {}
    return made | {"parameters": _CUSTOM_PARAMETERS}


def _grammar(tool: Mapping[str, Any]) -> str:
    given = tool.get("format")
    definition = given.get("definition") if isinstance(given, Mapping) else None
    return definition if isinstance(definition, str) else ""


def _joined(name: str, namespace: str | None) -> str:
    flat = name if namespace is None else f"{namespace}__{name}"
    return flat if len(flat) <= NAME_LENGTH else _shortened(flat, flat)


def _shortened(flat: str, seed: str) -> str:
    """Return a name that differs where the seeds do, and is the same in every request."""
    digest = hashlib.blake2b(seed.encode("utf-8", "replace"), digest_size=4).hexdigest()
    return f"{flat[: NAME_LENGTH - 9]}_{digest}"


def choice(value: object, tools: Tools) -> tuple[str | Document | None, list[Document]]:
    """Return chat's `tool_choice`, None for the default, and the functions to send with it.

    The functions of `allowed_tools` are all that is sent: chat's own word for it is known to few
    providers. Where none of them is left, all are sent, as the history may call them, and none may
    be called.
    """
    functions = list(tools.functions.values())
    if value is None or isinstance(value, str):
        if value == "required" and not functions:
            raise _impossible("no tool is left that this model could call")
        return (value if functions else None), functions
    if not isinstance(value, dict):
        raise BadRequest("tool_choice must be a string or an object", param="tool_choice")
    chosen: Mapping[str, Any] = value
    if chosen.get("type") in ("function", "custom"):
        return {"type": "function", "function": {"name": _one(chosen, tools)}}, functions
    if chosen.get("type") != "allowed_tools":
        raise _impossible("this tool cannot be called by this model")
    mode = chosen.get("mode", "auto")
    allowed = _allowed(chosen, tools)
    if allowed:
        return mode, [tools.functions[name] for name in tools.functions if name in allowed]
    if mode == "required":
        raise _impossible("none of the allowed tools can be called by this model")
    return ("none" if functions else None), functions


def _allowed(chosen: Mapping[str, Any], tools: Tools) -> set[str]:
    names: set[str] = set()
    for at, tool in enumerate(objects(chosen.get("tools"), "tool_choice.tools")):
        if tool.get("type") == "namespace":
            names.update(tools.members(text(tool, "name", f"tool_choice.tools.{at}")))
        elif tool.get("type") in ("function", "custom"):
            names.add(_one(tool, tools))
    return names & tools.functions.keys()


def _one(chosen: Mapping[str, Any], tools: Tools) -> str:
    """Return the function that a choice names, with its namespace or without."""
    name = text(chosen, "name", "tool_choice")
    namespace = chosen.get("namespace")
    flat = tools.name(name, namespace if isinstance(namespace, str) else None)
    if flat in tools.functions:
        return flat
    bare = [flat for flat, was in tools.origins.items() if was.name == name]
    if len(bare) == 1:
        return bare[0]
    raise _impossible("it names a tool that is not among `tools`")


def _impossible(why: str) -> BadRequest:
    return BadRequest(f"`tool_choice` cannot be kept: {why}", param="tool_choice")
