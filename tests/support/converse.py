"""AWS's Converse, as strict as the service, and the frames it streams.

Source: the Amazon Bedrock API reference; Smithy's specification of event streams.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote
from zlib import crc32

from tests.support.answers import SAID
from tests.support.provider import Received, Reply
from tests.support.strict import Refused, need

FIELDS = frozenset({
    "messages", "system", "inferenceConfig", "toolConfig", "additionalModelRequestFields",
    "outputConfig",
})  # fmt: skip
INFERENCE = frozenset({"maxTokens", "temperature", "topP", "stopSequences"})
NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
PATH = re.compile(r"^/model/([^/]+)/(converse|converse-stream)$")
BLOCKS = frozenset({
    "text", "image", "document", "toolUse", "toolResult", "reasoningContent", "cachePoint",
})  # fmt: skip
REQUEST_ID = "7a1c"
USAGE = {
    "inputTokens": 5, "outputTokens": 4, "totalTokens": 12,
    "cacheReadInputTokens": 2, "cacheWriteInputTokens": 1,
}  # fmt: skip
CALL = {"toolUseId": "tooluse_1", "name": "weather", "input": {"city": "Oslo"}}


def frame(payload: bytes, headers: Mapping[str, str]) -> bytes:
    """Write one frame; all headers are strings."""
    head = b"".join(
        struct.pack("!B", len(name.encode())) + name.encode() + b"\x07"
        + struct.pack("!H", len(value.encode())) + value.encode()
        for name, value in headers.items()
    )  # fmt: skip
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    prelude += struct.pack("!I", crc32(prelude))
    return prelude + head + payload + struct.pack("!I", crc32(prelude + head + payload))


def said(kind: str, document: Mapping[str, Any]) -> bytes:
    """Write an event, padded as the service pads it."""
    headers = {
        ":event-type": kind, ":content-type": "application/json", ":message-type": "event",
    }  # fmt: skip
    return frame(json.dumps({**document, "p": "abcdefgh"}).encode(), headers)


def thrown(kind: str, message: str) -> bytes:
    """Write an exception."""
    headers = {
        ":exception-type": kind,
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return frame(json.dumps({"message": message}).encode(), headers)


def text_events() -> list[bytes]:
    """Return an answer in two pieces; a text's block has no beginning of its own."""
    half = len(SAID) // 2
    pieces = (SAID[:half], SAID[half:])
    return [
        said("messageStart", {"role": "assistant"}),
        *(
            said("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}})
            for piece in pieces
        ),
        said("contentBlockStop", {"contentBlockIndex": 0}),
        said("messageStop", {"stopReason": "end_turn"}),
        said("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}}),
    ]


def call_events(name: str) -> list[bytes]:
    """Return a call of a tool, its input in two pieces."""
    use = {"toolUseId": CALL["toolUseId"], "name": name}
    return [
        said("messageStart", {"role": "assistant"}),
        said("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": use}}),
        *(
            said(
                "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"toolUse": {"input": part}}}
            )
            for part in ('{"city": ', '"Oslo"}')
        ),
        said("contentBlockStop", {"contentBlockIndex": 0}),
        said("messageStop", {"stopReason": "tool_use"}),
        said("metadata", {"usage": USAGE}),
    ]


def document(content: list[dict[str, Any]], reason: str = "end_turn") -> dict[str, Any]:
    """Return a whole answer."""
    message = {"role": "assistant", "content": content}
    return {"output": {"message": message}, "stopReason": reason, "usage": USAGE,
            "metrics": {"latencyMs": 1}}  # fmt: skip


async def converse(reply: Reply) -> None:
    """Answer as Converse would: plain or streamed, by a call if there are tools."""
    headers = {"x-amzn-requestid": REQUEST_ID}
    try:
        check(reply.request)
    except Refused as refused:
        theirs = {**headers, "x-amzn-errortype": "ValidationException:http://internal.amazon.com/"}
        await reply.whole(400, json.dumps({"message": str(refused)}).encode(), theirs)
        return
    payload = reply.request.json
    tools = payload.get("toolConfig", {}).get("tools")
    answered = any("toolResult" in block for block in payload["messages"][-1]["content"])
    name = tools[0]["toolSpec"]["name"] if tools and not answered else None
    if reply.request.target.endswith("-stream"):
        await stream(reply, text_events() if name is None else call_events(name))
        await reply.end()
        return
    whole = document([{"text": SAID}])
    if name is not None:
        whole = document([{"toolUse": {**CALL, "name": name}}], "tool_use")
    await reply.whole(200, json.dumps(whole).encode(), headers)


async def stream(reply: Reply, frames: list[bytes]) -> None:
    """Begin a stream and write frames, torn between two chunks."""
    kind = "application/vnd.amazon.eventstream"
    await reply.stream_head({"content-type": kind, "x-amzn-requestid": REQUEST_ID})
    for one in frames:
        await reply.chunk(one[:17])
        await reply.chunk(one[17:])


def check(request: Received) -> None:
    """Refuse what Converse refuses.

    Raises:
        Refused: With its words, more or less.
    """
    found, payload = PATH.match(request.target), request.json
    need(found is not None and unquote(found[1]), "the path is none of Converse")
    need(request.headers.get("authorization", "").startswith("Bearer "), "no token")
    need("x-api-key" not in request.headers, "two credentials")
    need(not any(name.startswith("anthropic-") for name in request.headers), "Anthropic's header")
    need(request.headers.get("content-type") == "application/json", "content-type")
    for name in payload:
        need(name in FIELDS, f"{name} is not a member")
    for name in payload.get("inferenceConfig", {}):
        need(name in INFERENCE, f"inferenceConfig.{name} is not a member")
    for block in payload.get("system", []):
        need(block.get("text", "").strip() or "cachePoint" in block, "system: blank text")
    names = _tools(payload)
    expected, due = "user", set[str]()
    need(payload.get("messages"), "A conversation must start with a user message.")
    for message in payload["messages"]:
        need(message["role"] == expected, "roles must alternate, and start with the user's")
        expected = "assistant" if expected == "user" else "user"
        due = _blocks(message["content"], due, names)
    need(not due, "toolUse without toolResult")


def _tools(payload: Mapping[str, Any]) -> set[str]:
    config = payload.get("toolConfig")
    if config is None:
        return set()
    need(config["tools"], "toolConfig.tools: at least 1")
    names = set()
    for tool in config["tools"]:
        if "cachePoint" in tool:
            continue
        need(NAME.match(tool["toolSpec"]["name"]), "toolSpec.name")
        need(tool["toolSpec"]["inputSchema"]["json"]["type"] == "object", "inputSchema")
        names.add(tool["toolSpec"]["name"])
    need(set(config.get("toolChoice", {"auto": {}})) <= {"auto", "any", "tool"}, "toolChoice")
    return names


def _blocks(content: list[dict[str, Any]], due: set[str], names: set[str]) -> set[str]:
    """Check the blocks of a message; return the calls that the next one has to answer."""
    need(content, "The content field is empty")
    results, calls = set(), set()
    for block in content:
        need(len(block) == 1 and set(block) <= BLOCKS, "a block has exactly one member")
        need("text" not in block or block["text"].strip(), "The text field is blank")
        if "toolUse" in block:
            need(block["toolUse"]["name"] in names, "toolConfig must be defined")
            calls.add(block["toolUse"]["toolUseId"])
        if "toolResult" in block:
            need(names, "toolConfig must be defined")
            results.add(block["toolResult"]["toolUseId"])
    need(results == due, "toolUse and toolResult do not match")
    return calls
