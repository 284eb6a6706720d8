"""Answers of Converse, plain and streamed, as those of a Messages API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plano_filters.translation.messages_to_converse import (
    BrokenFrame,
    ConverseStream,
    Frame,
    Frames,
    failure,
    read,
    whole,
)
from tests.support.answers import SAID
from tests.support.converse import CALL, USAGE, call_events, document, said, text_events, thrown

SPENT = {
    "input_tokens": 5,
    "output_tokens": 4,
    "cache_read_input_tokens": 2,
    "cache_creation_input_tokens": 1,
}


def translated(*frames: bytes) -> list[dict[str, Any]]:
    """Return the events that frames become."""
    stream = ConverseStream(answer_id="msg_1", model="m")
    return [made for frame in Frames().feed(b"".join(frames)) for made in stream.take(frame)]


def delta(index: int, **said_: Any) -> bytes:
    return said("contentBlockDelta", {"contentBlockIndex": index, "delta": said_})


def test_a_whole_answer() -> None:
    """Each block has its own; the id and the model are ours to give."""
    thought = {"reasoningText": {"text": "hm", "signature": "s"}}
    content: list[dict[str, Any]] = [
        {"reasoningContent": thought},
        {"reasoningContent": {"redactedContent": "AAAA"}},
        {"text": SAID},
        {"toolUse": CALL},
        {"yetToCome": {}},
    ]

    assert whole(document(content, "tool_use"), answer_id="msg_1", model="m") == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "AAAA"},
            {"type": "text", "text": SAID},
            {"type": "tool_use", "id": "tooluse_1", "name": "weather", "input": {"city": "Oslo"}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": SPENT,
    }


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        ("end_turn", "end_turn"),
        ("max_tokens", "max_tokens"),
        ("stop_sequence", "stop_sequence"),
        ("guardrail_intervened", "refusal"),
        ("content_filtered", "refusal"),
    ],
)
def test_why_it_ended(theirs: str, reason: str) -> None:
    """What a guard has stopped is a refusal."""
    made = whole(document([], theirs), answer_id="i", model="m")

    assert made is not None
    assert made["stop_reason"] == reason


@pytest.mark.parametrize(
    "theirs", [{}, {"output": {}}, {"output": {"message": {"content": []}}}, {"Output": {}}]
)
def test_what_is_no_answer(theirs: dict[str, Any]) -> None:
    """It is not taken for an empty one."""
    assert whole(theirs, answer_id="i", model="m") is None


def test_tokens_by_the_time_they_are_kept() -> None:
    """What is written to a cache for an hour costs more."""
    details = [{"ttl": "1h", "inputTokens": 7}, {"ttl": "5m", "inputTokens": 1}]
    theirs = {**document([]), "usage": {**USAGE, "cacheDetails": details}}
    made = whole(theirs, answer_id="i", model="m")

    assert made is not None
    assert made["usage"]["cache_creation"] == {
        "ephemeral_1h_input_tokens": 7,
        "ephemeral_5m_input_tokens": 1,
    }


def test_a_stream_of_text() -> None:
    """A text's block begins with its first piece, and the end waits for the usage."""
    events = translated(*text_events())

    assert [one["type"] for one in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[0]["message"]["id"] == "msg_1"
    assert "".join(e["delta"]["text"] for e in events[2:4]) == SAID
    assert events[5]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert events[5]["usage"] == SPENT


def test_a_stream_of_a_call() -> None:
    """Its input comes in pieces of JSON."""
    events = translated(*call_events("weather"))

    block = {"type": "tool_use", "id": "tooluse_1", "name": "weather", "input": {}}
    assert events[1] == {"type": "content_block_start", "index": 0, "content_block": block}
    parts = [e["delta"]["partial_json"] for e in events if e["type"] == "content_block_delta"]
    assert json.loads("".join(parts)) == {"city": "Oslo"}


def test_a_stream_of_thought() -> None:
    """Text, signature, and what is not shown; indices have no gaps."""
    events = translated(
        said("messageStart", {"role": "assistant"}),
        delta(0, reasoningContent={"text": "hm"}),
        delta(0, reasoningContent={"signature": "s"}),
        said("contentBlockStop", {"contentBlockIndex": 0}),
        said("contentBlockStop", {"contentBlockIndex": 1}),
        delta(2, reasoningContent={"redactedContent": "AAAA"}),
        said("messageStop", {"stopReason": "end_turn"}),
    )

    assert events[1]["content_block"] == {"type": "thinking", "thinking": "", "signature": ""}
    assert events[2]["delta"] == {"type": "thinking_delta", "thinking": "hm"}
    assert events[3]["delta"] == {"type": "signature_delta", "signature": "s"}
    redacted = {"type": "redacted_thinking", "data": "AAAA"}
    assert events[5] == {"type": "content_block_start", "index": 1, "content_block": redacted}
    assert events[6] == {"type": "content_block_stop", "index": 1}


@pytest.mark.parametrize("missing", range(1, len(text_events()) + 1))
def test_a_cut_stream_has_no_end(missing: int) -> None:
    """However little is missing, the last event is not said."""
    events = translated(*text_events()[:-missing])

    assert not {"message_delta", "message_stop"} & {one["type"] for one in events}


@pytest.mark.parametrize(
    ("exception", "kind"),
    [
        ("throttlingException", "rate_limit_error"),
        ("validationException", "invalid_request_error"),
        ("serviceUnavailableException", "overloaded_error"),
        ("internalServerException", "api_error"),
        ("modelStreamErrorException", "api_error"),
        ("yetToCome", "api_error"),
    ],
)
def test_an_exception_is_an_error_event(exception: str, kind: str) -> None:
    """With the provider's message, and the type of the status that it stands for."""
    (event,) = translated(thrown(exception, "no"))

    assert event == {"type": "error", "error": {"type": kind, "message": "no"}}


def test_an_error_of_the_protocol_is_one_too() -> None:
    """Its code and message are in the headers."""
    headers = {
        ":message-type": "error",
        ":error-code": "ThrottlingException",
        ":error-message": "slow down",
    }
    (event,) = ConverseStream(answer_id="i", model="m").take(Frame(headers, b""))

    assert event["error"] == {"type": "rate_limit_error", "message": "slow down"}


def test_a_frame_without_json_is_broken() -> None:
    """To pass over it would lose part of the answer in silence; an unknown event loses nothing."""
    stream = ConverseStream(answer_id="i", model="m")

    assert stream.take(Frame({":event-type": "yetToCome"}, b'{"a":1}')) == []
    with pytest.raises(BrokenFrame):
        stream.take(Frame({":event-type": "contentBlockDelta"}, b"words"))


def test_an_error_answer() -> None:
    """The type is that of the status; both spellings of the message are read."""
    assert failure({"message": "no"}, 403)["error"] == {"type": "permission_error", "message": "no"}
    assert failure({"Message": "no"}, 429)["error"]["type"] == "rate_limit_error"
    assert failure({}, 503)["error"]["type"] == "api_error"
    assert read(b"words") == {}
    assert read(b"[]") == {}
