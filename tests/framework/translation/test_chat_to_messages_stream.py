"""Streams of a Messages API as chunks of a chat completion, event by event."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from plano_filters.translation import Answers, Traits
from plano_filters.translation.chat_to_messages import translate

PATCH = {"type": "custom", "custom": {"name": "patch"}}
START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 3, "cache_read_input_tokens": 10, "output_tokens": 1},
    },
}
STOP = {"type": "message_stop"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


def answers(*, include_usage: bool = False) -> Answers:
    """Return what translates the answers to a streamed request with a custom tool."""
    body = {
        "model": "claude",
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [PATCH],
        "stream": True,
        "stream_options": {"include_usage": include_usage},
    }
    return translate(body, Traits(), now=lambda: 1_700_000_000.9).answers


def chunks_of(
    events: Iterable[dict[str, Any]], *, include_usage: bool = False
) -> list[dict[str, Any]]:
    """Translate a stream that comes to its proper end."""
    stream = answers(include_usage=include_usage).stream()
    return [chunk for event in events for chunk in stream.take(event)] + stream.finish()


def deltas(*events: dict[str, Any]) -> list[Any]:
    """Return what the chunks after the first add, a finish reason as a mere string."""
    chunks = chunks_of([START, *events])

    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    choices = [chunk["choices"][0] for chunk in chunks[1:]]
    return [choice["finish_reason"] or choice["delta"] for choice in choices]


def begun(index: int, kind: str, **more: Any) -> dict[str, Any]:
    """Return the event with which a block begins."""
    return {
        "type": "content_block_start",
        "index": index,
        "content_block": {"type": kind, **more},
    }


def grown(index: int, kind: str, **more: Any) -> dict[str, Any]:
    """Return an event that adds to a block."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **more}}


def ended(index: int) -> dict[str, Any]:
    """Return the event with which a block ends."""
    return {"type": "content_block_stop", "index": index}


def stopped(reason: str | None = "end_turn", **more: Any) -> dict[str, Any]:
    """Return the event that says why the message ends."""
    return {
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": None, **more},
        "usage": {"output_tokens": 7},
    }


def opening(index: int, id_: str, name: str) -> dict[str, Any]:
    """Return the delta with which a call begins."""
    function = {"name": name, "arguments": ""}
    return {"tool_calls": [{"index": index, "id": id_, "type": "function", "function": function}]}


def more(index: int, arguments: str) -> dict[str, Any]:
    """Return a delta with arguments."""
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}


def patching(piece: str) -> dict[str, Any]:
    """Return a delta with the input of a custom call."""
    return {"tool_calls": [{"index": 0, "custom": {"input": piece}}]}


