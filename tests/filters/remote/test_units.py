"""Cutting streams: nothing is lost, nothing is torn that a service could look for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.remote.units import LONGEST, TooMuchHeld, Unit, Units, cut
from plano_filters.dialect import Dialect
from plano_filters.sse import Event, Splitter, event

DONE = b"data: [DONE]\n\n"


def chat(text: str | None = None, index: int = 0, **more: Any) -> bytes:
    """Return an event of a chat stream."""
    delta = {} if text is None else {"content": text}
    choice = {"index": index, "delta": {**delta, **more.pop("delta", {})}, "finish_reason": None}
    document = {"id": "c", "choices": [{**choice, **more}]}
    return event(json.dumps(document, separators=(",", ":")).encode())


def messages(text: str, index: int = 0, kind: str = "text") -> bytes:
    """Return an event of an Anthropic stream."""
    delta = {"type": f"{kind}_delta", kind: text}
    document = {"type": "content_block_delta", "index": index, "delta": delta}
    return event(json.dumps(document).encode(), "content_block_delta")


def events(stream: bytes) -> list[Event]:
    """Split a stream."""
    return Splitter().feed(stream)


def cut_up(stream: list[bytes], unit: Unit = "sentence", dialect: Dialect = "chat") -> list[bytes]:
    """Feed events one by one; return the units."""
    units = Units(dialect, unit, 10_000)
    made = [units.take(events(one)) for one in stream] + [units.end()]
    return [block for block in made if block]


def said(stream: bytes) -> str:
    """Return the text of all the first choices of a chat stream."""
    found = [json.loads(one.data) for one in events(stream) if one.data != b"[DONE]"]
    return "".join(d["choices"][0]["delta"].get("content") or "" for d in found)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("Hello wor", 0),
        ("Hello world.", 0),  # 3. may become 3.14
        ("Hello world. And", 13),
        ("It said “yes.” And", 15),
        ("one\ntwo", 4),
        ("One. Two! Three", 10),
        ("你好。世界", 3),
        ("3.14 is", 0),
        ("word " * 130, 650),
        ("x" * (LONGEST + 1), LONGEST + 1),
        ("a b" + "x" * LONGEST, 2),
    ],
)
def test_a_cut_is_behind_a_sentence(text: str, length: int) -> None:
    """Where a sentence has ended; where one will not end, behind a word."""
    assert cut(text) == length


def test_what_was_torn_over_events_is_in_one_unit() -> None:
    """A word that a model wrote in three pieces is seen as a word."""
    stream = [chat("", delta={"role": "assistant"}), chat("My name is Al"), chat("i"), chat("ce. ")]
    stream += [chat("Who"), chat(" are you?"), chat(None, finish_reason="stop"), DONE]

    made = cut_up(stream)

    assert [said(block) for block in made] == ["", "My name is Alice. ", "Who are you?", ""]
    assert made[0] == stream[0]
    assert made[2].endswith(stream[-2])


def test_what_came_whole_keeps_its_bytes() -> None:
    """An event that was a sentence by itself is shown, and sent on, as it came."""
    stream = [chat("One. "), chat("Two. "), DONE]

    assert cut_up(stream) == stream
    assert cut_up(stream, "event") == stream


def test_an_answer_is_one_unit_with_its_text_put_together() -> None:
    """However long it is; the events between keep their order."""
    stream = [chat("Al"), chat("ice. "), chat("B"), chat(None, finish_reason="stop"), DONE]

    (block,) = cut_up(stream, "answer")

    assert said(block) == "Alice. B"
    assert block.endswith(stream[-2] + DONE)


def test_an_answer_that_is_too_large_to_hold_is_an_error() -> None:
    """Never more than the limit is held."""
    one = chat("text")
    units = Units("chat", "answer", 3 * len(one))
    for _ in range(3):
        units.take(events(one))

    with pytest.raises(TooMuchHeld):
        units.take(events(one))


def test_the_last_piece_takes_the_text_before_it_along() -> None:
    """A piece with the finish reason in it ends the sentence, and keeps the reason."""
    (block,) = cut_up([chat("Al"), chat("ice", finish_reason="stop")])
    (one,) = events(block)

    assert json.loads(one.data)["choices"][0]["finish_reason"] == "stop"
    assert said(block) == "Alice"


def test_choices_that_grow_side_by_side_stay_apart() -> None:
    """Each has a text of its own."""
    stream = [chat("A", 0), chat("X", 1), chat("B. ", 0), chat("Y. ", 1)]

    made = [json.loads(one.data)["choices"][0] for one in events(b"".join(cut_up(stream)))]

    assert [(one["index"], one["delta"]["content"]) for one in made] == [(0, "AB. "), (1, "XY. ")]


def test_reasoning_goes_out_before_the_answer_begins() -> None:
    """Two kinds of text in one choice keep their order."""
    stream = [chat(delta={"reasoning_content": "think"}), chat("Answer"), chat(". ")]

    first, *_ = [json.loads(one.data) for one in events(b"".join(cut_up(stream)))]

    assert first["choices"][0]["delta"] == {"reasoning_content": "think"}


def test_probabilities_stay_with_their_text() -> None:
    """Those of the pieces are put together, and not said twice."""
    stream = [
        chat("One", logprobs={"content": [{"token": "One"}]}),
        chat(". Two", logprobs={"content": [{"token": ". Two"}]}),
        chat("!", logprobs={"content": [{"token": "!"}]}),
    ]

    found = [json.loads(one.data)["choices"][0] for one in events(b"".join(cut_up(stream)))]

    tokens = [[t["token"] for t in (one["logprobs"] or {}).get("content", [])] for one in found]
    assert tokens == [["One", ". Two"], ["!"]]
    assert [one["delta"]["content"] for one in found] == ["One. ", "Two!"]


def test_arguments_of_tools_are_put_together() -> None:
    """The beginning of a call, with its name, is an event of its own."""
    begin = {"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": ""}}]}
    parts = [{"tool_calls": [{"index": 0, "function": {"arguments": a}}]} for a in ('{"a":', "1}")]
    stream = [chat(delta=begin), *(chat(delta=part) for part in parts)]

    first, second = events(b"".join(cut_up([*stream])))

    assert first.raw == stream[0]
    calls = json.loads(second.data)["choices"][0]["delta"]["tool_calls"]
    assert calls == [{"index": 0, "function": {"arguments": '{"a":1}'}}]


def test_anthropic_blocks_are_put_together() -> None:
    """By block and kind; the end of a block is waited for by nobody."""
    stop = event(b'{"type":"content_block_stop","index":0}', "content_block_stop")
    made = events(b"".join(cut_up([messages("Al"), messages("ice"), stop], dialect="messages")))

    assert [one.name for one in made] == ["content_block_delta", "content_block_stop"]
    assert json.loads(made[0].data)["delta"] == {"type": "text_delta", "text": "Alice"}


def test_pieces_of_responses_are_put_together() -> None:
    """The newest number of the sequence counts."""
    document = {"type": "response.output_text.delta", "item_id": "i", "content_index": 0}
    stream = [
        event(json.dumps({**document, "sequence_number": n, "delta": text}).encode())
        for n, text in enumerate(["Al", "ice"])
    ]

    (one,) = events(b"".join(cut_up(stream, dialect="responses")))

    assert json.loads(one.data) == {**document, "sequence_number": 1, "delta": "Alice"}


PIECES = st.lists(st.text('ab .!?\n。"é', min_size=1, max_size=8), min_size=1, max_size=30)


@given(PIECES, st.data())
def test_no_text_is_lost_however_it_arrives(pieces: list[str], data: st.DataObject) -> None:
    """Whatever the pieces and the unit: all of the text, in order, and the events after it."""
    unit: Unit = data.draw(st.sampled_from(["event", "sentence", "answer"]))
    stream = [*(chat(piece) for piece in pieces), chat(None, finish_reason="stop"), DONE]

    whole = b"".join(cut_up(stream, unit))

    assert said(whole) == "".join(pieces)
    assert whole.endswith(stream[-2] + DONE)


@given(PIECES)
def test_no_sentence_is_torn(pieces: list[str]) -> None:
    """A unit that is not the last one ends where a sentence does."""
    made = [said(block) for block in cut_up([chat(piece) for piece in pieces])]

    for text in made[:-1]:
        assert cut(text) == len(text)


@pytest.mark.parametrize(
    "odd",
    [
        b"data: no json\n\n",
        b"data: [1]\n\n",
        b'data: {"choices":[]}\n\n',
        b'data: {"choices":[1]}\n\n',
        b'data: {"choices":[{"delta":null}]}\n\n',
        b'data: {"choices":[{"delta":{"content":[1]}}]}\n\n',
        b'data: {"choices":[{"delta":{"tool_calls":[1]}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]}\n\n',
    ],
)
def test_what_is_no_piece_of_text_is_shown_as_it_is(odd: bytes) -> None:
    """Behind the text before it."""
    assert cut_up([chat("a"), odd]) == [chat("a") + odd]
