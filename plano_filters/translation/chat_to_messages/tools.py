"""Tools, the choice among them, and calls of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from plano_filters import jsonbody
from plano_filters.errors import BadRequest
from plano_filters.translation.base import Document
from plano_filters.translation.chat_to_messages.content import cache_control
from plano_filters.translation.custom import CUSTOM_INPUT
from plano_filters.translation.reading import left_out, member, objects, text

"""The one member of the input of a tool that stands for a custom tool of OpenAI's."""

_CHOICES: Final = {"auto": "auto", "required": "any", "none": "none"}
_TOOL_FIELDS: Final = frozenset(
    {"type", "function", "custom", "cache_control", "prompt_cache_breakpoint"}
)


@dataclass(frozen=True, slots=True)
class Tools:
    """What a request says of tools."""

    fields: Document
    """`tools` and `tool_choice`, where the request needs them."""
    custom: frozenset[str] = frozenset()
    """The names of the custom tools, whose calls are to be given back as such."""

    @property
    def forced(self) -> bool:
        """Whether the model has to call a tool, which leaves it no room to think."""
        return self.fields.get("tool_choice", {}).get("type") in ("any", "tool")


def tools(payload: Mapping[str, Any], called: Iterable[str], dropped: list[str]) -> Tools:
    """Translate the tools of a request, and the choice among them.

    The API wants the tools defined as soon as the conversation has calls in it. OpenAI does not;
    without tools the ones that were called are named, and none may be called again.

    Args:
        payload: The client's body.
        called: The names of the tools that were called in the conversation.
        dropped: Takes the paths of what the API has no word for.

    Raises:
        BadRequest: A tool is of an unknown type or has no name, or the choice is none of the tools.
    """
    _refuse_functions(payload)
    offered: dict[str, Document] = {}
    custom = set()
    for position, tool in enumerate(objects(payload.get("tools"), "tools")):
        made = _tool(tool, f"tools.{position}", dropped)
        offered[made["name"]] = made
        if tool["type"] == "custom":
            custom.add(made["name"])
    choice, only = _choice(payload, offered)
    if only is not None:
        offered = {name: tool for name, tool in offered.items() if name in only}
    if offered:
        fields: Document = {"tools": list(offered.values())}
        if choice:
            fields["tool_choice"] = choice
        return Tools(fields, frozenset(custom))
    remembered = [_empty(name) for name in dict.fromkeys(called)]
    return Tools({"tools": remembered, "tool_choice": {"type": "none"}} if remembered else {})


def call(entry: Mapping[str, Any], path: str, dropped: list[str]) -> tuple[str, Document]:
    """Translate one entry of `tool_calls`.

    Returns:
        The client's id of the call, and a `tool_use` block without id.

    Raises:
        BadRequest: It is no call of a function or of a custom tool.
    """
    kind = entry.get("type", "function")
    if kind not in ("function", "custom"):
        raise BadRequest(f"{path}.type must be function or custom", param=f"{path}.type")
    dropped += left_out(entry, {"id", "type", kind, "index"}, path)
    body, where = member(entry, kind, path), f"{path}.{kind}"
    if kind == "custom":
        value: Document = {CUSTOM_INPUT: text(body, "input", where)}
        dropped += left_out(body, {"name", "input"}, where)
    else:
        value = _arguments(body, where)
        dropped += left_out(body, {"name", "arguments"}, where)
    block = {"type": "tool_use", "name": text(body, "name", where), "input": value}
    return text(entry, "id", path), block


def _arguments(function: Mapping[str, Any], path: str) -> Document:
    """Read what a function was called with; a model that wrote no JSON is told so again."""
    arguments = text(function, "arguments", path)
    if not arguments.strip():
        return {}
    try:
        return jsonbody.decode(arguments.encode("utf-8", "surrogatepass"))
    except BadRequest:
        return {"_raw": arguments}


def _refuse_functions(payload: Mapping[str, Any]) -> None:
    for name in ("functions", "function_call"):
        if payload.get(name):
            raise BadRequest(f"{name} is not translated for this model; use tools", param=name)