PATCHES = {
    "tool_calls": [
        {"index": 0, "id": "t1", "type": "custom", "custom": {"name": "patch", "input": ""}}
    ]
}
WEATHER = begun(1, "tool_use", id="t1", name="weather", input={})
EVENTS: dict[str, tuple[list[dict[str, Any]], list[Any]]] = {
    "text": (
        [begun(0, "text", text=""), grown(0, "text_delta", text="Hel"),
         grown(0, "text_delta", text="lo"), ended(0), stopped(), STOP],
        [{"content": "Hel"}, {"content": "lo"}, "stop"],
    ),
    "text at the start of a block": (
        [begun(0, "text", text="Hello"), ended(0), stopped()], [{"content": "Hello"}, "stop"]
    ),
    "no text": (
        [begun(0, "text", text=""), grown(0, "text_delta", text=""), ended(0), stopped()], ["stop"]
    ),
    "thinking": (
        [begun(0, "thinking", thinking="", signature=""),
         grown(0, "thinking_delta", thinking="Hm."), grown(0, "signature_delta", signature="s"),
         ended(0), stopped()],
        [{"reasoning_content": "Hm."}, "stop"],
    ),
    "thinking at the start of a block": (
        [begun(0, "thinking", thinking="Hm."), ended(0), stopped()],
        [{"reasoning_content": "Hm."}, "stop"],
    ),
    "thinking that is kept back": (
        [begun(0, "redacted_thinking", data="d"), ended(0), stopped()], ["stop"]
    ),
    "calls are counted over calls": (
        [begun(0, "text", text=""), grown(0, "text_delta", text="Look:"), ended(0),
         WEATHER, grown(1, "input_json_delta", partial_json=""),
         grown(1, "input_json_delta", partial_json='{"city"'),
         grown(1, "input_json_delta", partial_json=': "Rome"}'), ended(1),
         begun(2, "tool_use", id="t2", name="clock", input={}),
         grown(2, "input_json_delta", partial_json="{}"), ended(2), stopped("tool_use"), STOP],
        [{"content": "Look:"}, opening(0, "t1", "weather"), more(0, '{"city"'),
         more(0, ': "Rome"}'), opening(1, "t2", "clock"), more(1, "{}"), "tool_calls"],
    ),
    "a call without input": (
        [WEATHER, grown(1, "input_json_delta", partial_json=""), ended(1), stopped("tool_use")],
        [opening(0, "t1", "weather"), more(0, "{}"), "tool_calls"],
    ),
    "a call with its input at the start": (
        [begun(0, "tool_use", id="t1", name="weather", input={"city": "Rome"}), ended(0),
         stopped("tool_use")],
        [opening(0, "t1", "weather"), more(0, '{"city":"Rome"}'), "tool_calls"],
    ),
    "a call with its input at the start and again": (
        [begun(0, "tool_use", id="t1", name="weather", input={"city": "Rome"}),
         grown(0, "input_json_delta", partial_json='{"city":"Rome"}'), ended(0),
         stopped("tool_use")],
        [opening(0, "t1", "weather"), more(0, '{"city":"Rome"}'), "tool_calls"],
    ),
    "a call that is never closed": (
        [WEATHER, stopped("tool_use")], [opening(0, "t1", "weather"), more(0, "{}"), "tool_calls"]
    ),
    "two calls in one place": (
        [WEATHER, begun(1, "tool_use", id="t2", name="clock", input={}), ended(1), stopped()],
        [opening(0, "t1", "weather"), more(0, "{}"), opening(1, "t2", "clock"), more(1, "{}"),
         "tool_calls"],
    ),
    "a custom call as it arrives": (
        [begun(0, "tool_use", id="t1", name="patch", input={}),
         grown(0, "input_json_delta", partial_json='{"in'),
         grown(0, "input_json_delta", partial_json='put": "a\\'),
         grown(0, "input_json_delta", partial_json='nb\\u00'),
         grown(0, "input_json_delta", partial_json='e4c"}'), ended(0), stopped("tool_use")],
        [PATCHES, patching("a"), patching("\nb"), patching("äc"), "tool_calls"],
    ),
    "a custom call with another input": (
        [begun(0, "tool_use", id="t1", name="patch", input={}),
         grown(0, "input_json_delta", partial_json='{"text": "x"}'), ended(0),
         stopped("tool_use")],
        [PATCHES, patching('{"text":"x"}'), "tool_calls"],
    ),
    "a custom call without input": (
        [begun(0, "tool_use", id="t1", name="patch", input={}), ended(0), stopped("tool_use")],
        [PATCHES, "tool_calls"],
    ),
    "a custom call with its input at the start": (
        [begun(0, "tool_use", id="t1", name="patch", input={"input": "x"}), ended(0),
         stopped("tool_use")],
        [PATCHES, patching("x"), "tool_calls"],
    ),
    "tools of the provider": (
        [begun(0, "server_tool_use", id="s", name="web_search", input={}),
         grown(0, "input_json_delta", partial_json='{"query": "x"}'), ended(0),
         begun(1, "web_search_tool_result", tool_use_id="s", content=[]), ended(1), stopped()],
        ["stop"],
    ),
    "pings, citations and what is unheard of": (
        [{"type": "ping"}, begun(0, "text", text=""),
         grown(0, "citations_delta", citation={}), grown(0, "new_delta", text="x"),
         {"type": "news"}, begun(1, "news"), ended(0), ended(1), stopped()],
        ["stop"],
    ),
    "stop_sequence": ([stopped("stop_sequence", stop_sequence="END")], ["stop"]),
    "pause_turn": ([stopped("pause_turn")], ["stop"]),
    "max_tokens": ([stopped("max_tokens")], ["length"]),
    "context window": ([stopped("model_context_window_exceeded")], ["length"]),
    "refusal": (
        [stopped("refusal", stop_details={"type": "refusal", "explanation": "No."})],
        [{"refusal": "No."}, "content_filter"],
    ),
    "refusal without a word": ([stopped("refusal", stop_details=None)], ["content_filter"]),
    "no reason at first": ([stopped(None), stopped("max_tokens")], ["length"]),
    "no reason at all": ([STOP], ["stop"]),
    "no second reason": ([stopped("max_tokens"), stopped("end_turn"), STOP], ["length"]),
    "nothing after the reason": (
        [stopped(), grown(0, "text_delta", text="x"), WEATHER, START], ["stop"]
    ),
    "no second start": ([START, stopped()], ["stop"]),
}  # fmt: skip


