"""Tokens, ids and reasons, read from answers and events of every dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.upstream import usage
from plano_builtin_filters.upstream.notes import Notes
from plano_filters import Cost, FilterState, Usage
from plano_filters.facts import ResponseInfo
from plano_filters.prices import Quote, Rates
from plano_filters.sse import event

OPENAI = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "prompt_tokens_details": {"cached_tokens": 60},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
ANTHROPIC = {
    "input_tokens": 30,
    "cache_read_input_tokens": 60,
    "cache_creation_input_tokens": 10,
    "output_tokens": 1,
}


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"usage": OPENAI}, Usage(100, 20, 60, None, 5)),
        ({"usage": {"prompt_tokens": 7, "total_tokens": 7}}, Usage(7)),  # embeddings
        # Anthropic counts the cached part apart; a Usage counts it in
        ({"usage": ANTHROPIC}, Usage(100, 1, 60, 10)),
        ({"type": "message_start", "message": {"usage": ANTHROPIC}}, Usage(100, 1, 60, 10)),
        ({"type": "message_delta", "usage": {"output_tokens": 9}}, Usage(None, 9)),
        (
            {
                "type": "response.completed",
                "response": {
                    "usage": {
                        "input_tokens": 100,
                        "input_tokens_details": {"cached_tokens": 60},
                        "output_tokens": 20,
                        "output_tokens_details": {"reasoning_tokens": 5},
                    }
                },
            },
            Usage(100, 20, 60, None, 5),
        ),
        # the write of one hour is part of the writes; Anthropic calls reasoning thinking
        (
            {
                "usage": {
                    **ANTHROPIC,
                    "cache_creation": {
                        "ephemeral_5m_input_tokens": 3,
                        "ephemeral_1h_input_tokens": 7,
                    },
                    "output_tokens_details": {"thinking_tokens": 1},
                }
            },
            Usage(100, 1, 60, 10, 1, 7),
        ),
        (
            {
                "usage": {
                    "prompt_tokens": 50,
                    "completion_tokens": 2,
                    "total_tokens": 52,
                    "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 5},
                }
            },
            Usage(50, 2, 30, 5),
        ),
        # xAI: reasoning stands beside the output, but in the total
        (
            {
                "usage": {
                    "prompt_tokens": 12,
                    "completion_tokens": 1,
                    "total_tokens": 399,
                    "completion_tokens_details": {"reasoning_tokens": 386},
                }
            },
            Usage(12, 387, None, None, 386),
        ),
        # Gemini does not even name it
        (
            {"usage": {"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623}},
            Usage(20, 603),
        ),
        # a total that is too small says nothing
        ({"usage": {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 3}}, Usage(20, 9)),
        # DeepSeek and Moonshot
        (
            {"usage": {"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 4}},
            Usage(9, 1, 4),
        ),
        (
            {"usage": {"prompt_tokens": 9, "completion_tokens": 1, "cached_tokens": 5}},
            Usage(9, 1, 5),
        ),
        # Groq, at the end of a stream
        (
            {"choices": [], "x_groq": {"usage": {"prompt_tokens": 9, "completion_tokens": 1}}},
            Usage(9, 1),
        ),
        ({"usage": None}, None),
        ({"usage": "many"}, None),
        ({"usage": {"prompt_tokens": "7", "completion_tokens": -1}}, Usage()),
        ({"usage": {"prompt_tokens": True, "completion_tokens": 3}}, Usage(None, 3)),
        ({}, None),
    ],
)
def test_usage_of(document: dict[str, Any], found: Usage | None) -> None:
    """Every dialect's counts come to the same fact; what is not a count is not reported."""
    assert usage.usage_of(document) == found


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (
            {"id": "c1", "model": "m", "choices": [{"finish_reason": "stop"}, {"index": 1}]},
            ResponseInfo("c1", "m", ("stop",)),
        ),
        (
            {"message": {"id": "msg_1", "model": "claude", "stop_reason": None}},
            ResponseInfo("msg_1", "claude"),
        ),
        ({"delta": {"stop_reason": "end_turn"}}, ResponseInfo(None, None, ("end_turn",))),
        (
            {"response": {"object": "response", "id": "r", "model": "m", "status": "in_progress"}},
            ResponseInfo("r", "m"),
        ),
        (
            {"object": "response", "id": "r", "model": "m", "status": "incomplete"},
            ResponseInfo("r", "m", ("incomplete",)),
        ),
        ({"choices": ["odd", {"finish_reason": 3}], "id": 4, "message": "text"}, ResponseInfo()),
    ],
)  # fmt: skip
def test_info_of(document: dict[str, Any], found: ResponseInfo) -> None:
    """Ids, models and reasons are read where each dialect has them."""
    assert usage.info_of(document) == found


@pytest.mark.parametrize(
    ("data", "name", "error"),
    [
        (b'{"error": {"message": "overloaded"}}', "", True),
        (b'{"error": "overloaded"}', "", True),
        (b'{"type": "error", "message": "x", "error": null}', "", True),
        (b"anything", "error", True),
        (b'{"id": "c1", "error": null}', "", False),
        (b'{"choices": [{"delta": {"content": "\\"error\\": {}"}}]}', "", False),
        (b"[DONE]", "", False),
    ],
)
def test_is_error(data: bytes, name: str, error: bool) -> None:
    """An event that reports an error is told from one that talks about errors."""
    assert usage.is_error(data, name) is error


@pytest.mark.parametrize(
    ("document", "codes"),
    [
        ({"error": {"code": "a", "type": "b"}}, {"a", "b"}),
        ({"error": {"code": 429, "type": ["b"]}}, set()),
        ({"error": "text"}, set()),
        ({}, set()),
    ],
)
def test_error_codes(document: dict[str, Any], codes: set[str]) -> None:
    """Both names of an error count, and nothing that is not text."""
    assert usage.error_codes(document) == codes


