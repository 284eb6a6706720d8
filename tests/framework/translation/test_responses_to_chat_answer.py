"""A whole chat completion as a Response."""

from __future__ import annotations

from typing import Any

import pytest

from plano_filters.translation import Traits
from plano_filters.translation.responses_to_chat import translate
from tests.framework.translation.responses_events import check_response
from tests.framework.translation.test_responses_to_chat_request import SCHEMA, call

TOOLS: list[Any] = [
    {"type": "function", "name": "look", "parameters": SCHEMA, "strict": True},
    {"type": "custom", "name": "patch"},
]


def completion(message: dict[str, Any], finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "m-2026",
        "choices": [choice],
        **more,
    }


def answer(document: dict[str, Any], **request: Any) -> dict[str, Any]:
    """Return the response to a request, checked by the SDK's type."""
    body = {"model": "m", "input": "hi", "tools": TOOLS, **request}
    made = translate(body, Traits()).answers.whole(document)
    check_response(made)
    return made


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": said, **more}


def message(*parts: dict[str, Any], index: int = 0, status: str = "completed") -> dict[str, Any]:
    return {
        "id": f"msg_1_{index}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": list(parts),
    }


def looked(
    arguments: str, *, index: int = 0, call_id: str = "c", status: str = "completed"
) -> dict[str, Any]:
    return {
        "id": f"fc_1_{index}",
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": "look",
        "arguments": arguments,
    }


CITATION = {"start_index": 0, "end_index": 2, "title": "t", "url": "https://x"}
TOKEN = {"token": "hi", "logprob": -0.5, "bytes": None, "top_logprobs": []}
THOUGHT = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}

OUTPUTS = {
    "text": ({"content": "hi"}, {}, [message(text("hi"))]),
    "text in parts": (
        {"content": [{"type": "text", "text": "h"}, {"type": "text", "text": "i"}]},
        {},
        [message(text("hi"))],
    ),
    "nothing": ({"content": ""}, {}, []),
    "a refusal": (
        {"content": None, "refusal": "no"},
        {},
        [message({"type": "refusal", "refusal": "no"})],
    ),
    "text and refusal": (
        {"content": "hi", "refusal": "no"},
        {},
        [message(text("hi"), {"type": "refusal", "refusal": "no"})],
    ),
    "citations": (
        {
            "content": "hi",
            "annotations": [{"type": "url_citation", "url_citation": CITATION}, {"type": "odd"}],
        },
        {},
        [message(text("hi", annotations=[{"type": "url_citation", **CITATION}]))],
    ),
    "a call": (
        {"content": None, "tool_calls": [call("c", "look", '{"city":"Rome"}')]},
        {},
        [looked('{"city":"Rome"}')],
    ),
    "a call with empty arguments": (
        {"content": None, "tool_calls": [call("c", "look", "")]},
        {},
        [looked("{}")],
    ),
    "a call without an id": (
        {"content": None, "tool_calls": [{"function": {"name": "look", "arguments": "{}"}}]},
        {},
        [looked("{}", call_id="call_1_0")],
    ),
    "text, then calls": (
        {"content": "hi", "tool_calls": [call("a", "look", "{}"), call("b", "look", "{}")]},
        {},
        [
            message(text("hi")),
            looked("{}", index=1, call_id="a"),
            looked("{}", index=2, call_id="b"),
        ],
    ),
    "a custom call": (
        {"content": None, "tool_calls": [call("c", "patch", '{"input": "a\\nb"}')]},
        {},
        [
            {
                "id": "ctc_1_0",
                "type": "custom_tool_call",
                "status": "completed",
                "call_id": "c",
                "name": "patch",
                "input": "a\nb",
            }
        ],
    ),
    "thoughts that nobody asked for": (
        {"content": "hi", "reasoning_content": "hm"},
        {},
        [message(text("hi"))],
    ),
    "thoughts": (
        {"content": "hi", "reasoning_content": "hm"},
        {"reasoning": {"summary": "auto"}},
        [THOUGHT | {"id": "rs_1_0"}, message(text("hi"), index=1)],
    ),
    "thoughts under their other name": (
        {"content": None, "reasoning": "hm"},
        {"reasoning": {"generate_summary": "concise"}},
        [THOUGHT | {"id": "rs_1_0"}],
    ),
}


@pytest.mark.parametrize(("given", "request_", "output"), OUTPUTS.values(), ids=OUTPUTS)
def test_each_part_of_an_answer_is_an_item(
    given: dict[str, Any], request_: dict[str, Any], output: list[Any]
) -> None:
    """What the provider thought, said and called becomes items, in this order."""
    assert answer(completion(given), **request_)["output"] == output