@pytest.mark.parametrize(("events", "expected"), EVENTS.values(), ids=EVENTS)
def test_events(events: list[dict[str, Any]], expected: list[Any]) -> None:
    """Each event becomes the deltas that a chat client expects, and no others."""
    assert deltas(*events) == expected


def test_a_chunk() -> None:
    """A chunk has everything the SDK of OpenAI reads, at once for each event."""
    stream = answers().stream()
    stream.take(START)

    chunks = stream.take(grown(0, "text_delta", text="Hello"))

    assert chunks == [
        {
            "id": "chatcmpl-msg_1",
            "object": "chat.completion.chunk",
            "created": 1_700_000_000,
            "model": "claude-x",
            "choices": [
                {
                    "index": 0,
                    "delta": {"content": "Hello"},
                    "logprobs": None,
                    "finish_reason": None,
                }
            ],
        }
    ]
    assert ChatCompletionChunk.model_validate(chunks[0]).choices[0].delta.content == "Hello"


def test_the_usage_comes_last_if_it_is_wanted() -> None:
    """It is what was spent in all: later events do not add to earlier ones."""
    halfway = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 5}}

    *chunks, last = chunks_of([START, halfway, stopped(), STOP], include_usage=True)

    assert last["choices"] == []
    assert last["usage"] == {
        "prompt_tokens": 13,
        "completion_tokens": 7,
        "total_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 0},
    }
    assert [chunk["usage"] for chunk in chunks] == [None, None]


def test_usage_that_comes_after_the_reason_counts() -> None:
    """A provider may tell the usage in an event of its own."""
    late = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 70}}

    chunks = chunks_of([START, stopped(), late, STOP], include_usage=True)

    assert chunks[-1]["usage"]["completion_tokens"] == 70


def test_usage_that_is_null_later_stays_what_it_was() -> None:
    """Null says nothing, and does not take back what was said."""
    last = stopped()
    last["usage"] |= {"input_tokens": None, "cache_read_input_tokens": None}

    chunks = chunks_of([START, last, STOP], include_usage=True)

    assert chunks[-1]["usage"]["prompt_tokens"] == 13


def test_a_second_start_changes_nothing() -> None:
    """All chunks of a stream have one id, one model and one time."""
    other = {"type": "message_start", "message": {"id": "msg_2", "model": "claude-y"}}

    chunks = chunks_of([START, other, grown(0, "text_delta", text="x"), stopped(), STOP])

    heads = {(chunk["id"], chunk["model"], chunk["created"]) for chunk in chunks}
    assert heads == {("chatcmpl-msg_1", "claude-x", 1_700_000_000)}


def test_usage_that_is_not_told_is_not_made_up() -> None:
    """Unknown is not 0: there is no usage chunk then."""
    chunks = chunks_of([{"type": "message_start", "message": {"id": "m"}}], include_usage=True)

    assert [chunk["usage"] for chunk in chunks] == [None, None]


def test_no_usage_unless_it_is_wanted() -> None:
    """Without `include_usage` no chunk speaks of it."""
    chunks = chunks_of([START, stopped(), STOP])

    assert not any("usage" in chunk for chunk in chunks)


