"""Tools and the choice among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from plano_filters.errors import BadRequest
from plano_filters.translation.base import Document
from plano_filters.translation.messages_to_chat.job import Job
from plano_filters.translation.messages_to_chat.schema import is_strict
from plano_filters.translation.reading import left_out, text

_WORDS: Final = {"auto": "auto", "any": "required", "none": "none"}
_FIELDS: Final = ("type", "name", "description", "input_schema", "strict")


def tools_of(payload: Mapping[str, Any], job: Job) -> Document:
    """Translate `tools` and `tool_choice`.

    A tool with a type of its own (`web_search_20250305`, `bash_20250124`) is Anthropic's: either
    it runs there, or its schema is known there only. It is dropped.

    Raises:
        BadRequest: A tool is not complete, or the choice demands one that was dropped.
    """
    tools = payload.get("tools")
    if not isinstance(tools, list | None):
        raise BadRequest('"tools" must be a list', param="tools")
    functions: list[Document] = []
    for index, tool in enumerate(tools or ()):
        path = f"tools.{index}"
        if not isinstance(tool, Mapping):
            raise BadRequest(f'"{path}" must be an object', param=path)
        if tool.get("type") in (None, "custom"):
            functions.append(_function(tool, path, job))
        else:
            job.dropped.append(path)
    choice = payload.get("tool_choice")
    names = {function["name"] for function in functions}
    chosen = {} if choice is None else _choice(choice, names, job)
    if not functions:
        return {}
    return {"tools": [{"type": "function", "function": one} for one in functions], **chosen}


def _function(tool: Mapping[str, Any], path: str, job: Job) -> Document:
    job.dropped.extend(left_out(tool, _FIELDS, path))
    schema = tool.get("input_schema")
    if not isinstance(schema, Mapping):
        raise BadRequest(f'"{path}.input_schema" must be an object', param=f"{path}.input_schema")
    function: Document = {"name": job.names.short(text(tool, "name", path))}
    if tool.get("description") is not None:
        function["description"] = text(tool, "description", path)
    function["parameters"] = schema
    if tool.get("strict") is True:
        if is_strict(schema):
            function["strict"] = True
        else:
            job.dropped.append(f"{path}.strict")
    return function


def _choice(choice: object, names: set[str], job: Job) -> Document:
    kind = choice.get("type") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or kind not in (*_WORDS, "tool"):
        raise BadRequest(
            '"tool_choice.type" must be auto, any, tool or none', param="tool_choice.type"
        )
    known = ("type", "disable_parallel_tool_use", *(("name",) if kind == "tool" else ()))
    job.dropped.extend(left_out(choice, known, "tool_choice"))
    if not names:
        if kind in ("any", "tool"):
            raise BadRequest(
                '"tool_choice" demands a tool, and "tools" has none that a chat provider can call',
                param="tool_choice",
            )
        job.dropped.append("tool_choice")
        return {}
    chosen: Document = {"tool_choice": _WORDS.get(kind)}
    if kind == "tool":
        name = job.names.short(text(choice, "name", "tool_choice"))
        if name not in names:
            raise BadRequest(
                '"tool_choice.name" is no tool of "tools" that a chat provider can call',
                param="tool_choice.name",
            )
        chosen["tool_choice"] = {"type": "function", "function": {"name": name}}
    if choice.get("disable_parallel_tool_use") is True:
        chosen["parallel_tool_calls"] = False
    return chosen
