"""Streams of chat chunks, as an Anthropic client gets them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from plano_filters.translation import Traits
from plano_filters.translation.messages_to_chat import translate
from tests.framework.translation.anthropic_rules import message_of
from tests.framework.translation.test_messages_to_chat_answer import ODD

ASKED: dict[str, Any] = {"model": "asked", "messages": [{"role": "user", "content": "hi"}]}
EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}}
TRAILER: dict[str, Any] = {"id": "chatcmpl-1", "model": "gpt", "choices": [], "usage": USAGE}


def chunk(finish: object = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "chatcmpl-1", "model": "gpt", "choices": [choice], "usage": None}


def part(index: Any = 0, call_id: Any = None, name: Any = None, arguments: Any = "") -> Any:
    """One delta of one call, without the fields that are not given."""
    function = {"name": name, "arguments": arguments}
    found = {"index": index, "id": call_id, "type": "function", "function": function}
    return {key: value for key, value in found.items() if value is not None}


def calls(*parts: dict[str, Any]) -> dict[str, Any]:
    return chunk(tool_calls=list(parts))


def run(*chunks: dict[str, Any], thoughts: bool = False) -> list[dict[str, Any]]:
    stream = translate(ASKED, Traits(reasoning_content=thoughts)).answers.stream()
    return [event for each in chunks for event in stream.take(each)] + stream.finish()


def blocks(*chunks: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return the blocks of an answer: texts, and calls with id, name and arguments."""
    return [
        (block["text"],) if block["type"] == "text" else tuple(block.values())[1:]
        for block in message_of(run(*chunks))["content"]
    ]


def test_the_grammar_of_a_text() -> None:
    """Event by event: the usage arrives after the end, so the end waits for it."""
    stream = translate(ASKED, Traits()).answers.stream()

    assert stream.take(chunk(role="assistant", content="")) == [
        {
            "type": "message_start",
            "message": {
                "id": "msg_1", "type": "message", "role": "assistant", "model": "gpt",
                "content": [], "stop_reason": None, "stop_sequence": None,
                "usage": {
                    "input_tokens": 0, "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 0, "output_tokens": 0,
                },
            },
        }
    ]  # fmt: skip
    assert stream.take(chunk(content="he")) == [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "he"}},
    ]
    assert stream.take(chunk(content="y")) == [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "y"}}
    ]
    assert stream.take(chunk("stop")) == []
    assert stream.take(TRAILER) == []
    assert stream.finish() == [
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None, "stop_details": None},
            "usage": {
                "input_tokens": 6, "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 3, "output_tokens": 4,
            },
        },
        {"type": "message_stop"},
    ]  # fmt: skip


def test_the_grammar_of_a_call() -> None:
    """The arguments pass as they arrive; the block has an empty input until then."""
    events = run(
        calls(part(0, "c1", "look")), calls(part(0, arguments='{"a"')),
        calls(part(0, arguments=":1}")), chunk("tool_calls"),
    )  # fmt: skip

    assert events[1:-2] == [
        {
            "type": "content_block_start", "index": 0,
            "content_block": {"type": "tool_use", "id": "c1", "name": "look", "input": {}},
        },
        {
            "type": "content_block_delta", "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": '{"a"'},
        },
        {
            "type": "content_block_delta", "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": ":1}"},
        },
        {"type": "content_block_stop", "index": 0},
    ]  # fmt: skip