def test_streams_of_one_request_know_nothing_of_each_other() -> None:
    """A second try begins anew."""
    both = answers()
    first = both.stream()
    first.take(START)
    first.take(WEATHER)

    (opened, *_) = both.stream().take(WEATHER)[1:]

    assert opened["choices"][0]["delta"] == opening(0, "t1", "weather")
    assert opened["id"] == "chatcmpl-"


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)
BLOCK = st.one_of(
    TEXT.map(lambda value: {"type": "text", "text": value}),
    TEXT.map(lambda value: {"type": "thinking", "thinking": value, "signature": "s"}),
    st.builds(
        lambda id_, name, given_: {"type": "tool_use", "id": id_, "name": name, "input": given_},
        st.uuids().map(str), st.sampled_from(["weather", "clock"]), OBJECT,
    ),
    st.builds(
        lambda id_, given_: {"type": "tool_use", "id": id_, "name": "patch", "input": given_},
        st.uuids().map(str), st.fixed_dictionaries({"input": TEXT}) | OBJECT,
    ),
)  # fmt: skip
MESSAGE: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "id": TEXT,
        "model": TEXT,
        "content": st.lists(BLOCK, max_size=4),
        "stop_reason": st.sampled_from(
            ["end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"]
        ),
        "stop_details": st.none() | st.fixed_dictionaries({"explanation": TEXT}),
        "usage": st.fixed_dictionaries(
            {"input_tokens": st.integers(0, 99), "output_tokens": st.integers(0, 99)},
            optional={"cache_read_input_tokens": st.none() | st.integers(0, 99)},
        ),
    }
)


def pieces(draw: st.DrawFn, value: str) -> list[str]:
    """Cut a text anywhere."""
    cuts = sorted(draw(st.lists(st.integers(0, len(value)), max_size=4)))
    return [value[a:b] for a, b in zip([0, *cuts], [*cuts, len(value)], strict=True)]


