"""A stream of chat chunks as the events of a Response."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters.translation import Traits
from plano_filters.translation.responses_to_chat import translate
from tests.framework.translation.responses_events import check_stream
from tests.framework.translation.test_responses_to_chat_answer import (
    CITATION,
    TOKEN,
    TOOLS,
    looked,
    message,
    text,
)
from tests.framework.translation.test_responses_to_chat_request import call

USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


def chunk(delta: dict[str, Any] | None = None, **choice: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "m-2026",
        "choices": [{"index": 0, "delta": delta or {}, "finish_reason": None, **choice}],
    }


def piece(index: int | None = 0, arguments: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a chunk with a piece of a call."""
    name = {"name": more.pop("name")} if "name" in more else {}
    made: dict[str, Any] = {"function": {**name, "arguments": arguments}, **more}
    return chunk({"tool_calls": [made if index is None else made | {"index": index}]})


ENDED = chunk(finish_reason="stop")


def events(chunks: list[dict[str, Any]], **request: Any) -> list[dict[str, Any]]:
    """Return all events of a stream."""
    body = {"model": "m", "input": "hi", "stream": True, "tools": TOOLS, **request}
    stream = translate(body, Traits()).answers.stream()
    return [*(event for one in chunks for event in stream.take(one)), *stream.finish()]


def response(chunks: list[dict[str, Any]], **request: Any) -> dict[str, Any]:
    """Return the response at the end of a stream whose grammar was checked."""
    return check_stream(events(chunks, **request))


def names(made: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in made]


def test_text_has_its_events() -> None:
    """Text is an item with a part, opened and closed around its deltas."""
    made = events(
        [
            chunk({"role": "assistant", "content": ""}),
            chunk({"content": "h"}),
            chunk({"content": "i"}),
            ENDED,
            {**chunk(), "choices": [], "usage": USAGE},
        ]
    )

    check_stream(made)
    assert names(made) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert made[4] == {
        "type": "response.output_text.delta",
        "item_id": "msg_1_0",
        "output_index": 0,
        "content_index": 0,
        "delta": "h",
        "logprobs": [],
        "sequence_number": 4,
    }


def test_the_beginning_says_who_answers() -> None:
    """`response.created` has the id, the time and the model, and nothing of the end."""
    created = events([chunk({"role": "assistant"}), ENDED])[0]["response"]

    assert (created["id"], created["created_at"], created["model"]) == (
        "resp_1",
        1700000000,
        "m-2026",
    )
    assert (created["status"], created["output"], created["usage"]) == ("in_progress", [], None)


def test_the_end_has_the_whole_response() -> None:
    """`response.completed` carries the output and the usage, which comes after the reason."""
    last = response([chunk({"content": "hi"}), ENDED, {**chunk(), "choices": [], "usage": USAGE}])

    assert last["output"] == [message(text("hi"))]
    assert last["usage"]["total_tokens"] == 13


def test_a_call_has_its_events() -> None:
    """Arguments come as deltas; `.done` has all of them, and the name."""
    made = events(
        [
            piece(id="c", name="look", arguments=""),
            piece(arguments='{"city":'),
            piece(arguments='"Rome"}'),
            chunk(finish_reason="tool_calls"),
        ]
    )

    assert check_stream(made)["output"] == [looked('{"city":"Rome"}')]
    assert names(made)[2:-1] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert made[5]["name"] == "look"


def test_a_custom_call_has_events_of_its_own() -> None:
    """The input is decoded while it arrives, wherever the pieces end."""
    made = events(
        [
            piece(id="c", name="patch", arguments='{"in'),
            piece(arguments='put": "a\\'),
            piece(arguments="nb\\ud83d"),
            piece(arguments='\\ude00"}'),
            ENDED,
        ]
    )

    assert check_stream(made)["output"][0]["input"] == "a\nb😀"
    assert names(made)[2:-1] == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ]


def test_a_call_in_a_namespace_says_so_from_its_beginning() -> None:
    """Name and namespace are the client's in the first event of the item already."""
    members = [{"type": "function", "name": "read"}]
    tools = [{"type": "namespace", "name": "fs", "description": "d", "tools": members}]
    made = events([piece(id="c", name="fs__read", arguments="{}"), ENDED], tools=tools)

    check_stream(made)
    assert made[2]["item"]["name"] == "read"
    assert made[2]["item"]["namespace"] == "fs"


