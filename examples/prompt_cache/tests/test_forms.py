"""An answer told as a stream and put together again is the same answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters import Dialect
from plano_filters.sse import event
from plano_filters_prompt_cache.gathering import Recorder
from plano_filters_prompt_cache.replaying import events

TEXTS = st.text(min_size=1, max_size=30)
VALUES = st.dictionaries(TEXTS, st.one_of(TEXTS, st.integers(), st.none()), max_size=3)
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def gathered(stream: bytes, dialect: Dialect, size: int = 1 << 20) -> Any:
    """Return the document of a stream that comes in pieces; None if there is none."""
    recorder = Recorder(dialect, 1 << 20)
    for start in range(0, len(stream), size):
        recorder.take(stream[start : start + size])
    body = recorder.body()
    return None if body is None else json.loads(body)


def chat(*messages: dict[str, Any]) -> dict[str, Any]:
    """Return a chat completion."""
    choices = [
        {"index": number, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
        for number, message in enumerate(messages)
    ]
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": choices, "usage": USAGE}  # fmt: skip


def call(number: int, arguments: Any) -> dict[str, Any]:
    """Return a call of a tool."""
    function = {"name": "f", "arguments": json.dumps(arguments)}
    return {"id": f"call_{number}", "type": "function", "function": function}


@given(TEXTS, st.lists(VALUES, max_size=2), st.integers(1, 50))
def test_a_chat(text: str, arguments: list[dict[str, Any]], size: int) -> None:
    """With several choices, reasoning, calls of tools and token counts."""
    calls = [call(number, one) for number, one in enumerate(arguments)]
    document = chat(
        {"content": text, "reasoning_content": text},
        {"content": None, "tool_calls": calls} if calls else {"content": text},
    )
    stream = b"".join(events(document, "chat", include_usage=True))
    found = gathered(stream, "chat", size)
    for choice in found["choices"]:
        choice["message"]["content"] = choice["message"]["content"] or None

    assert found == document


def test_token_counts_are_told_to_those_who_ask() -> None:
    """In a chunk of their own, as OpenAI does."""
    without, with_them = (
        b"".join(events(chat({"content": "a"}), "chat", include_usage=asked))
        for asked in (False, True)
    )

    assert b"prompt_tokens" not in without
    assert b"prompt_tokens" in with_them
    assert without.endswith(b"data: [DONE]\n\n")


@given(TEXTS, VALUES, st.integers(1, 50))
def test_a_message(text: str, given: dict[str, Any], size: int) -> None:
    """Anthropic's, with thinking, citations, tools and blocks that we know nothing of."""
    document = {
        "id": "msg", "type": "message", "role": "assistant", "model": "m",
        "content": [
            {"type": "thinking", "thinking": text, "signature": "c2ln"},
            {"type": "text", "text": text, "citations": [{"type": "char_location"}]},
            {"type": "tool_use", "id": "t", "name": "f", "input": given},
            {"type": "redacted_thinking", "data": "ZGF0YQ"},
        ],
        "stop_reason": "tool_use", "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 4},
    }  # fmt: skip

    assert gathered(b"".join(events(document, "messages")), "messages", size) == document


@given(TEXTS, st.integers(1, 50))
def test_a_response(text: str, size: int) -> None:
    """Of the Responses API: messages, calls, and items that we know nothing of."""
    document = {
        "id": "resp", "object": "response", "status": "completed", "model": "m",
        "output": [
            {"type": "reasoning", "id": "rs", "summary": []},
            {"type": "message", "id": "m", "status": "completed", "role": "assistant", "content": [
                {"type": "output_text", "text": text, "annotations": []},
                {"type": "refusal", "refusal": text},
            ]},
            {"type": "function_call", "id": "f", "call_id": "c", "name": "f", "arguments": "{}"},
        ],
        "usage": {"input_tokens": 3, "output_tokens": 4},
    }  # fmt: skip
    stream = events(document, "responses")
    parsed = [json.loads(one.partition(b"data: ")[2]) for one in stream]

    assert gathered(b"".join(stream), "responses", size) == document
    assert [one["sequence_number"] for one in parsed] == list(range(len(parsed)))
    deltas = [one["delta"] for one in parsed if one["type"].endswith(".delta")]
    assert deltas == [text, text, "{}"]


def chunk(**choice: Any) -> bytes:
    """Return a chunk of a chat."""
    return event(json.dumps({"choices": [{"index": 0, **choice}]}).encode())


DONE = event(b"[DONE]")
WHOLE = chunk(delta={"content": "a"}, finish_reason="stop")


@pytest.mark.parametrize(
    ("dialect", "stream"),
    [
        ("chat", chunk(delta={"content": "a"}) + DONE),
        ("chat", WHOLE),
        ("chat", WHOLE + DONE + b"data: {"),
        ("chat", WHOLE + event(b'{"error": {"message": "gone"}}') + DONE),
        ("chat", chunk(delta={"audio": {"id": "a"}}, finish_reason="stop") + DONE),
        ("chat", chunk(delta={}, logprobs={"content": []}, finish_reason="stop") + DONE),
        ("chat", b"data: no json\n\n" + WHOLE + DONE),
        ("chat", b"data: []\n\n" + WHOLE + DONE),
        ("chat", DONE),
        ("messages", event(b'{"type": "message_start", "message": {"usage": {}}}')),
        ("messages", event(b'{"type": "error", "error": {}}') + event(b'{"type":"message_stop"}')),
        ("responses", event(b'{"type": "response.created", "response": {}}')),
        ("responses", event(b'{"type": "response.incomplete", "response": {}}')),
        ("embeddings", WHOLE + DONE),
    ],
)
def test_what_is_not_whole_is_not_kept(dialect: Dialect, stream: bytes) -> None:
    """A stream that breaks, fails, or says what nobody here knows how to write."""
    assert gathered(stream, dialect) is None


def test_a_long_stream_is_not_recorded() -> None:
    """More than the limit, and the memory for it is free again."""
    recorder = Recorder("chat", len(WHOLE + DONE) - 1)
    recorder.take(WHOLE + DONE)

    assert recorder.body() is None