@st.composite
def streamed(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Draw an answer, and a stream of the same."""
    message = draw(MESSAGE)
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    ]
    for index, block in enumerate(message["content"]):
        if block["type"] == "tool_use":
            events.append(begun(index, **{**block, "input": {}, "kind": block["type"]}))
            whole = json.dumps(block["input"], ensure_ascii=draw(st.booleans()))
            name, kind = "partial_json", "input_json_delta"
        else:
            name = block["type"]
            whole, kind = block[name], f"{name}_delta"
            events.append(begun(index, name, **{name: ""}))
        events += [grown(index, kind, **{name: piece}) for piece in pieces(draw, whole)]
        events.append(ended(index))
    events.append(
        {
            "type": "message_delta",
            "delta": {name: message[name] for name in ("stop_reason", "stop_details")},
            "usage": {"output_tokens": message["usage"]["output_tokens"]},
        }
    )
    return message, [*events, STOP]


def called_in(chunk: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a chunk says of calls."""
    return [call for choice in chunk["choices"] for call in choice["delta"].get("tool_calls", [])]


def gathered(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """Put a stream together as a client does, and check its grammar on the way."""
    head = {name: chunks[0][name] for name in ("id", "created", "model")}
    message: dict[str, Any] = {"content": "", "refusal": None}
    calls: list[dict[str, Any]] = []
    reason = usage = None
    for number, chunk in enumerate(chunks):
        if not any("custom" in call for call in called_in(chunk)):  # the SDK's types know none
            ChatCompletionChunk.model_validate(chunk)
        assert {name: chunk[name] for name in head} == head
        if not chunk["choices"]:
            assert number == len(chunks) - 1
            usage = chunk["usage"]
            continue
        (choice,) = chunk["choices"]
        delta = dict(choice["delta"])
        assert reason is None
        assert (delta.pop("role", None) == "assistant") == (number == 0)
        reason = choice["finish_reason"]
        for entry in delta.pop("tool_calls", []):
            body = entry[entry.get("type", "custom" if "custom" in entry else "function")]
            if "id" in entry:
                assert entry["index"] == len(calls)
                calls.append({name: entry[name] for name in ("id", "type")} | {"body": dict(body)})
            else:
                for name, piece in body.items():
                    assert piece
                    calls[entry["index"]]["body"][name] += piece
        for name, piece in delta.items():
            message[name] = (message.get(name) or "") + piece
    assert reason is not None
    return {**head, "message": message, "calls": calls, "reason": reason, "usage": usage}


@given(streamed())
def test_a_stream_says_what_the_whole_would_have_said(
    drawn: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    """Put together, the chunks are the completion, however the provider cuts its answer."""
    document, events = drawn
    whole = answers().whole(document)
    (choice,) = whole["choices"]
    message = choice["message"]

    got = gathered(chunks_of(events, include_usage=True))

    assert (got["id"], got["created"], got["model"]) == tuple(
        whole[name] for name in ("id", "created", "model")
    )
    assert got["reason"] == choice["finish_reason"]
    assert got["usage"] == whole["usage"]
    assert got["message"]["content"] == (message["content"] or "")
    assert got["message"].get("reasoning_content") == message.get("reasoning_content")
    if document["stop_reason"] == "refusal":
        assert got["message"]["refusal"] == message["refusal"]
    calls = message.get("tool_calls", [])
    assert [(call["id"], call["type"]) for call in got["calls"]] == [
        (call["id"], call["type"]) for call in calls
    ]
    for mine, its in zip(got["calls"], calls, strict=True):
        body = its[its["type"]]
        assert mine["body"]["name"] == body["name"]
        if its["type"] == "custom":
            assert mine["body"] == body
        else:
            assert json.loads(mine["body"]["arguments"]) == json.loads(body["arguments"])


KINDS = st.sampled_from(
    [
        "message_start", "content_block_start", "content_block_delta", "content_block_stop",
        "message_delta", "message_stop", "ping", "error",
    ]
)  # fmt: skip
PART = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["text", "thinking", "tool_use", "text_delta", "input_json_delta", "thinking_delta"]
        )
        | JSON
    },
    optional={
        **dict.fromkeys(("text", "thinking", "partial_json", "id", "input"), JSON),
        "name": st.just("patch") | JSON,
        "stop_reason": st.sampled_from(["end_turn", "tool_use"]) | JSON,
        "stop_details": JSON,
    },
)
EVENT = st.fixed_dictionaries(
    {"type": KINDS | JSON},
    optional={
        "index": st.integers(0, 2) | JSON,
        "message": JSON,
        "content_block": PART | JSON,
        "delta": PART | JSON,
        "usage": JSON | st.fixed_dictionaries({"output_tokens": JSON}),
    },
)


@given(st.lists(EVENT, max_size=12), st.booleans())
def test_nothing_makes_it_fail(events: list[dict[str, Any]], include_usage: bool) -> None:
    """Whatever a provider streams, the client gets a stream that follows the grammar."""
    gathered(chunks_of(events, include_usage=include_usage))


def test_the_sdk_of_openai_puts_it_together() -> None:
    """Its stream helper trips over indexes that are not counted over calls, and over much else."""
    events = [
        START, begun(0, "text", text=""), grown(0, "text_delta", text="Look:"), ended(0),
        WEATHER, grown(1, "input_json_delta", partial_json='{"city": "Rome"}'), ended(1),
        begun(2, "tool_use", id="t2", name="patch", input={}),
        grown(2, "input_json_delta", partial_json='{"input": "a\\nb"}'), ended(2),
        stopped("tool_use"), STOP,
    ]  # fmt: skip
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()

    for chunk in chunks_of(events, include_usage=True):
        state.handle_chunk(ChatCompletionChunk.construct(**chunk))
    completion = state.current_completion_snapshot

    (choice,) = completion.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Look:"
    calls: list[Any] = [call.to_dict() for call in choice.message.tool_calls or []]
    first, second = calls
    assert first["function"]["arguments"] == '{"city": "Rome"}'
    assert second["custom"] == {"name": "patch", "input": "a\nb"}
    assert completion.usage is not None
    assert completion.usage.total_tokens == 20