CUSTOM_INPUTS = {
    "as it should be": ('{"input":"é\\u00e9\\ud83d\\ude00"}', "éé😀"),
    "other members before it": ('{"a":1,"input":"x"}', "x"),
    "no member of that name": ('{"patch":"x"}', '{"patch":"x"}'),
    "no JSON": ("*** Begin", "*** Begin"),
    "cut off": ('{"input":"abc', "abc"),
    "an escape that JSON does not have": ('{"input":"a\\qb"}', "a\\qb"),
    "half a character": ('{"input":"a\\ud83dz"}', "a\ud83dz"),
    "half a character elsewhere": ('{"a":1,"input":"a\\ud83dz"}', "a\ud83dz"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("arguments", "given"), CUSTOM_INPUTS.values(), ids=CUSTOM_INPUTS)
def test_the_input_of_a_custom_tool_is_found(arguments: str, given: str) -> None:
    """Models do not always write what they were told to; nothing of it is lost."""
    tool_calls = [call("c", "patch", arguments)]
    item = answer(completion({"content": None, "tool_calls": tool_calls}))["output"][0]

    assert item["input"] == given


ENDS = {
    "stop": ("stop", "completed", None, "completed"),
    "tool_calls": ("tool_calls", "completed", None, "completed"),
    "unknown": ("eos", "completed", None, "completed"),
    "none": (None, "completed", None, "completed"),
    "length": ("length", "incomplete", "max_output_tokens", "incomplete"),
    "content_filter": ("content_filter", "incomplete", "content_filter", "incomplete"),
}


@pytest.mark.parametrize(("finish", "status", "reason", "of_item"), ENDS.values(), ids=ENDS)
def test_each_end_has_its_status(
    finish: str | None, status: str, reason: str | None, of_item: str
) -> None:
    """An answer that was cut off is incomplete, and says why; so is its last item only."""
    tool_calls = [call("c", "look", '{"ci')]
    made = answer(completion({"content": "hi", "tool_calls": tool_calls}, finish))

    assert made["status"] == status
    assert made["incomplete_details"] == (reason and {"reason": reason})
    assert [item["status"] for item in made["output"]] == ["completed", of_item]


USAGES = {
    "all of it": (
        {
            "prompt_tokens": 9,
            "completion_tokens": 4,
            "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        (9, 5, 2, 4, 3, 13),
    ),
    "the least of it": ({"prompt_tokens": 9, "completion_tokens": 4}, (9, 0, 0, 4, 0, 13)),
    "null details": (
        {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": None},
        (9, 0, 0, 4, 0, 13),
    ),
    "nonsense": (
        {"prompt_tokens": -1, "completion_tokens": float("inf"), "total_tokens": "many"},
        (0, 0, 0, 0, 0, 0),
    ),
}


@pytest.mark.parametrize(("given", "counts"), USAGES.values(), ids=USAGES)
def test_usage_has_its_names(given: dict[str, Any], counts: tuple[int, ...]) -> None:
    """Cached, written and reasoning tokens are parts of the counts, as in chat."""
    taken, cached, written, made, reasoned, total = counts

    assert answer(completion({"content": "hi"}, usage=given))["usage"] == {
        "input_tokens": taken,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": reasoned},
        "total_tokens": total,
    }


def test_no_usage_is_no_usage() -> None:
    """Unknown is not zero."""
    assert answer(completion({"content": "hi"}))["usage"] is None


def test_a_response_says_who_and_when() -> None:
    """Ids, the model and the time are the provider's."""
    made = answer(completion({"content": "hi"}, service_tier="default"))

    assert made["id"] == "resp_1"
    assert made["object"] == "response"
    assert made["created_at"] == 1700000000
    assert made["model"] == "m-2026"
    assert made["service_tier"] == "default"


def test_a_response_repeats_its_request() -> None:
    """The fields that the API repeats are the client's own, tools in the client's form."""
    asked = {
        "instructions": "i",
        "max_output_tokens": 5,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "prompt_cache_key": "k",
        "reasoning": {"effort": "low"},
        "safety_identifier": "s",
        "temperature": 0.5,
        "tool_choice": {"type": "custom", "name": "patch"},
        "tools": TOOLS,
        "top_p": 0.5,
        "truncation": "auto",
        "user": "u",
    }
    made = answer(completion({"content": "hi"}), **asked, text={"verbosity": "low"})

    assert {name: made[name] for name in asked} == asked
    assert made["text"] == {"format": {"type": "text"}, "verbosity": "low"}


def test_a_response_has_the_usual_values_of_what_was_not_asked() -> None:
    """Where the request is silent, the response says what is done then."""
    made = answer(completion({"content": "hi"}), tools=None)

    assert made["tools"] == []
    assert made["tool_choice"] == "auto"
    assert made["parallel_tool_calls"] is True
    assert made["metadata"] == {}
    assert made["error"] is None
    assert made["previous_response_id"] is None


def test_responses_do_not_share_what_a_caller_may_change() -> None:
    """What a caller puts into one response is not in the next."""
    answer(completion({"content": "hi"}))["metadata"]["a"] = "b"

    assert answer(completion({"content": "hi"}))["metadata"] == {}


def test_probabilities_come_when_asked_for() -> None:
    """`include` and `top_logprobs` ask for them; else they are not sent."""
    document = completion({"content": "hi"})
    document["choices"][0]["logprobs"] = {"content": [TOKEN, {"odd": 1}]}
    asked = answer(document, include=["message.output_text.logprobs"])

    assert asked["output"][0]["content"][0]["logprobs"] == [TOKEN | {"bytes": []}]
    assert answer(document)["output"][0]["content"][0]["logprobs"] == []


GARBAGE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no choices": {"choices": []},
    "odd choices": {"choices": "x"},
    "an odd choice": {"choices": [3]},
    "an odd message": {"choices": [{"message": 3}]},
    "odd fields": {
        "id": 3,
        "created": "now",
        "model": None,
        "usage": [],
        "choices": [
            {
                "finish_reason": {},
                "logprobs": 3,
                "message": {
                    "content": 3,
                    "refusal": 3,
                    "annotations": [3, {"url_citation": {"url": 3}}],
                    "tool_calls": [3, {}, {"function": 3}, {"function": {"name": [3]}}],
                },
            }
        ],
    },
}


@pytest.mark.parametrize("document", GARBAGE.values(), ids=GARBAGE)
def test_what_cannot_be_read_is_left_out(document: dict[str, Any]) -> None:
    """Whatever a provider answers, the client gets a Response."""
    made = answer(document, top_logprobs=2)

    assert made["output"] == []
    assert made["model"] == "m"