STREAMS: dict[str, tuple[list[Any], dict[str, Any], list[Any]]] = {
    "nothing": ([chunk({"role": "assistant", "content": ""})], {}, []),
    "no chunk": ([], {}, []),
    "a refusal": (
        [chunk({"refusal": "n"}), chunk({"refusal": "o"})],
        {},
        [message({"type": "refusal", "refusal": "no"})],
    ),
    "text and refusal are parts of one message": (
        [chunk({"content": "hi"}), chunk({"refusal": "no"})],
        {},
        [message(text("hi"), {"type": "refusal", "refusal": "no"})],
    ),
    "text in parts": (
        [chunk({"content": [{"type": "text", "text": "hi"}]})],
        {},
        [message(text("hi"))],
    ),
    "citations": (
        [
            chunk({"content": "hi"}),
            chunk({"annotations": [{"type": "url_citation", "url_citation": CITATION}]}),
        ],
        {},
        [message(text("hi", annotations=[{"type": "url_citation", **CITATION}]))],
    ),
    "probabilities": (
        [chunk({"content": "hi"}, logprobs={"content": [TOKEN]})],
        {"top_logprobs": 1},
        [message(text("hi", logprobs=[TOKEN | {"bytes": []}]))],
    ),
    "text around a call": (
        [
            chunk({"content": "a"}),
            piece(id="c", name="look", arguments="{}"),
            chunk({"content": "b"}),
        ],
        {},
        [message(text("a")), looked("{}", index=1), message(text("b"), index=2)],
    ),
    "calls after one another": (
        [
            piece(0, id="a", name="look", arguments="{}"),
            piece(1, id="b", name="look", arguments='{"city":1}'),
        ],
        {},
        [looked("{}", call_id="a"), looked('{"city":1}', index=1, call_id="b")],
    ),
    "calls in one chunk": (
        [
            chunk(
                {
                    "tool_calls": [
                        {"index": 0, **call("a", "look", "{}")},
                        {"index": 1, **call("b", "look", "{}")},
                    ]
                }
            )
        ],
        {},
        [looked("{}", call_id="a"), looked("{}", index=1, call_id="b")],
    ),
    "interleaved calls": (
        [
            piece(0, id="a", name="look", arguments='{"ci'),
            piece(1, id="b", name="look", arguments="{"),
            piece(0, arguments='ty":1}'),
            piece(1, arguments="}"),
        ],
        {},
        [looked('{"city":1}', call_id="a"), looked("{}", index=1, call_id="b")],
    ),
    "calls without an index": (
        [
            piece(None, id="a", name="look", arguments="{"),
            piece(None, arguments="}"),
            piece(None, id="b", name="look", arguments="{"),
            piece(None, id="b", arguments="}"),
        ],
        {},
        [looked("{}", call_id="a"), looked("{}", index=1, call_id="b")],
    ),
    "a name in every chunk": (
        [piece(id="c", name="look", arguments="{"), piece(id="c", name="look", arguments="}")],
        {},
        [looked("{}")],
    ),
    "a call without an id": (
        [piece(name="look", arguments="{}")],
        {},
        [looked("{}", call_id="call_1_0")],
    ),
    "a call without arguments": ([piece(id="c", name="look")], {}, [looked("{}")]),
    "a custom call of another form": (
        [piece(id="c", name="patch", arguments='{"a":1,'), piece(arguments='"input":"x"}')],
        {},
        [
            {
                "id": "ctc_1_0",
                "type": "custom_tool_call",
                "status": "completed",
                "call_id": "c",
                "name": "patch",
                "input": "x",
            }
        ],
    ),
    "thoughts that nobody asked for": (
        [chunk({"reasoning_content": "hm"}), chunk({"content": "hi"})],
        {},
        [message(text("hi"))],
    ),
    "thoughts": (
        [chunk({"reasoning_content": "h"}), chunk({"reasoning": "m"}), chunk({"content": "hi"})],
        {"reasoning": {"summary": "auto"}},
        [
            {
                "id": "rs_1_0",
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "hm"}],
            },
            message(text("hi"), index=1),
        ],
    ),
}


@pytest.mark.parametrize(("chunks", "request_", "output"), STREAMS.values(), ids=STREAMS)
def test_each_stream_keeps_the_grammar(
    chunks: list[Any], request_: dict[str, Any], output: list[Any]
) -> None:
    """Every event is the SDK's, in its order, and the whole is the sum of the pieces."""
    assert response([*chunks, ENDED], **request_)["output"] == output


def test_an_answer_that_is_cut_off_ends_incomplete() -> None:
    """The last item is incomplete, what stands before it is whole."""
    last = response(
        [
            chunk({"content": "hi"}),
            piece(id="c", name="look", arguments='{"ci'),
            chunk(finish_reason="length"),
        ]
    )

    assert last["status"] == "incomplete"
    assert last["incomplete_details"] == {"reason": "max_output_tokens"}
    assert last["output"] == [message(text("hi")), looked('{"ci', index=1, status="incomplete")]