BLOCKS: dict[str, tuple[list[dict[str, Any]], list[tuple[Any, ...]]]] = {
    "text-then-calls": (
        [chunk(content="a"), calls(part(0, "c1", "f", '{"x":1}')), calls(part(1, "c2", "g", "{}"))],
        [("a",), ("c1", "f", '{"x":1}'), ("c2", "g", "{}")]),
    "text-after-a-call": (
        [calls(part(0, "c1", "f", "{}")), chunk(content="a"), chunk(content="b")],
        [("c1", "f", "{}"), ("ab",)]),
    "text-within-a-call": (
        [calls(part(0, "c1", "f", "{")), chunk(content="a"), chunk(content="b"),
         calls(part(0, arguments="}"))],
        [("c1", "f", "{}"), ("ab",)]),
    "interleaved-calls": (
        [calls(part(0, "c1", "f"), part(1, "c2", "g")), calls(part(1, arguments='{"y"')),
         calls(part(0, arguments='{"x"')), calls(part(1, arguments=":2}")),
         calls(part(0, arguments=":1}"))],
        [("c1", "f", '{"x":1}'), ("c2", "g", '{"y":2}')]),
    "brace-within-a-string": (
        [calls(part(0, "c1", "f", '{"x":"}')), calls(part(1, "c2", "g", "{}")),
         calls(part(0, arguments='"}'))],
        [("c1", "f", '{"x":"}"}'), ("c2", "g", "{}")]),
    "whole-in-one-chunk": (
        [calls(part(0, "c1", "f", "{}"), part(1, "c2", "g", "{}"))],
        [("c1", "f", "{}"), ("c2", "g", "{}")]),
    "no-arguments": ([calls(part(0, "c1", "f"))], [("c1", "f", "{}")]),
    "two-without-arguments": (
        [calls(part(0, "c1", "f")), calls(part(1, "c2", "g"))],
        [("c1", "f", "{}"), ("c2", "g", "{}")]),
    "arguments-as-an-object": (
        [calls(part(0, "c1", "f", {"x": 1}))], [("c1", "f", '{"x":1}')]),
    "cut-arguments": ([calls(part(0, "c1", "f", "{")), chunk("length")], [("c1", "f", "{")]),
    "same-index-for-all": (
        [calls(part(0, "c1", "f", "{}")), calls(part(0, "c2", "f", "{}"))],
        [("c1", "f", "{}"), ("c2", "f", "{}")]),
    "no-index": (
        [calls(part(None, "c1", "f", "{")), calls(part(None, arguments="}")),
         calls(part(None, "c2", "g", "{}"))],
        [("c1", "f", "{}"), ("c2", "g", "{}")]),
    "no-index-but-ids": (
        [calls(part(None, "c1", "f", "{")), calls(part(None, "c2", "g", "{")),
         calls(part(None, "c1", arguments="}")), calls(part(None, "c2", arguments="}"))],
        [("c1", "f", "{}"), ("c2", "g", "{}")]),
    "id-and-name-repeated": (
        [calls(part(0, "c1", "f", "{")), calls(part(0, "c1", "f", "}"))], [("c1", "f", "{}")]),
    "name-after-the-id": (
        [calls(part(0, "c1")), calls(part(0, None, "f", "{}"))], [("c1", "f", "{}")]),
    "name-too-late": (
        [calls(part(0, "c1")), chunk(content="a"), calls(part(0, None, "f", "{}"))],
        [("c1", "f", "{}"), ("a",)]),
    "never-a-name": (
        [chunk(content="a"), calls(part(0, "c1", None, "{}")), chunk(content="b")],
        [("a",), ("b",)]),
    "reasoning": ([chunk(reasoning_content="hm"), chunk(content="a")], [("a",)]),
    "refusal": ([chunk(refusal="n"), chunk(refusal="o")], [("no",)]),
    "list-of-parts": ([chunk(content=[{"type": "text", "text": "a"}])], [("a",)]),
    "other-choices": (
        [{"choices": [{"index": 1, "delta": {"content": "b"}},
                      {"index": 0, "delta": {"content": "a"}}]}], [("a",)]),
    "nothing": ([], []),
}  # fmt: skip


@pytest.mark.parametrize(("chunks", "expected"), BLOCKS.values(), ids=BLOCKS)
def test_chunks_become_blocks_one_after_the_other(
    chunks: list[dict[str, Any]], expected: list[tuple[Any, ...]]
) -> None:
    """However a provider mixes its deltas, each block is whole and in the grammar."""
    assert blocks(*chunks) == expected


@pytest.mark.parametrize(
    "chunks",
    [
        [calls(part(0, None, "f", "{")), calls(part(0, None, None, "}")),
         calls(part(1, None, "g", "{}"))],
        [calls(part(0, "", "f", "{}")), calls(part(0, "", "g", "{}"))],
        [calls(part(None, None, "f", "{}"), part(None, None, "g", "{}"))],
        [calls(part(0, "c1", "f", "{}")), calls(part(1, "c1", "g", "{}"))],
    ],
    ids=["never", "empty-and-one-index", "neither-index", "the-same"],
)  # fmt: skip
def test_every_streamed_call_has_an_id_of_its_own(chunks: list[dict[str, Any]]) -> None:
    """Where the provider gives none, or the same one twice."""
    (first, *one), (second, *two) = blocks(*chunks)

    assert first != second
    assert one == ["f", "{}"]
    assert two == ["g", "{}"]


def test_a_call_that_is_complete_does_not_hold_the_next_one_up() -> None:
    """The second call of an ordinary stream passes as it arrives."""
    stream = translate(ASKED, Traits()).answers.stream()
    stream.take(calls(part(0, "c1", "f", "{}")))

    begun = stream.take(calls(part(1, "c2", "g")))
    grown = stream.take(calls(part(1, arguments="{")))

    assert [event["type"] for event in begun] == ["content_block_stop", "content_block_start"]
    assert [event["delta"]["partial_json"] for event in grown] == ["{"]


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        ([chunk(content="a"), chunk("stop")], "end_turn"),
        ([chunk(content="a"), chunk("length")], "max_tokens"),
        ([calls(part(0, "c1", "f")), chunk("tool_calls")], "tool_use"),
        ([calls(part(0, "c1", "f")), chunk("stop")], "tool_use"),
        ([calls(part(0, "c1", "f"))], "tool_use"),
        ([calls(part(0, "c1", "f", "{")), chunk("length")], "max_tokens"),
        ([calls(part(0, "c1")), chunk("tool_calls")], "end_turn"),
        ([chunk(content="a"), chunk("content_filter")], "refusal"),
        ([chunk(refusal="no"), chunk("stop")], "refusal"),
        ([], "end_turn"),
    ],
)
def test_the_end_of_a_stream_has_anthropics_word(chunks: list[dict[str, Any]], reason: str) -> None:
    """As for a whole answer: calls make it `tool_use`, whatever the provider says."""
    assert message_of(run(*chunks))["stop_reason"] == reason


