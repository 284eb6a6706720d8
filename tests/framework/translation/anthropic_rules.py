"""The grammar of Anthropic's streams, and the message that a client puts together from one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

_DELTAS = {"text": "text_delta", "tool_use": "input_json_delta", "thinking": "thinking_delta"}
_VALUES = {"text_delta": "text", "input_json_delta": "partial_json", "thinking_delta": "thinking"}
REASONS = {"end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"}


def message_of(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Put the message together.

    Raises:
        AssertionError: The events break the grammar: `message_start`; blocks with indexes 0, 1,
            ..., each with a start, at least one delta that is not empty, and a stop, before the
            next begins; `message_delta` with a stop reason and usage; `message_stop`.
    """
    types = [event["type"] for event in events]
    assert types[0] == "message_start"
    assert types[-2:] == ["message_delta", "message_stop"]
    message: dict[str, Any] = json.loads(json.dumps(events[0]["message"]))
    assert message["content"] == []
    block: dict[str, Any] | None = None
    pieces: list[str] = []
    for event in events[1:-2]:
        assert event["index"] == len(message["content"]) - (block is not None)
        if event["type"] == "content_block_start":
            assert block is None
            block, pieces = json.loads(json.dumps(event["content_block"])), []
            message["content"].append(block)
        elif event["type"] == "content_block_delta":
            assert block is not None
            assert event["delta"]["type"] == _DELTAS[block["type"]]
            pieces.append(event["delta"][_VALUES[event["delta"]["type"]]])
            assert pieces[-1]
        else:
            assert event["type"] == "content_block_stop"
            assert block is not None
            assert pieces
            _fill(block, "".join(pieces))
            block = None
    assert block is None
    delta = events[-2]
    assert delta["delta"]["stop_reason"] in REASONS
    assert all(count >= 0 for count in delta["usage"].values() if isinstance(count, int))
    return {**message, **delta["delta"], "usage": delta["usage"]}


def _fill(block: dict[str, Any], text: str) -> None:
    if block["type"] == "tool_use":
        assert block["input"] == {}
        assert block["id"]
        assert block["name"]
        block["input"] = text
    else:
        assert block[block["type"]] == ""
        block[block["type"]] = text
