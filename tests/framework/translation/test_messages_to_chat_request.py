"""Requests of Anthropic clients, as a chat provider gets them."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import pytest

from plano_filters.errors import BadRequest
from plano_filters.translation import Traits
from plano_filters.translation.messages_to_chat import translate
from plano_filters.translation.messages_to_chat.schema import is_strict
from tests.framework.translation.chat_rules import refusals

PLAIN = Traits()
CACHING = Traits(cache_breakpoints=True)
EPHEMERAL = {"type": "ephemeral"}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}
PNG_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}
PDF = {
    "type": "document",
    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
}
PDF_DATA = "data:application/pdf;base64,JVBE"
HI = {"role": "user", "content": "hi"}
CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
TOOL = {"name": "look", "description": "Looks.", "input_schema": OPEN}
FUNCTION = {
    "type": "function",
    "function": {"name": "look", "description": "Looks.", "parameters": OPEN},
}
SERVER_TOOL = {"type": "web_search_20250305", "name": "web_search"}


def text(value: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": value, **more}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def use(call_id: str = "t1", name: str = "look", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def result(content: Any, call_id: str = "t1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def call(call_id: str = "t1", name: str = "look", arguments: str = "{}") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def calling(*calls: dict[str, Any], content: Any = None) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls or [call()])}


def tool(content: Any, call_id: str = "t1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def said(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


FROM_T1 = text("From the result of the tool call t1:")
SEE = "[the image is in the next user message]"

MESSAGES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], tuple[str, ...]]] = {
    "user-string": ([HI], [HI], ()),
    "user-one-text-block": ([user(text("hi"))], [HI], ()),
    "user-text-blocks": (
        [user(text("a"), text("b"))], [said(text("a"), text("b"))], ()),
    "empty-text-block": ([user(text(""), text("hi"))], [HI], ()),
    "same-roles-merge": (
        [HI, user(text("b"))], [said(text("hi"), text("b"))], ()),
    "image-base64": ([user(PNG)], [said(PNG_PART)], ()),
    "image-url": (
        [user({"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}})],
        [said({"type": "image_url", "image_url": {"url": "https://x.test/a.png"}})], ()),
    "document-pdf": (
        [user(PDF)],
        [said({"type": "file", "file": {"filename": "document.pdf", "file_data": PDF_DATA}})], ()),
    "document-title-context-citations": (
        [user({**PDF, "title": "a.pdf", "context": "old", "citations": {"enabled": True}})],
        [said(text("old"), {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF_DATA}})],
        ("messages.0.content.0.citations",)),
    "document-text": (
        [user({"type": "document", "title": "T", "source": {
            "type": "text", "media_type": "text/plain", "data": "body"}})],
        [said(text("T"), text("body"))], ()),
    "document-content": (
        [user({"type": "document", "source": {"type": "content", "content": [text("a"), PNG]}})],
        [said(text("a"), PNG_PART)], ()),
    "search-result": (
        [user({"type": "search_result", "title": "T", "source": "S", "content": [text("a")]})],
        [said(text("T"), text("S"), text("a"))], ()),
    "system-in-the-middle": (
        [HI, {"role": "system", "content": [text("now")]}, assistant(text("ok"))],
        [HI, {"role": "system", "content": "now"}, {"role": "assistant", "content": "ok"}], ()),
    "assistant-text-blocks": (
        [HI, assistant(text("a"), text("b"))], [HI, {"role": "assistant", "content": "ab"}], ()),
    "assistant-citations": (
        [HI, assistant(text("a", citations=[{"type": "char_location"}]))],
        [HI, {"role": "assistant", "content": "a"}], ("messages.1.content.0.citations",)),
    "assistant-null-citations": (
        [HI, assistant(text("a", citations=None))], [HI, {"role": "assistant", "content": "a"}],
        ()),
    "assistant-thinking": (
        [HI, assistant({"type": "thinking", "thinking": "hm", "signature": "s"}, text("a"))],
        [HI, {"role": "assistant", "content": "a"}], ("messages.1.content.0",)),
    "assistant-redacted-thinking": (
        [HI, assistant({"type": "redacted_thinking", "data": "s"}, text("a"))],
        [HI, {"role": "assistant", "content": "a"}], ("messages.1.content.0",)),
    "assistant-server-tool": (
        [HI, assistant(
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}, text("a"))],
        [HI, {"role": "assistant", "content": "a"}],
        ("messages.1.content.0", "messages.1.content.1")),
    "tool-use": (
        [HI, assistant(text("so"), use(city="Köln")), user(result("warm"))],
        [HI, calling(call(arguments='{"city":"Köln"}'), content="so"), tool("warm")], ()),
    "tool-use-alone": (
        [HI, assistant(use()), user(result("warm"))], [HI, calling(), tool("warm")], ()),
    "tool-result-blocks": (
        [HI, assistant(use()), user(result([text("a"), text("b")]))],
        [HI, calling(), tool("a\nb")], ()),
    "tool-result-empty": (
        [HI, assistant(use()), user(result(None))], [HI, calling(), tool("")], ()),
    "tool-result-error": (
        [HI, assistant(use()), user(result("no such city", is_error=True))],
        [HI, calling(), tool("Error: no such city")], ()),
    "tool-result-error-empty": (
        [HI, assistant(use()), user(result([], is_error=True))],
        [HI, calling(), tool("Error")], ()),
    "tool-result-no-error": (
        [HI, assistant(use()), user(result("a", is_error=False))], [HI, calling(), tool("a")], ()),
    "tool-results-before-text": (
        [HI, assistant(use()), user(text("also"), result("a"), text("this"))],
        [HI, calling(), tool("a"), said(text("also"), text("this"))], ()),
    "tool-results-of-two-messages": (
        [HI, assistant(use(), use("t2")), user(result("a"), text("x")), user(result("b", "t2"))],
        [HI, calling(call(), call("t2")), tool("a"), tool("b", "t2"),
         {"role": "user", "content": "x"}], ()),
    "system-between-call-and-result": (
        [HI, assistant(use()), {"role": "system", "content": "now"}, user(result("a"))],
        [HI, calling(), tool("a"), {"role": "system", "content": "now"}], ()),
    "tool-result-image": (
        [HI, assistant(use()), user(result([text("see"), PNG]), text("what is it?"))],
        [HI, calling(), tool(f"see\n{SEE}"), said(FROM_T1, PNG_PART, text("what is it?"))], ()),
    "tool-result-images-of-two": (
        [HI, assistant(use(), use("t2")), user(result([PNG]), result([PNG], "t2"))],
        [HI, calling(call(), call("t2")), tool(SEE), tool(SEE, "t2"),
         said(FROM_T1, PNG_PART, text("From the result of the tool call t2:"), PNG_PART)], ()),
    "tool-result-document": (
        [HI, assistant(use()), user(result([PDF]))],
        [HI, calling(), tool("[the file is in the next user message]"), said(
            FROM_T1,
            {"type": "file", "file": {"filename": "document.pdf", "file_data": PDF_DATA}})], ()),
    "tool-result-reference": (
        [HI, assistant(use()), user(result([{"type": "tool_reference", "tool_name": "look"}]))],
        [HI, calling(), tool("look")], ()),
    "tool-use-caller": (
        [HI, assistant({**use(), "caller": {"type": "direct"}}), user(result("a"))],
        [HI, calling(), tool("a")], ("messages.1.content.0.caller",)),
    "cache-control": (
        [user(text("hi", cache_control=EPHEMERAL))], [HI], ("messages.0.content.0.cache_control",)),
    "unknown-message-field": ([{**HI, "name": "me"}], [HI], ("messages.0.name",)),
    "prefill": (
        [HI, assistant(text("{"))], [HI, {"role": "assistant", "content": "{"}], ()),
}  # fmt: skip


@pytest.mark.parametrize(("messages", "expected", "dropped"), MESSAGES.values(), ids=MESSAGES)
def test_a_conversation_becomes_chat_messages(
    messages: list[dict[str, Any]], expected: list[dict[str, Any]], dropped: tuple[str, ...]
) -> None:
    """Each rule for messages: what becomes of it, and what is listed as dropped."""
    payload = {"model": "m", "messages": messages}
    before = copy.deepcopy(payload)

    outgoing = translate(payload, PLAIN)

    assert outgoing.payload == {"model": "m", "messages": expected}
    assert outgoing.dropped == dropped
    assert refusals(outgoing.payload) == []
    assert payload == before


PARAMETERS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "max_tokens": ({"max_tokens": 9}, {"max_completion_tokens": 9}, ()),
    "stop_sequences": ({"stop_sequences": ["a", "b"]}, {"stop": ["a", "b"]}, ()),
    "stop_sequences-over-four": (
        {"stop_sequences": list("abcde")}, {"stop": list("abcd")}, ("stop_sequences.4",)),
    "stop_sequences-empty": ({"stop_sequences": [""]}, {}, ("stop_sequences.0",)),
    "temperature-top_p": ({"temperature": 0, "top_p": 0.5}, {"temperature": 0, "top_p": 0.5}, ()),
    "top_k": ({"top_k": 4}, {}, ("top_k",)),
    "stream": (
        {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}, ()),
    "no-stream": ({"stream": False}, {"stream": False}, ()),
    "budget-low": (
        {"thinking": {"type": "enabled", "budget_tokens": 3_999}}, {"reasoning_effort": "low"}, ()),
    "budget-medium": (
        {"thinking": {"type": "enabled", "budget_tokens": 4_000}},
        {"reasoning_effort": "medium"}, ()),
    "budget-high": (
        {"thinking": {"type": "enabled", "budget_tokens": 16_000}},
        {"reasoning_effort": "high"}, ()),
    "thinking-adaptive": ({"thinking": {"type": "adaptive"}}, {}, ("thinking",)),
    "thinking-adaptive-with-effort": (
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}},
        {"reasoning_effort": "xhigh"}, ()),
    "thinking-disabled": ({"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"}, ()),
    "thinking-disabled-with-effort": (
        {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
        {"reasoning_effort": "none"}, ("output_config.effort",)),
    "effort-before-budget": (
        {"thinking": {"type": "enabled", "budget_tokens": 9}, "output_config": {"effort": "max"}},
        {"reasoning_effort": "max"}, ("thinking.budget_tokens",)),
    "thinking-display": (
        {"thinking": {"type": "enabled", "budget_tokens": 9, "display": "omitted"}},
        {"reasoning_effort": "low"}, ("thinking.display",)),
    "format-strict": (
        {"output_config": {"format": {"type": "json_schema", "schema": CLOSED}}},
        {"response_format": {"type": "json_schema", "json_schema": {
            "name": "answer", "schema": CLOSED, "strict": True}}}, ()),
    "format-loose": (
        {"output_config": {"format": {"type": "json_schema", "schema": OPEN}}},
        {"response_format": {"type": "json_schema", "json_schema": {
            "name": "answer", "schema": OPEN, "strict": False}}},
        ("output_config.format.schema",)),
    "format-of-the-beta": (
        {"output_format": {"type": "json_schema", "schema": CLOSED}},
        {"response_format": {"type": "json_schema", "json_schema": {
            "name": "answer", "schema": CLOSED, "strict": True}}}, ()),
    "task-budget": (
        {"output_config": {"task_budget": {"total": 9}}}, {}, ("output_config.task_budget",)),
    "user_id": (
        {"metadata": {"user_id": "u" * 150, "team": "x"}},
        {"safety_identifier": hashlib.sha256(b"u" * 150).hexdigest()}, ("metadata.team",)),
    "service_tier-auto": ({"service_tier": "auto"}, {"service_tier": "auto"}, ()),
    "service_tier-standard": ({"service_tier": "standard_only"}, {"service_tier": "default"}, ()),
    "service_tier-unknown": ({"service_tier": "gold"}, {}, ("service_tier",)),
    "of-anthropic-only": (
        {"context_management": {"edits": [1]}, "mcp_servers": [{}], "container": "c",
         "diagnostics": {"a": 1}, "speed": "fast", "inference_geo": "eu",
         "cache_control": EPHEMERAL, "never_heard_of": 1},
        {},
        ("context_management", "mcp_servers", "container", "diagnostics", "speed",
         "inference_geo", "cache_control", "never_heard_of")),
    "nulls-say-nothing": (
        {"temperature": None, "stop_sequences": None, "thinking": None, "metadata": None,
         "tools": None, "tool_choice": None, "container": None, "system": None}, {}, ()),
    "tools": ({"tools": [TOOL]}, {"tools": [FUNCTION]}, ()),
    "tool-type-custom": ({"tools": [{**TOOL, "type": "custom"}]}, {"tools": [FUNCTION]}, ()),
    "tool-strict": (
        {"tools": [{"name": "look", "input_schema": CLOSED, "strict": True}]},
        {"tools": [{"type": "function", "function": {
            "name": "look", "parameters": CLOSED, "strict": True}}]}, ()),
    "tool-strict-about-what-cannot-be": (
        {"tools": [{**TOOL, "strict": True}]}, {"tools": [FUNCTION]}, ("tools.0.strict",)),
    "tool-not-strict": ({"tools": [{**TOOL, "strict": False}]}, {"tools": [FUNCTION]}, ()),
    "tool-extras": (
        {"tools": [{**TOOL, "cache_control": EPHEMERAL, "defer_loading": True}]},
        {"tools": [FUNCTION]}, ("tools.0.cache_control", "tools.0.defer_loading")),
    "server-tools": ({"tools": [SERVER_TOOL, TOOL]}, {"tools": [FUNCTION]}, ("tools.0",)),
    "server-tools-alone": (
        {"tools": [SERVER_TOOL], "tool_choice": {"type": "auto"}}, {}, ("tools.0", "tool_choice")),
    "choice-auto": (
        {"tools": [TOOL], "tool_choice": {"type": "auto"}},
        {"tools": [FUNCTION], "tool_choice": "auto"}, ()),
    "choice-any": (
        {"tools": [TOOL], "tool_choice": {"type": "any"}},
        {"tools": [FUNCTION], "tool_choice": "required"}, ()),
    "choice-none": (
        {"tools": [TOOL], "tool_choice": {"type": "none"}},
        {"tools": [FUNCTION], "tool_choice": "none"}, ()),
    "choice-tool": (
        {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "look"}},
        {"tools": [FUNCTION],
         "tool_choice": {"type": "function", "function": {"name": "look"}}}, ()),
    "one-call-at-a-time": (
        {"tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        {"tools": [FUNCTION], "tool_choice": "auto", "parallel_tool_calls": False}, ()),
}  # fmt: skip


@pytest.mark.parametrize(("given", "expected", "dropped"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters_become_those_of_chat_completions(
    given: dict[str, Any], expected: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    """Each rule for parameters and tools."""
    outgoing = translate({"model": "m", "messages": [HI], **given}, PLAIN)

    assert outgoing.payload == {"model": "m", "messages": [HI], **expected}
    assert outgoing.dropped == dropped
    assert refusals(outgoing.payload) == []


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        ({"type": "object", "properties": {}, "additionalProperties": False}, True),
        ({**CLOSED, "properties": {"a": {"type": "array", "items": CLOSED}}}, True),
        (OPEN, False),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "required": None}, False),
        ({**CLOSED, "properties": {"a": {"anyOf": [OPEN, {"type": "null"}]}}}, False),
        ({**CLOSED, "$defs": {"b": {"type": "object"}}}, False),
        ({**CLOSED, "properties": {"a": {"type": "string", "default": "x"}}}, False),
        ({"anyOf": [CLOSED]}, False),
        ({"type": "array", "items": CLOSED}, False),
    ],
)
def test_a_schema_is_strict_if_openai_takes_it_so(schema: dict[str, Any], strict: bool) -> None:
    """All objects are closed and nothing is optional; else OpenAI would refuse the request."""
    assert is_strict(schema) is strict


@pytest.mark.parametrize(
    ("system", "expected"),
    [("be brief", "be brief"), ([text("be"), text(""), text("brief")], "be\n\nbrief")],
    ids=["string", "blocks"],
)
def test_the_system_prompt_is_the_first_message(system: object, expected: str) -> None:
    """One leading message, its blocks joined by a blank line."""
    outgoing = translate({"model": "m", "system": system, "messages": [HI]}, PLAIN)

    assert outgoing.payload["messages"] == [{"role": "system", "content": expected}, HI]


TRAITS: dict[str, tuple[Traits, dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "field-of-the-limit": (
        Traits(max_tokens_field="max_tokens"), {"max_tokens": 9}, {"max_tokens": 9}, ()),
    "limit-of-the-model": (
        Traits(max_tokens=5), {"max_tokens": 9}, {"max_completion_tokens": 5}, ("max_tokens",)),
    "limit-below-the-models": (
        Traits(max_tokens=9), {"max_tokens": 9}, {"max_completion_tokens": 9}, ()),
    "no-usage-in-streams": (Traits(stream_usage=False), {"stream": True}, {"stream": True}, ()),
}  # fmt: skip


@pytest.mark.parametrize(("traits", "given", "expected", "dropped"), TRAITS.values(), ids=TRAITS)
def test_a_provider_gets_what_it_knows(
    traits: Traits, given: dict[str, Any], expected: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    """What differs between providers is asked of the traits."""
    outgoing = translate({"model": "m", "messages": [HI], **given}, traits)

    assert outgoing.payload == {"model": "m", "messages": [HI], **expected}
    assert outgoing.dropped == dropped


def test_cache_breakpoints_stay_where_the_provider_knows_them() -> None:
    """At the end of the same text; for how long is the provider's to say."""
    hour = {"type": "ephemeral", "ttl": "1h"}
    payload = {
        "model": "m",
        "system": [text("a"), text("b", cache_control=EPHEMERAL)],
        "messages": [
            user(text("hi", cache_control=hour)),
            assistant(use()),
            user(result("x", cache_control=EPHEMERAL)),
        ],
    }
    marked = {"prompt_cache_breakpoint": {"mode": "explicit"}}

    outgoing = translate(payload, CACHING)

    assert [message["content"] for message in outgoing.payload["messages"]] == [
        [text("a"), text("b", **marked)],
        [text("hi", **marked)],
        None,
        [text("x", **marked)],
    ]
    assert outgoing.dropped == ("messages.0.content.0.cache_control.ttl",)


