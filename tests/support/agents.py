"""A provider for coding agents: it calls one of the tools it is offered, then says it is done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support import answers, strict
from tests.support.provider import Reply


@dataclass(frozen=True, slots=True)
class Calling:
    """Calls a tool once in a conversation.

    Agents send more than the tools of one turn: titles, summaries, probes. Whoever does not offer
    the tool is just answered.
    """

    tool: str
    arguments: Mapping[str, Any]

    async def chat(self, reply: Reply) -> None:
        """Answer as a chat provider, strictly."""
        try:
            strict.check_chat(reply.request)
        except strict.Refused as refused:
            body = {"error": {"message": str(refused), "type": "invalid_request_error"}}
            await reply.whole(400, json.dumps(body).encode(), {})
            return
        payload = reply.request.json
        offered = {tool["function"]["name"] for tool in payload.get("tools") or []}
        done = any(message["role"] == "tool" for message in payload["messages"])
        model = payload["model"]
        if self.tool in offered and not done:
            call = {"id": "call_1", "type": "function", "function": self._function()}
            deltas = [{"role": "assistant", "content": None},
                      {"tool_calls": [{"index": 0, **call}]}]  # fmt: skip
            reason, message = "tool_calls", {"role": "assistant", "tool_calls": [call]}
        else:
            deltas = [{"role": "assistant", "content": answers.SAID}]
            reason, message = "stop", {"role": "assistant", "content": answers.SAID}
        usage = {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}
        head = {"id": "chatcmpl-1", "created": 1, "model": model}
        if not payload.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": reason}
            whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
            await reply.whole(200, json.dumps(whole).encode(), {})
            return
        chunk = {**head, "object": "chat.completion.chunk"}
        choices: list[Any] = [{"index": 0, "delta": d, "finish_reason": None} for d in deltas]
        choices.append({"index": 0, "delta": {}, "finish_reason": reason})
        events = [answers.event({**chunk, "choices": [choice]}) for choice in choices]
        events.append(answers.event({**chunk, "choices": [], "usage": usage}))
        await _stream(reply, [*events, b"data: [DONE]\n\n"])

    async def messages(self, reply: Reply) -> None:
        """Answer as a Messages API. What an agent sends in this dialect arrives as it wrote it."""
        payload = reply.request.json
        offered = {tool.get("name") for tool in payload.get("tools") or []}
        done = any(
            block.get("type") == "tool_result"
            for message in payload["messages"]
            if isinstance(message["content"], list)
            for block in message["content"]
        )
        calls = self.tool in offered and not done
        block: dict[str, Any] = {"type": "text", "text": answers.SAID}
        if calls:
            given = dict(self.arguments)
            block = {"type": "tool_use", "id": "toolu_1", "name": self.tool, "input": given}
        reason = "tool_use" if calls else "end_turn"
        message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [block],
                   "model": payload["model"], "stop_reason": reason, "stop_sequence": None,
                   "usage": {"input_tokens": 5, "output_tokens": 4}}  # fmt: skip
        if not payload.get("stream"):
            await reply.whole(200, json.dumps(message).encode(), {})
            return
        empty = {**block, "input": {}} if calls else {**block, "text": ""}
        text = json.dumps(self.arguments)
        delta = {"type": "input_json_delta", "partial_json": text} if calls else {
            "type": "text_delta", "text": answers.SAID}  # fmt: skip
        steps: list[dict[str, Any]] = [
            {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
            {"type": "content_block_start", "index": 0, "content_block": empty},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None},
             "usage": {"output_tokens": 4}},
            {"type": "message_stop"},
        ]  # fmt: skip
        await _stream(reply, [answers.event(step, step["type"]) for step in steps])

    def _function(self) -> dict[str, str]:
        return {"name": self.tool, "arguments": json.dumps(self.arguments)}


async def _stream(reply: Reply, events: list[bytes]) -> None:
    await reply.stream_head({})
    await reply.events(events)
    await reply.send(b"0\r\n\r\n")
