"""What holds of every conversation that a Responses client may send, and of what is none."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import TypeAdapter

from plano_filters.errors import BadRequest
from plano_filters.translation import Outgoing, Traits
from plano_filters.translation.responses_to_chat import translate

MESSAGE: TypeAdapter[Any] = TypeAdapter(ChatCompletionMessageParam)
TOOL: TypeAdapter[Any] = TypeAdapter(ChatCompletionToolParam)
TEXT = st.text(max_size=8)
TRAITS = st.builds(
    Traits,
    max_tokens_field=st.sampled_from(["max_completion_tokens", "max_tokens"]),
    developer_role=st.booleans(),
    stream_usage=st.booleans(),
    reasoning_content=st.booleans(),
    cache_breakpoints=st.booleans(),
)
PART = st.one_of(
    st.builds(lambda text: {"type": "input_text", "text": text}, TEXT),
    st.just({"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "auto"}),
    st.just({"type": "input_file", "file_data": "data:application/pdf;base64,AA"}),
)
ROLES = st.sampled_from(["user", "assistant", "system", "developer"])


def answered(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": [part]}


def thought(text: str) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": text}]
    return {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": None}


SAID = st.one_of(
    st.builds(lambda role, text: {"role": role, "content": text}, ROLES, TEXT),
    st.builds(
        lambda parts: {"type": "message", "role": "user", "content": parts},
        st.lists(PART, min_size=1, max_size=3),
    ),
    st.builds(answered, TEXT),
    st.builds(thought, TEXT),
    st.just({"type": "web_search_call", "id": "ws_1", "status": "completed"}),
)
NAMES = st.sampled_from(["look", "patch", "fs", "x" * 70])
OUTPUT = TEXT | st.lists(PART, min_size=1, max_size=2)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw items in which every call has one output, somewhere behind it."""
    items: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    for at in range(draw(st.integers(1, 8))):
        what = draw(st.sampled_from(["say", "call", "custom", "answer"]))
        if what == "say" or (what == "answer" and not waiting):
            items.append(draw(SAID))
        elif what == "answer":
            items.append(waiting.pop(draw(st.integers(0, len(waiting) - 1))))
        else:
            kind = "custom_tool_call" if what == "custom" else "function_call"
            call = {"type": kind, "call_id": f"c{at}", "name": draw(NAMES)}
            call |= {"input": draw(TEXT)} if what == "custom" else {"arguments": "{}"}
            if draw(st.booleans()):
                call["namespace"] = draw(NAMES)
            items.append(call)
            output = {"type": f"{kind}_output", "call_id": f"c{at}", "output": draw(OUTPUT)}
            waiting.append(output)
    return [*items, *waiting]


TOOLS = st.lists(
    st.one_of(
        st.builds(lambda name: {"type": "function", "name": name, "parameters": {}}, NAMES),
        st.builds(lambda name: {"type": "custom", "name": name}, NAMES),
        st.builds(
            lambda name, members: {
                "type": "namespace",
                "name": name,
                "description": "d",
                "tools": [{"type": "function", "name": member} for member in members],
            },
            NAMES,
            st.lists(NAMES, max_size=2),
        ),
        st.just({"type": "web_search"}),
    ),
    max_size=4,
)


@given(items=conversations(), tools=TOOLS, traits=TRAITS)
def test_every_conversation_is_one_that_chat_allows(
    items: list[dict[str, Any]], tools: list[dict[str, Any]], traits: Traits
) -> None:
    """Messages are the SDK's; each call's output stands directly after its message, once."""
    body = {"input": [{"role": "user", "content": "hi"}, *items], "tools": tools}
    before = json.dumps(body)
    messages = translate(body, traits).payload["messages"]

    for message in messages:
        MESSAGE.validate_python(message)
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            assert message["tool_call_id"] == waiting.pop(0)
            continue
        assert not waiting
        waiting = [call["id"] for call in message.get("tool_calls", [])]
        for call in message.get("tool_calls", []):
            assert len(call["function"]["name"]) <= 64
            json.loads(call["function"]["arguments"])
        assert message["content"] is not None or message["tool_calls"]
    assert not waiting
    assert json.dumps(body) == before


@given(items=conversations(), tools=TOOLS, traits=TRAITS)
def test_nothing_is_lost_unlisted(
    items: list[dict[str, Any]], tools: list[dict[str, Any]], traits: Traits
) -> None:
    """Every text, call and output reaches the provider or is listed."""
    body = {"input": [{"role": "user", "content": "hi"}, *items], "tools": tools}
    outgoing = translate(body, traits)
    sent = json.dumps(outgoing.payload, ensure_ascii=False)

    for item in body["input"]:
        if item.get("content") and isinstance(item["content"], str):
            assert json.dumps(item["content"], ensure_ascii=False) in sent
        if item.get("type", "").endswith("call") and "call_id" in item:
            assert sent.count(f'"id": "{item["call_id"]}"') == 1
    for tool in outgoing.payload.get("tools", []):
        TOOL.validate_python(tool)
    names = [tool["function"]["name"] for tool in outgoing.payload.get("tools", [])]
    assert len(set(names)) == len(names)
    listed = [path for path in outgoing.dropped if path.startswith("tools.")]
    members = [one for tool in tools for one in tool.get("tools", [tool])]
    assert len(names) + len(listed) == len(members)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
KINDS = st.sampled_from([
    "message", "function_call", "function_call_output", "custom_tool_call", "input_text",
    "custom_tool_call_output", "reasoning", "item_reference", "additional_tools", "function",
    "custom", "namespace", "allowed_tools", "json_schema", "input_image", "input_file", "odd",
])  # fmt: skip
FIELDS = st.sampled_from([
    "role", "content", "call_id", "name", "arguments", "input", "output", "tools", "summary",
    "namespace", "format", "mode", "text", "image_url", "file_data", "description", "schema",
    "id", "effort", "definition", "detail",
])  # fmt: skip
ODD = st.recursive(
    JSON | st.sampled_from(["user", "assistant", "c"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.builds(
            lambda kind, fields: {"type": kind, **fields},
            KINDS | JSON,
            st.dictionaries(FIELDS, inner, max_size=4),
        )
    ),
    max_leaves=12,
)

PARAMETERS = (
    "model", "instructions", "tools", "tool_choice", "text", "reasoning", "include", "stream",
    "stream_options", "prompt_cache_options", "top_logprobs", "metadata",
)  # fmt: skip


@given(
    body=st.fixed_dictionaries(
        {"input": ODD},
        optional=dict.fromkeys(PARAMETERS, ODD),
    ),
    traits=TRAITS,
)
def test_no_body_raises_anything_but_a_bad_request(body: dict[str, Any], traits: Traits) -> None:
    """Whatever a client sends is translated, or refused with the field's name."""
    try:
        outgoing = translate(body, traits)
    except BadRequest as refused:
        named = refused.param
    else:
        named = "nothing"
        check(outgoing)
    assert named


def check(outgoing: Outgoing) -> None:
    """Check what holds of every request that is sent."""
    assert outgoing.payload["messages"]
    assert len(set(outgoing.dropped)) == len(outgoing.dropped)
    outgoing.answers.whole({"choices": [{"message": {"content": "hi"}}]})