def test_thoughts_are_streamed_for_a_provider_that_wants_them_back() -> None:
    """A block of thinking before the text, with an empty signature."""
    events = run(chunk(reasoning_content="h"), chunk(reasoning="m"), chunk(content="a"),
                 thoughts=True)  # fmt: skip

    assert message_of(events)["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "text", "text": "a"},
    ]


def test_azures_first_chunk_begins_nothing() -> None:
    """It has no choice, no id and no model; the next one has."""
    events = run({"id": "", "model": "", "choices": [], "prompt_filter_results": []},
                 chunk(content="a"))  # fmt: skip

    assert (events[0]["message"]["id"], events[0]["message"]["model"]) == ("msg_1", "gpt")


def test_a_long_tool_name_is_restored() -> None:
    """The client hears of its tool by the name it gave it."""
    long = "x" * 100
    asked = {**ASKED, "tools": [{"name": long, "input_schema": {"type": "object"}}]}
    outgoing = translate(asked, Traits())
    short = outgoing.payload["tools"][0]["function"]["name"]

    events = outgoing.answers.stream().take(calls(part(0, "c1", short)))

    assert events[1]["content_block"]["name"] == long


def test_two_streams_of_one_answer_know_nothing_of_each_other() -> None:
    """A translator of answers may be asked for more than one stream."""
    answers = translate(ASKED, Traits()).answers
    first, second = answers.stream(), answers.stream()
    first.take(chunk(content="a"))

    begun = second.take(chunk(content="b"))

    assert begun[0]["type"] == "message_start"


CALLS = st.lists(st.dictionaries(st.text(max_size=3), st.integers(), max_size=2), max_size=4)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[dict[str, Any]], str, list[str]]:
    """Chunks with a text and calls whose deltas are mixed at will; what they should come to."""
    text = draw(st.text(max_size=6))
    wanted = [json.dumps(given) for given in draw(CALLS)]
    queues: list[list[dict[str, Any]]] = [[chunk(content=letter) for letter in text]]
    for index, arguments in enumerate(wanted):
        cuts = sorted(draw(st.lists(st.integers(0, len(arguments)), max_size=3)))
        pieces = [arguments[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
        queues.append([calls(part(index, f"c{index}", f"f{index}"))])
        queues[-1] += [calls(part(index, arguments=piece)) for piece in pieces]
    mixed = []
    while any(queues):
        mixed.append(draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    return mixed, text, wanted


@given(streams())
def test_however_deltas_are_mixed_nothing_is_lost(
    stream: tuple[list[dict[str, Any]], str, list[str]],
) -> None:
    """All of the text and every call arrive whole, and Anthropic's SDK reads the same."""
    chunks, text, wanted = stream

    events = run(*chunks, TRAILER)

    content = message_of(events)["content"]
    used = {block["id"]: block["input"] for block in content if block["type"] == "tool_use"}
    assert "".join(block["text"] for block in content if block["type"] == "text") == text
    assert used == {f"c{index}": arguments for index, arguments in enumerate(wanted)}
    read = read_by_the_sdk(events)
    assert [b.input for b in read.content if b.type == "tool_use"] == [
        json.loads(arguments) for arguments in used.values()
    ]


def read_by_the_sdk(events: list[dict[str, Any]]) -> Any:
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for event in events:
        snapshot = accumulate_event(
            event=EVENT.validate_python(event), current_snapshot=snapshot, json_bufs=buffers
        )
    return snapshot


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["id", "model", "usage", "choices"]), ODD)
        | st.lists(ODD, max_size=3).map(lambda odd: chunk(tool_calls=odd))
        | st.tuples(ODD, ODD, ODD, ODD).map(lambda odd: calls(part(*odd)))
        | ODD.map(lambda odd: chunk(odd, content=odd, refusal=odd, reasoning_content=odd)),
        max_size=6,
    )
)
def test_whatever_a_provider_streams_is_in_the_grammar(chunks: list[dict[str, Any]]) -> None:
    """Nothing is raised, no block is empty or open, and each event is one that the SDK knows."""
    events = run(*chunks, thoughts=True)

    message_of(events)
    for event in events:
        EVENT.validate_python(event)