def test_thoughts_return_to_a_provider_that_wants_them() -> None:
    """As `reasoning_content`; a signature is Anthropic's own."""
    thinking = {"type": "thinking", "thinking": "hm", "signature": ""}
    signed = {"type": "thinking", "thinking": "so", "signature": "s"}
    payload = {"model": "m", "messages": [HI, assistant(thinking, signed, text("a"))]}

    outgoing = translate(payload, Traits(reasoning_content=True))

    assert outgoing.payload["messages"][1] == {
        "role": "assistant", "content": "a", "reasoning_content": "hmso",
    }  # fmt: skip
    assert outgoing.dropped == ("messages.1.content.1.signature",)


def test_a_long_tool_name_is_shortened_everywhere_and_restored() -> None:
    """Chat completions take 64 characters, Anthropic 128, and tools of MCP servers use them."""
    long = "mcp__" + "x" * 100
    payload = {
        "model": "m",
        "messages": [HI, assistant(use(name=long)), user(result("a"))],
        "tools": [{"name": long, "input_schema": OPEN}, {"name": long + "y", "input_schema": OPEN}],
        "tool_choice": {"type": "tool", "name": long},
    }

    outgoing = translate(payload, PLAIN)

    first, second = (tool["function"]["name"] for tool in outgoing.payload["tools"])
    assert refusals(outgoing.payload) == []
    assert first != second
    assert outgoing.payload["tool_choice"]["function"]["name"] == first
    assert outgoing.payload["messages"][1]["tool_calls"][0]["function"]["name"] == first
    answer = {"choices": [{"message": {"tool_calls": [call(name=first)]}}]}
    assert outgoing.answers.whole(answer)["content"][0]["name"] == long


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no-messages": ({"messages": None}, "messages"),
    "empty-messages": ({"messages": []}, "messages"),
    "only-system": ({"messages": [{"role": "system", "content": "a"}]}, "messages"),
    "only-empty-text": ({"messages": [user(text(""))]}, "messages"),
    "role": ({"messages": [{"role": "tool", "content": "a"}]}, "messages.0.role"),
    "message-no-object": ({"messages": ["hi"]}, "messages.0.role"),
    "no-content": ({"messages": [{"role": "user"}]}, "messages.0.content"),
    "block-no-object": ({"messages": [user("hi")]}, "messages.0.content.0"),  # type: ignore[arg-type]
    "text-no-string": ({"messages": [user(text(1))]}, "messages.0.content.0.text"),  # type: ignore[arg-type]
    "image-by-file-id": (
        {"messages": [user({"type": "image", "source": {"type": "file", "file_id": "f"}})]},
        "messages.0.content.0.source"),
    "document-by-url": (
        {"messages": [user({"type": "document", "source": {"type": "url", "url": "https://x"}})]},
        "messages.0.content.0.source"),
    "container-upload": (
        {"messages": [user({"type": "container_upload", "file_id": "f"})]}, "messages.0.content.0"),
    "image-of-the-assistant": ({"messages": [HI, assistant(PNG)]}, "messages.1.content.0"),
    "system-image": ({"system": [PNG]}, "system.0"),
    "result-without-call": (
        {"messages": [HI, user(result("a"))]}, "messages.1.content.0.tool_use_id"),
    "result-twice": (
        {"messages": [HI, assistant(use()), user(result("a"), result("b"))]},
        "messages.2.content.1.tool_use_id"),
    "call-without-result": (
        {"messages": [HI, assistant(use()), HI, assistant(text("a"))]}, "messages.1.content.0"),
    "call-at-the-end": ({"messages": [HI, assistant(use())]}, "messages.1.content.0"),
    "two-calls-of-one-id": (
        {"messages": [HI, assistant(use(), use()), user(result("a"))]}, "messages.1.content.1.id"),
    "input-no-object": (
        {"messages": [HI, assistant({**use(), "input": "{}"})]}, "messages.1.content.0.input"),
    "max_tokens": ({"max_tokens": 0}, "max_tokens"),
    "stop_sequences": ({"stop_sequences": "a"}, "stop_sequences"),
    "user_id": ({"metadata": {"user_id": 1}}, "metadata.user_id"),
    "thinking": ({"thinking": "yes"}, "thinking"),
    "format": ({"output_config": {"format": {"type": "yaml"}}}, "output_config.format"),
    "tools": ({"tools": {}}, "tools"),
    "tool-no-object": ({"tools": ["look"]}, "tools.0"),
    "tool-without-name": ({"tools": [{"input_schema": OPEN}]}, "tools.0.name"),
    "tool-description": (
        {"tools": [{**TOOL, "description": 1}]}, "tools.0.description"),
    "tool-without-schema": ({"tools": [{"name": "a"}]}, "tools.0.input_schema"),
    "choice-unknown": ({"tools": [TOOL], "tool_choice": {"type": "all"}}, "tool_choice.type"),
    "choice-of-a-server-tool": (
        {"tools": [SERVER_TOOL], "tool_choice": {"type": "tool", "name": "web_search"}},
        "tool_choice"),
    "choice-of-a-dropped-tool": (
        {"tools": [SERVER_TOOL, TOOL], "tool_choice": {"type": "tool", "name": "web_search"}},
        "tool_choice.name"),
    "choice-any-of-none": ({"tool_choice": {"type": "any"}}, "tool_choice"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "param"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_said_is_refused_by_name(given: dict[str, Any], param: str) -> None:
    """A 400 that names the field, and does not repeat what was in it."""
    with pytest.raises(BadRequest) as caught:
        translate({"model": "m", "messages": [HI], **given}, PLAIN)

    assert caught.value.param == param
