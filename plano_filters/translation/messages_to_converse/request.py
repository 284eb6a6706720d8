"""A Messages request as a Converse request. The model and `stream` are in its URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from plano_filters.errors import BadRequest
from plano_filters.jsonbody import encode
from plano_filters.translation.base import Document, Outgoing, Traits
from plano_filters.translation.messages_to_converse.content import Blocks
from plano_filters.translation.messages_to_converse.names import NamedAnswers, ToolNames
from plano_filters.translation.reading import left_out, member, objects, text

_INFERENCE: Final = {
    "max_tokens": "maxTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "stop_sequences": "stopSequences",
}
_CLAUDES: Final = ("thinking", "top_k")
"""Words of Anthropic's that Converse passes on to its models."""
_READ: Final = frozenset(
    {*_INFERENCE, *_CLAUDES, "model", "messages", "system", "stream", "tools", "tool_choice",
     "output_config", "service_tier"}
)  # fmt: skip


def translate(payload: Mapping[str, Any], traits: Traits) -> Outgoing:
    """Translate a request. Its answer is to be translated once it is that of a Messages API.

    Args:
        payload: A Messages body. Not changed; the result may share nested values with it.
        traits: Nothing in them matters here.

    Raises:
        BadRequest: It has what Converse cannot express; `param` names the field.
    """
    claude = "claude" in str(payload.get("model", ""))
    dropped: list[str] = left_out(payload, _READ)
    blocks = Blocks(ToolNames(), caching=claude, dropped=dropped)
    system, messages = _conversation(payload, blocks)
    made: Document = {"messages": messages}
    if system:
        made["system"] = system
    inference = {
        word: payload[name]
        for name, word in _INFERENCE.items()
        if payload.get(name) not in (None, [])
    }
    if inference:
        made["inferenceConfig"] = inference
    if payload.get("service_tier") not in (None, "auto", "standard_only"):
        dropped.append("service_tier")
    tools = _tools(payload, blocks)
    if tools:
        made["toolConfig"] = tools
    made |= _output(payload, dropped, claude=claude)
    return Outgoing(made, NamedAnswers(blocks.names), tuple(dict.fromkeys(dropped)))


def _conversation(
    payload: Mapping[str, Any], blocks: Blocks
) -> tuple[list[Document], list[Document]]:
    """Return the system prompt and the turns, of which no two in a row are of one role."""
    system = blocks.read(payload.get("system"), "system")
    turns: list[Document] = []
    for position, message in enumerate(objects(payload.get("messages"), "messages")):
        path = f"messages.{position}"
        role = text(message, "role", path)
        said = blocks.read(message.get("content"), f"{path}.content")
        if role == "system":
            system += said
        elif role not in ("user", "assistant"):
            raise BadRequest(f"{path}.role must be user or assistant", param=f"{path}.role")
        elif turns and turns[-1]["role"] == role:
            turns[-1]["content"] += said
        elif said:
            turns.append({"role": role, "content": said})
    return system, turns


def _tools(payload: Mapping[str, Any], blocks: Blocks) -> Document:
    choice = payload.get("tool_choice") or {}
    kind = choice.get("type") if isinstance(choice, dict) else None
    used = _used(payload)
    if kind == "none" and not used:
        return {}  # nothing to choose from, nothing is chosen
    offered: list[Document] = []
    for position, tool in enumerate(objects(payload.get("tools"), "tools")):
        path = f"tools.{position}"
        if tool.get("type", "custom") != "custom":
            blocks.dropped.append(path)  # it runs at Anthropic
            continue
        offered += [{"toolSpec": _tool(tool, path, blocks)}, *blocks.cache_point(tool, path)]
    if not offered:
        if used:  # the API wants the tools of a conversation defined as soon as it has calls
            offered = [{"toolSpec": _forgotten(blocks.names.short(name))} for name in used]
        return {"tools": offered} if offered else {}
    made: Document = {"tools": offered}
    if kind == "none":
        blocks.dropped.append("tool_choice")
    elif kind == "tool":
        name = blocks.names.short(text(choice, "name", "tool_choice"))
        made["toolChoice"] = {"tool": {"name": name}}
    elif kind in ("any", "auto"):
        made["toolChoice"] = {kind: {}}
    if isinstance(choice, dict) and choice.get("disable_parallel_tool_use") is True:
        blocks.dropped.append("tool_choice.disable_parallel_tool_use")
    return made


def _tool(tool: Mapping[str, Any], path: str, blocks: Blocks) -> Document:
    known = {"type", "name", "description", "input_schema", "strict", "cache_control"}
    blocks.dropped += left_out(tool, known, path)
    made: Document = {"name": blocks.names.short(text(tool, "name", path))}
    if tool.get("description"):
        made["description"] = text(tool, "description", path)
    made["inputSchema"] = {"json": member(tool, "input_schema", path)}
    if tool.get("strict") is True:
        made["strict"] = True
    return made


def _forgotten(name: str) -> Document:
    return {"name": name, "inputSchema": {"json": {"type": "object", "properties": {}}}}


def _used(payload: Mapping[str, Any]) -> list[str]:
    """Return the names of the tools that were called in the conversation."""
    found = [
        block["name"]
        for message in objects(payload.get("messages"), "messages")
        if isinstance(message.get("content"), list)
        for block in message["content"]
        if isinstance(block, dict) and block.get("type") == "tool_use" and block.get("name")
    ]
    return list(dict.fromkeys(found))


def _output(payload: Mapping[str, Any], dropped: list[str], *, claude: bool) -> Document:
    """Return how the model is to think and to write."""
    made: Document = {}
    more = {name: payload[name] for name in _CLAUDES if payload.get(name) is not None}
    config = payload.get("output_config") or {}
    if not isinstance(config, dict):
        raise BadRequest("output_config must be an object", param="output_config")
    dropped += left_out(config, {"effort", "format"}, "output_config")
    if config.get("effort"):
        more["output_config"] = {"effort": config["effort"]}
    if more and claude:
        made["additionalModelRequestFields"] = more
    elif more:
        named = {"output_config": "output_config.effort"}
        dropped += [named.get(name, name) for name in more]
    if config.get("format"):
        made["outputConfig"] = {"textFormat": _format(member(config, "format", "output_config"))}
    return made


def _format(wanted: Mapping[str, Any]) -> Document:
    path = "output_config.format"
    if wanted.get("type") != "json_schema":
        raise BadRequest(f"{path}.type must be json_schema", param=f"{path}.type")
    schema = encode(member(wanted, "schema", path)).decode()
    return {
        "type": "json_schema",
        "structure": {"jsonSchema": {"schema": schema, "name": "answer"}},
    }
