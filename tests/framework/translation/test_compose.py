"""Every pair of dialects, and the translation that takes two steps."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from plano_filters.dialect import Dialect
from plano_filters.errors import BadRequest
from plano_filters.translation import Outgoing, Traits, translator
from tests.framework.translation.responses_events import check_response, check_stream
from tests.framework.translation.test_responses_to_chat_conversations import (
    TOOLS,
    conversations,
)

PNG = "data:image/png;base64,iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
DIALECTS: tuple[Dialect, ...] = ("chat", "responses", "messages", "embeddings")
PAIRS = {
    ("chat", "messages"), ("messages", "chat"), ("responses", "chat"), ("responses", "messages"),
}  # fmt: skip


@pytest.mark.parametrize("provider", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
def test_each_pair_has_a_translator_or_none(client: Dialect, provider: Dialect) -> None:
    """Four pairs are translated; the same dialect is none of them."""
    assert (translator(client, provider) is not None) == ((client, provider) in PAIRS)


def translated(body: dict[str, Any], traits: Traits | None = None) -> Outgoing:
    """Return a Responses request as a provider of Messages gets it."""
    translate = translator("responses", "messages")
    assert translate is not None
    return translate({"model": "m", **body}, traits or Traits())


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def test_a_request_goes_all_the_way() -> None:
    """Instructions, turns, tools, calls, outputs and images arrive in Anthropic's form."""
    outgoing = translated(
        {
            "instructions": "be kind",
            "input": [
                {"role": "developer", "content": "be brief"},
                user(
                    {"type": "input_text", "text": "what is it?"},
                    {"type": "input_image", "image_url": PNG, "detail": "high"},
                ),
                {"type": "reasoning", "id": "rs_1", "summary": []},
                {
                    "type": "function_call",
                    "call_id": "c1",
                    "namespace": "fs",
                    "name": "read",
                    "arguments": '{"city":"Rome"}',
                },
                {"type": "function_call_output", "call_id": "c1", "output": "sun"},
            ],
            "tools": [
                {
                    "type": "namespace",
                    "name": "fs",
                    "description": "d",
                    "tools": [{"type": "function", "name": "read", "parameters": SCHEMA}],
                },
                {"type": "web_search"},
            ],
            "tool_choice": "required",
            "parallel_tool_calls": False,
            "max_output_tokens": 50,
            "stream": True,
            "store": False,
            "prompt_cache_key": "k",
            "include": ["reasoning.encrypted_content"],
        }
    )

    image = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    assert outgoing.payload["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "what is it?"},
                {"type": "image", "source": image},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "c1", "name": "fs__read", "input": {"city": "Rome"}}
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "sun"}],
        },
    ]
    assert "be kind" in json.dumps(outgoing.payload["system"])
    assert "be brief" in json.dumps(outgoing.payload["system"])
    assert [tool["name"] for tool in outgoing.payload["tools"]] == ["fs__read"]
    assert outgoing.payload["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert outgoing.payload["max_tokens"] == 50
    assert outgoing.payload["stream"] is True
    assert outgoing.dropped == (
        "include.0",
        "tools.1",
        "input.2",
        "input.1.content.1.detail",
        "prompt_cache_key",
    )


WORDS = {
    "reasoning": ({"reasoning": {"effort": "low"}}, "output_config", {"effort": "low"}),
    "cache": (
        {
            "input": [
                user(
                    {
                        "type": "input_text",
                        "text": "hi",
                        "prompt_cache_breakpoint": {"mode": "explicit"},
                    }
                )
            ]
        },
        "messages",
        [
            {
                "role": "user",
                "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}],
            }
        ],
    ),
    "user": ({"user": "u"}, "metadata", {"user_id": "u"}),
}


@pytest.mark.parametrize(("body", "name", "made"), WORDS.values(), ids=WORDS)
def test_the_form_in_the_middle_loses_nothing(body: dict[str, Any], name: str, made: Any) -> None:
    """What both ends have a word for arrives, whatever chat providers know."""
    poor = Traits(developer_role=False, stream_usage=False, max_tokens_field="max_tokens")
    outgoing = translated({"input": "hi", **body}, poor)

    assert outgoing.payload[name] == made
    assert outgoing.dropped == ()


LISTED = {
    "verbosity": ({"text": {"verbosity": "low"}}, ("text.verbosity",)),
    "top_logprobs": ({"top_logprobs": 2}, ("top_logprobs",)),
    "logprobs": ({"include": ["message.output_text.logprobs"]}, ("include",)),
    "service_tier": ({"service_tier": "flex"}, ("service_tier",)),
    "moderation": ({"moderation": {"model": "m"}}, ("moderation",)),
}


@pytest.mark.parametrize(("body", "dropped"), LISTED.values(), ids=LISTED)
def test_what_the_second_step_drops_has_the_clients_name(
    body: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    """A client is not told of chat's parameters, which it did not send."""
    assert translated({"input": "hi", **body}).dropped == dropped


GIF = "data:image/tiff;base64,AA"
REFUSED = {
    "sound": (
        {
            "input": [
                {"role": "developer", "content": "d"},
                user({"type": "input_audio", "input_audio": {"data": "A", "format": "wav"}}),
            ]
        },
        "input.1.content.0",
    ),
    "an image of another type": (
        {
            "input": [
                user(
                    {"type": "input_text", "text": "a"},
                    {"type": "input_image", "image_url": GIF},
                )
            ]
        },
        "input.0.content.1.url",
    ),
    "an image of another type as an output": (
        {
            "input": [
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {
                    "type": "function_call_output",
                    "call_id": "c",
                    "output": [{"type": "input_image", "image_url": GIF}],
                },
            ]
        },
        "input.1.output",
    ),
    "an effort nobody knows": ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
    "a limit that is none": ({"max_output_tokens": "many"}, "max_output_tokens"),
    "a schema that is none": (
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": 3}}},
        "text.format.schema",
    ),
    "a tool's schema that is none": (
        {"tools": [{"type": "web_search"}, {"type": "function", "name": "f", "parameters": 3}]},
        "tools.1.parameters",
    ),
    "kept responses": ({"previous_response_id": "resp_1"}, "previous_response_id"),
}


@pytest.mark.parametrize(("body", "param"), REFUSED.values(), ids=REFUSED)
def test_what_the_second_step_refuses_has_the_clients_name(
    body: dict[str, Any], param: str
) -> None:
    """A 400 names the field that the client sent."""
    with pytest.raises(BadRequest) as caught:
        translated({"input": "hi", **body})

    assert caught.value.param == param


USAGE = {"input_tokens": 5, "cache_read_input_tokens": 4, "output_tokens": 3}
MEMBERS = [{"type": "function", "name": "read", "parameters": SCHEMA}]
ASKED = {
    "input": "hi",
    "reasoning": {"summary": "auto"},
    "tools": [
        {"type": "namespace", "name": "fs", "description": "d", "tools": MEMBERS},
        {"type": "custom", "name": "patch"},
    ],
}


def check_answer(made: dict[str, Any], base: str) -> None:
    """Check what became of a thought, a text and two calls."""
    check_response(made)
    assert made["id"] == f"resp_{base}"
    assert made["created_at"] > 0
    assert made["status"] == "completed"
    assert made["usage"]["input_tokens"] == 9
    assert made["usage"]["input_tokens_details"]["cached_tokens"] == 4
    assert made["usage"]["total_tokens"] == 12
    thought, said, read, patched = made["output"]
    assert thought["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert said["content"][0]["text"] == "hello"
    assert (read["namespace"], read["name"], read["call_id"]) == ("fs", "read", "t1")
    assert json.loads(read["arguments"]) == {"city": "Rome"}
    assert (patched["type"], patched["input"]) == ("custom_tool_call", "a\nb")


def test_a_whole_answer_comes_all_the_way_back() -> None:
    """A message of Anthropic's is a Response, with the client's names."""
    answer = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "hello"},
            {"type": "tool_use", "id": "t1", "name": "fs__read", "input": {"city": "Rome"}},
            {"type": "tool_use", "id": "t2", "name": "patch", "input": {"input": "a\nb"}},
        ],
        "stop_reason": "tool_use",
        "usage": USAGE,
    }

    check_answer(translated(ASKED).answers.whole(answer), "msg_1")


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of a content block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def calling(call_id: str, name: str, *pieces: str) -> tuple[dict[str, Any], ...]:
    start = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    return start, *deltas