def test_an_answer_that_is_filtered_ends_incomplete() -> None:
    """`content_filter` is a reason of its own."""
    last = response([chunk({"content": "hi"}), chunk(finish_reason="content_filter")])

    assert last["incomplete_details"] == {"reason": "content_filter"}
    assert last["output"] == [message(text("hi"), status="incomplete")]


def test_a_stream_begins_with_the_first_chunk_that_has_a_name() -> None:
    """Azure sends a chunk about its filters first, without an id and without choices."""
    first = {"id": "", "model": "", "created": 0, "choices": [], "prompt_filter_results": []}
    made = events([first, chunk({"content": "hi"}), ENDED])

    check_stream(made)
    assert made[0]["response"]["id"] == "resp_1"


def test_every_event_is_sent_at_once() -> None:
    """A chunk with text gives its delta in the same call, not with the next chunk."""
    stream = translate({"model": "m", "input": "hi", "stream": True}, Traits()).answers.stream()
    stream.take(chunk({"content": "h"}))

    assert names(stream.take(chunk({"content": "i"}))) == ["output_text.delta"]


def test_an_event_is_not_changed_after_it_was_given() -> None:
    """The first events of a part do not fill up while the part grows."""
    made = events([chunk({"content": "hi"}, logprobs={"content": [TOKEN]}), ENDED], top_logprobs=1)

    assert made[0]["response"]["output"] == []
    assert made[2]["item"]["content"] == []
    assert made[3]["part"] == text("")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
CHUNKS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "id": JSON,
            "created": JSON,
            "model": JSON,
            "usage": JSON | st.dictionaries(st.sampled_from(sorted(USAGE)), JSON),
            "service_tier": st.sampled_from([None, 1, "default"]),
            "choices": JSON
            | st.lists(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "finish_reason": JSON | st.sampled_from(["stop", "length"]),
                        "logprobs": JSON | st.fixed_dictionaries({"content": st.lists(JSON)}),
                        "delta": JSON
                        | st.fixed_dictionaries(
                            {},
                            optional={
                                "content": JSON,
                                "refusal": JSON,
                                "reasoning_content": JSON,
                                "annotations": JSON,
                                "tool_calls": JSON
                                | st.lists(
                                    st.fixed_dictionaries(
                                        {},
                                        optional={
                                            "index": JSON | st.integers(0, 2),
                                            "id": JSON | st.sampled_from("ab"),
                                            "function": JSON
                                            | st.fixed_dictionaries(
                                                {},
                                                optional={
                                                    "name": JSON
                                                    | st.sampled_from(["look", "patch"]),
                                                    "arguments": JSON,
                                                },
                                            ),
                                        },
                                    ),
                                    max_size=2,
                                ),
                            },
                        ),
                    },
                ),
                max_size=1,
            ),
        },
    ),
    max_size=5,
)


@given(chunks=CHUNKS)
def test_no_chunk_breaks_the_grammar(chunks: list[dict[str, Any]]) -> None:
    """Whatever a provider sends, the client gets a proper stream."""
    response(chunks, reasoning={"summary": "auto"}, top_logprobs=1)


def cut(value: str, sizes: list[int]) -> list[str]:
    """Cut a text into pieces."""
    pieces = []
    for size in sizes:
        pieces.append(value[:size])
        value = value[size:]
    return [*pieces, value]


@given(
    said=st.text(max_size=20),
    arguments=st.sampled_from(
        ['{"input":"a\\n\\u00e9\\ud83d\\ude00"}', '{"input" : "x"', "no JSON", '{"city":"é"}', ""]
    ),
    names_=st.lists(st.sampled_from(["look", "patch", "jump"]), max_size=3),
    sizes=st.lists(st.integers(0, 6), max_size=6),
    finish=st.sampled_from(["stop", "tool_calls", "length"]),
)
def test_a_stream_and_a_whole_answer_are_the_same_response(
    said: str, arguments: str, names_: list[str], sizes: list[int], finish: str
) -> None:
    """However the pieces are cut, they add up to what a whole answer becomes."""
    tool_calls = [call(f"c{at}", name, arguments) for at, name in enumerate(names_)]
    whole = {
        **chunk(),
        "choices": [
            {"message": {"content": said, "tool_calls": tool_calls}, "finish_reason": finish}
        ],
        "usage": USAGE,
    }
    chunks = [chunk({"content": one}) for one in cut(said, sizes)]
    for at, name in enumerate(names_):
        chunks.append(piece(at, id=f"c{at}", name=name, arguments=""))
        chunks.extend(piece(at, arguments=one) for one in cut(arguments, sizes))
    chunks += [chunk(finish_reason=finish), {**chunk(), "choices": [], "usage": USAGE}]

    answers = translate({"model": "m", "input": "hi", "tools": TOOLS}, Traits()).answers
    assert response(chunks, stream=False) == answers.whole(whole)