def _tool(tool: Mapping[str, Any], path: str, dropped: list[str]) -> Document:
    kind = tool.get("type")
    if kind not in ("function", "custom"):
        raise BadRequest(f"{path}.type must be function or custom", param=f"{path}.type")
    dropped += left_out(tool, _TOOL_FIELDS, path)
    definition, where = member(tool, kind, path), f"{path}.{kind}"
    make = _function if kind == "function" else _custom
    made = make(definition, where, dropped)
    cache = cache_control(tool, path, dropped)
    return {**made, "cache_control": cache} if cache else made


def _function(function: Mapping[str, Any], path: str, dropped: list[str]) -> Document:
    dropped += left_out(function, {"name", "description", "parameters", "strict"}, path)
    made: Document = {"name": text(function, "name", path)}
    if function.get("description"):
        made["description"] = text(function, "description", path)
    parameters = function.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise BadRequest(f"{path}.parameters must be an object", param=f"{path}.parameters")
    made["input_schema"] = parameters if "type" in parameters else {**_no_input(), **parameters}
    if function.get("strict") is True:
        made["strict"] = True
    return made


def _custom(custom: Mapping[str, Any], path: str, dropped: list[str]) -> Document:
    """Make a function of a custom tool; a grammar can be told to the model but not enforced."""
    dropped += left_out(custom, {"name", "description", "format"}, path)
    description = text(custom, "description", path) if custom.get("description") else ""
    form = custom.get("format")
    if isinstance(form, dict) and form.get("type") == "grammar":
        grammar, where = member(form, "grammar", f"{path}.format"), f"{path}.format.grammar"
        syntax = text(grammar, "syntax", where)
        definition = text(grammar, "definition", where)
        told = f"The input must match this {syntax} grammar:\n{definition}"
        description = f"{description}\n\n{told}" if description else told
        dropped.append(f"{path}.format")
    schema = {
        "type": "object",
        "properties": {CUSTOM_INPUT: {"type": "string"}},
        "required": [CUSTOM_INPUT],
    }
    made: Document = {"name": text(custom, "name", path), "input_schema": schema}
    if description:
        made["description"] = description
    return made


def _empty(name: str) -> Document:
    return {"name": name, "input_schema": _no_input()}


def _no_input() -> Document:
    return {"type": "object", "properties": {}}


def _choice(
    payload: Mapping[str, Any], offered: Mapping[str, Document]
) -> tuple[Document | None, set[str] | None]:
    """Return the choice, and the names that are left to choose from if not all."""
    wanted = payload.get("tool_choice")
    only = None
    if isinstance(wanted, dict) and wanted.get("type") == "allowed_tools":
        allowed, path = member(wanted, "allowed_tools", "tool_choice"), "tool_choice.allowed_tools"
        wanted = text(allowed, "mode", path)
        only = {_named(tool, offered) for tool in objects(allowed.get("tools"), f"{path}.tools")}
    if wanted is None:
        choice: Document = {"type": "auto"}
    elif isinstance(wanted, str) and wanted in _CHOICES:
        choice = {"type": _CHOICES[wanted]}
    elif isinstance(wanted, dict):
        choice = {"type": "tool", "name": _named(wanted, offered)}
    else:
        raise BadRequest("tool_choice is neither a mode nor a tool", param="tool_choice")
    if choice["type"] == "any" and not (offered if only is None else only):
        raise BadRequest("tool_choice requires a tool, and there is none", param="tool_choice")
    parallel = payload.get("parallel_tool_calls")
    if not isinstance(parallel, bool | None):
        raise BadRequest("parallel_tool_calls must be a boolean", param="parallel_tool_calls")
    if parallel is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    return (None if choice == {"type": "auto"} else choice), only


def _named(choice: Mapping[str, Any], offered: Mapping[str, Document]) -> str:
    """Read the name in `{"type": "function", "function": {"name": ...}}`."""
    kind = choice.get("type")
    body = choice.get(kind) if isinstance(kind, str) else None
    name = body.get("name") if isinstance(body, dict) else None
    if not isinstance(name, str) or name not in offered:
        raise BadRequest("tool_choice names a tool that is not in tools", param="tool_choice")
    return name