STREAM = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
            "content": [], "usage": USAGE | {"output_tokens": 1},
        },
    },
    *block(
        0,
        {"type": "thinking", "thinking": ""},
        {"type": "thinking_delta", "thinking": "h"},
        {"type": "thinking_delta", "thinking": "m"},
        {"type": "signature_delta", "signature": "s"},
    ),
    {"type": "ping"},
    *block(
        1,
        {"type": "text", "text": ""},
        {"type": "text_delta", "text": "hel"},
        {"type": "text_delta", "text": "lo"},
    ),
    *block(2, *calling("t1", "fs__read", '{"ci', 'ty": "Rome"}')),
    *block(3, *calling("t2", "patch", '{"input": "a\\', 'nb"}')),
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
]  # fmt: skip


def test_a_stream_comes_all_the_way_back() -> None:
    """Anthropic's events are those of a Response; the usage of the end is in its last."""
    stream = translated({**ASKED, "stream": True}).answers.stream()
    events = [made for event in STREAM for made in stream.take(event)] + stream.finish()

    check_answer(check_stream(events), "msg_1")


def test_a_piece_of_text_is_sent_at_once() -> None:
    """Two steps hold nothing back."""
    stream = translated({"input": "hi", "stream": True}).answers.stream()
    for event in STREAM[:9]:
        stream.take(event)

    (delta,) = stream.take(STREAM[9])
    assert (delta["type"], delta["delta"]) == ("response.output_text.delta", "lo")


@given(items=conversations(), tools=TOOLS)
def test_every_conversation_goes_all_the_way_or_is_refused_by_the_clients_names(
    items: list[dict[str, Any]], tools: list[dict[str, Any]]
) -> None:
    """Results stand in the turn after their calls, and every path is one of the client's."""
    body = {"input": [{"role": "user", "content": "hi"}, *items], "tools": tools}
    outgoing = translated(body)
    messages = outgoing.payload["messages"]

    assert [turn["role"] for turn in messages] == [
        ("user", "assistant")[at % 2] for at in range(len(messages))
    ]
    waiting: list[str] = []
    for turn in messages:
        kinds = [part["type"] for part in turn["content"] if isinstance(part, dict)]
        results = kinds.count("tool_result")
        assert kinds[:results] == ["tool_result"] * results
        given_ = [part["tool_use_id"] for part in turn["content"][:results]]
        assert sorted(given_) == sorted(waiting)
        waiting = [part["id"] for part in turn["content"] if "input" in part]
    assert not waiting
    for path in outgoing.dropped:
        head, _, rest = path.partition(".")
        assert head in body
        assert int(rest.split(".")[0]) < len(body[head])