@pytest.mark.parametrize(
    ("old", "new", "merged"),
    [
        (None, Usage(1, 2), Usage(1, 2)),
        (Usage(100, 1, 60, 10), Usage(None, 9), Usage(100, 9, 60, 10)),
        (Usage(100, 1, 60, 10), Usage(0, 9), Usage(100, 9, 60, 10)),
        (Usage(100, 1, 60, 10), Usage(30, 9), Usage(100, 9, 60, 10)),
        (Usage(), Usage(), Usage()),
    ],
)
def test_merge(old: Usage | None, new: Usage, merged: Usage) -> None:
    """The later report of a stream counts, but does not take back what it leaves out."""
    assert usage.merge(old, new) == merged


RATES = Rates(3, 15, 0.3, 3.75)
QUOTE = Quote(RATES, "file", 5.0)


def noted(*blocks: bytes) -> tuple[Usage | None, ResponseInfo | None]:
    facts = FilterState()
    notes = Notes()
    notes.publish(facts)
    for block in blocks:
        notes.events(block)
    return facts.get(Usage), facts.get(ResponseInfo)


def test_notes_of_a_chat_stream() -> None:
    """The id comes from the first event, reason and tokens from those that have them."""
    first = event(json.dumps({"id": "c1", "model": "m", "choices": [], "usage": None}).encode())
    text = event(b'{"id": "other", "choices": [{"delta": {"content": "hi"}}]}')
    last = event(b'{"choices": [{"finish_reason": "stop"}]}')
    counted = event(json.dumps({"choices": [], "usage": OPENAI}).encode())

    assert noted(b": hello\n\n", first, text, last + counted, b"data: [DONE]\n\n") == (
        Usage(100, 20, 60, None, 5),
        ResponseInfo("c1", "m", ("stop",)),
    )


def test_notes_of_a_messages_stream() -> None:
    """The input is counted at the beginning of a message, the output at its end."""
    start = {"message": {"id": "msg_1", "model": "claude", "usage": ANTHROPIC}}
    end = {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 40}}

    assert noted(
        event(json.dumps(start).encode(), "message_start"),
        event(b'{"delta": {"text": "hi"}}', "content_block_delta"),
        event(json.dumps(end).encode(), "message_delta"),
    ) == (Usage(100, 40, 60, 10), ResponseInfo("msg_1", "claude", ("end_turn",)))


def test_the_cost_of_a_whole_answer_is_known_at_once() -> None:
    """With the source of its price and that price's age."""
    facts, notes = FilterState(), Notes(QUOTE)
    notes.document(json.dumps({"usage": OPENAI}).encode())
    assert facts.get(Cost) is None  # another try may still serve

    notes.publish(facts)

    usd = (40 * 3 + 60 * 0.3 + 20 * 15) / 1e6
    assert facts[Cost] == Cost(pytest.approx(usd), "file", 5.0)  # type: ignore[arg-type]


def test_the_cost_of_a_stream_is_superseded_until_it_ends() -> None:
    """Anthropic counts the input first; until the output is known too, the cost is a part of it."""
    facts, notes = FilterState(), Notes(QUOTE)
    notes.publish(facts)
    start = {"message": {"id": "msg_1", "model": "claude", "usage": ANTHROPIC}}
    end = {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 40}}

    notes.events(event(json.dumps(start).encode(), "message_start"))
    begun = facts[Cost]
    notes.events(event(json.dumps(end).encode(), "message_delta"))
    ended = facts[Cost]

    given = 30 * 3 + 60 * 0.3 + 10 * 3.75
    assert begun.usd == pytest.approx((given + 15) / 1e6)
    assert ended.usd == pytest.approx((given + 40 * 15) / 1e6)
    assert (begun.whole, ended.whole) == (False, True)


def test_counts_that_run_along_are_not_added_up() -> None:
    """Some servers repeat the usage with every chunk; the last one is the whole, not the sum."""
    facts, notes = FilterState(), Notes(QUOTE)
    notes.publish(facts)
    for made, reason in ((1, None), (2, None), (3, "stop")):
        told = {"prompt_tokens": 10, "completion_tokens": made}
        chunk = {"choices": [{"index": 0, "finish_reason": reason}], "usage": told}
        notes.events(event(json.dumps(chunk).encode()))

    assert facts[Usage] == Usage(10, 3)
    assert facts[Cost] == Cost(pytest.approx(75e-6), "file", 5.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("quote", "document"),
    [(None, {"usage": OPENAI}), (QUOTE, {"usage": {"prompt_tokens": 4}}), (QUOTE, {"id": "c1"})],
)
def test_without_price_or_tokens_there_is_no_cost(
    quote: Quote | None, document: dict[str, Any]
) -> None:
    """Not 0: nobody knows it."""
    facts, notes = FilterState(), Notes(quote)
    notes.document(json.dumps(document).encode())
    notes.publish(facts)

    assert facts.get(Cost) is None


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["usage", "response", "message", "choices", "delta", "id", "error",
                         "finish_reason", "stop_reason", "input_tokens", "prompt_tokens"]), inner),
))  # fmt: skip
def test_notes_never_raise(value: object) -> None:
    """Whatever a provider sends, reading it beside the relay disturbs nothing."""
    data = json.dumps(value).encode()
    notes = Notes(QUOTE)

    notes.document(data)
    notes.events(event(data))
    usage.error_codes(usage.decode(data))
    usage.is_error(data, "")
