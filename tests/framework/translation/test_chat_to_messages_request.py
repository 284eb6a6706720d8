"""Chat requests as a Messages API takes them: every rule, one row."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest

from plano_filters.errors import BadRequest
from plano_filters.translation import Outgoing, Traits
from plano_filters.translation.chat_to_messages import translate

OLD, NEW = Traits("2023-06-01"), Traits("2026-10-21")
HI = {"role": "user", "content": "Hi"}
HELLO = {"type": "text", "text": "Hi"}
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "It.", "parameters": {"type": "object"}},
}
WEATHER_TOOL = {"name": "weather", "description": "It.", "input_schema": {"type": "object"}}
PATCH: dict[str, Any] = {"type": "custom", "custom": {"name": "patch", "description": "Edits."}}
PATCH_TOOL = {
    "name": "patch",
    "input_schema": {
        "type": "object",
        "properties": {"input": {"type": "string"}},
        "required": ["input"],
    },
    "description": "Edits.",
}
PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"}


def ask(*messages: dict[str, Any], traits: Traits = OLD, **body: Any) -> Outgoing:
    """Translate a request, and see that the client's body stays as it is."""
    payload = {"model": "claude", "messages": list(messages or (HI,)), **body}
    before = copy.deepcopy(payload)
    outgoing = translate(payload, traits)

    assert payload == before
    return outgoing


def call(id_: str, name: str = "weather", arguments: str = "{}") -> dict[str, Any]:
    """Return a call as an assistant's message has it."""
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def use(id_: str, name: str = "weather", **given: Any) -> dict[str, Any]:
    """Return a call as a Messages API has it."""
    return {"type": "tool_use", "id": id_, "name": name, "input": given}


def called(*calls: dict[str, Any], content: Any = None) -> dict[str, Any]:
    """Return an assistant's message with calls."""
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def answered(id_: str, content: Any = "Sunny") -> dict[str, Any]:
    """Return a tool's message."""
    return {"role": "tool", "tool_call_id": id_, "content": content}


def result(id_: str, content: Any = "Sunny", **more: Any) -> dict[str, Any]:
    """Return a tool's result as a Messages API has it."""
    return {"type": "tool_result", "tool_use_id": id_, "content": content, **more}


def part(kind: str, value: Any, **more: Any) -> dict[str, Any]:
    """Return a user's message of one part."""
    return {"role": "user", "content": [{"type": kind, kind: value, **more}]}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    """Return a user's turn."""
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    """Return an assistant's turn."""
    return {"role": "assistant", "content": list(blocks)}


def text(value: str) -> dict[str, Any]:
    """Return a text block."""
    return {"type": "text", "text": value}


PARAMETERS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    # name of the rule: what the client sends, what the provider gets of it, what is dropped
    "max_completion_tokens": ({"max_completion_tokens": 9}, {"max_tokens": 9}, ()),
    "max_tokens": ({"max_tokens": 9}, {"max_tokens": 9}, ()),
    "max_completion_tokens before max_tokens": (
        {"max_tokens": 8, "max_completion_tokens": 9}, {"max_tokens": 9}, ("max_tokens",)
    ),
    "both limits the same": ({"max_tokens": 9, "max_completion_tokens": 9}, {"max_tokens": 9}, ()),
    "no limit": ({}, {"max_tokens": 4096}, ()),
    "null says nothing": ({"max_tokens": None, "stop": None, "n": None, "user": None},
                          {"max_tokens": 4096}, ()),
    "temperature": ({"temperature": 0.3}, {"temperature": 0.3}, ()),
    "temperature above 1": ({"temperature": 1.7}, {"temperature": 1}, ()),
    "temperature below 0": ({"temperature": -1}, {"temperature": 0}, ()),
    "temperature as usual": ({"temperature": 1}, {}, ()),
    "top_p": ({"top_p": 0.5}, {"top_p": 0.5}, ()),
    "top_k": ({"top_k": 5}, {"top_k": 5}, ()),
    "temperature before top_p": (
        {"temperature": 0.3, "top_p": 0.5}, {"temperature": 0.3}, ("top_p",)
    ),
    "temperature beside the usual top_p": (
        {"temperature": 0.3, "top_p": 1}, {"temperature": 0.3}, ()
    ),
    "no temperature for a model that thinks": (
        {"temperature": 0.3, "reasoning_effort": "low", "max_tokens": 9},
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}, "max_tokens": 9},
        ("temperature",),
    ),
    "a temperature for one that does not": (
        {"temperature": 0.3, "reasoning_effort": "none"},
        {"temperature": 0.3, "thinking": {"type": "disabled"}},
        (),
    ),
    "stop, a string": ({"stop": "END"}, {"stop_sequences": ["END"]}, ()),
    "stop, a list": ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}, ()),
    "stop, white space alone": ({"stop": "\n"}, {}, ("stop",)),
    "stop, white space among others": (
        {"stop": ["a", "\n\n", ""]}, {"stop_sequences": ["a"]}, ("stop.1",)
    ),
    "stream": ({"stream": True}, {"stream": True}, ()),
    "no stream": ({"stream": False}, {}, ()),
    "include_usage is ours": (
        {"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}, ()
    ),
    "include_obfuscation": (
        {"stream_options": {"include_obfuscation": True}}, {},
        ("stream_options.include_obfuscation",),
    ),
    "no obfuscation": ({"stream_options": {"include_obfuscation": False}}, {}, ()),
    "effort none": ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}, ()),
    "effort minimal": (
        {"reasoning_effort": "minimal", "max_tokens": 9},
        {"output_config": {"effort": "low"}, "max_tokens": 9}, (),
    ),
    **{
        f"effort {word}": (
            {"reasoning_effort": word, "max_tokens": 9},
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": word}, "max_tokens": 9},
            (),
        )
        for word in ("low", "medium", "high", "xhigh", "max")
    },
    "thinking, Anthropic's own": (
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 6096}, (),
    ),
    "text alone": ({"response_format": {"type": "text"}}, {}, ()),
    "json_object": (
        {"response_format": {"type": "json_object"}},
        {"system": "Answer with one valid JSON object and nothing else."}, (),
    ),
    "json_schema": (
        {"response_format": {"type": "json_schema", "json_schema": {
            "name": "x", "strict": True, "description": "One.",
            "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}}},
        {"output_config": {"format": {"type": "json_schema", "schema": {
            "type": "object", "properties": {"a": {"type": "string"}},
            "additionalProperties": False, "description": "One."}}}},
        (),
    ),
    "json_schema without a schema": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
        {"system": "Answer with one valid JSON object and nothing else."}, (),
    ),
    "json_schema with bounds": (
        {"response_format": {"type": "json_schema", "json_schema": {
            "name": "x", "schema": {"type": "array", "minItems": 1, "maxItems": 3, "items": {
                "type": "integer", "minimum": 0, "description": "Years."}}}}},
        {"output_config": {"format": {"type": "json_schema", "schema": {
            "type": "array", "minItems": 1, "description": '{"maxItems":3}', "items": {
                "type": "integer", "description": 'Years.\n\n{"minimum":0}'}}}}},
        ("response_format.json_schema.schema.maxItems",
         "response_format.json_schema.schema.items.minimum"),
    ),
    "json_schema with open and nested objects": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {
            "$defs": {"minimum": {"type": ["object", "null"], "properties": {}}},
            "anyOf": [{"type": "object", "additionalProperties": {"type": "string"}},
                      {"type": "object", "additionalProperties": True}, True]}}}},
        {"output_config": {"format": {"type": "json_schema", "schema": {
            "$defs": {"minimum": {"type": ["object", "null"], "properties": {},
                                  "additionalProperties": False}},
            "anyOf": [{"type": "object", "additionalProperties": False},
                      {"type": "object", "additionalProperties": False}, True]}}}},
        ("response_format.json_schema.schema.anyOf.0.additionalProperties",),
    ),
    "effort beside a schema": (
        {"reasoning_effort": "low", "max_tokens": 9, "response_format": {
            "type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "string"}}}},
        {"thinking": {"type": "adaptive"}, "max_tokens": 9, "output_config": {
            "effort": "low", "format": {"type": "json_schema", "schema": {"type": "string"}}}},
        (),
    ),
    "user": ({"user": "u"}, {"metadata": {"user_id": "u"}}, ()),
    "safety_identifier": ({"safety_identifier": "s"}, {"metadata": {"user_id": "s"}}, ()),
    "safety_identifier before user": (
        {"user": "u", "safety_identifier": "s"}, {"metadata": {"user_id": "s"}}, ("user",)
    ),
    "a long user": (
        {"user": "u" * 257},
        {"metadata": {
            "user_id": "36868c95693f7961e19205254a6e613547eeb4375b384159e91a462f70e8af26"}},
        (),
    ),
    "tier default": ({"service_tier": "default"}, {"service_tier": "standard_only"}, ()),
    "tier auto": ({"service_tier": "auto"}, {"service_tier": "auto"}, ()),
    "tier flex": ({"service_tier": "flex"}, {}, ("service_tier",)),
    "n of one": ({"n": 1}, {}, ()),
    "modality of text": ({"modalities": ["text"]}, {}, ()),
    **{
        name: ({name: value}, {}, (name,))
        for name, value in {
            "logprobs": True, "top_logprobs": 3, "logit_bias": {"1": 2}, "seed": 0,
            "frequency_penalty": 0.5, "presence_penalty": -0.5, "store": True,
            "prediction": {"type": "content", "content": "x"}, "metadata": {"a": "b"},
            "verbosity": "low", "prompt_cache_key": "k", "prompt_cache_retention": "24h",
            "prompt_cache_options": {"mode": "explicit"}, "web_search_options": {"a": 1},
            "moderation": {"model": "m"}, "something_new": False,
        }.items()
    },
    "what is so anyway": (
        {"logprobs": False, "frequency_penalty": 0, "presence_penalty": 0.0, "store": False,
         "verbosity": "medium", "metadata": {}, "logit_bias": None}, {}, (),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "got", "dropped"), PARAMETERS.values(), ids=PARAMETERS)
def test_a_parameter(sent: dict[str, Any], got: dict[str, Any], dropped: tuple[str, ...]) -> None:
    """Each parameter reaches the provider by its own word, or is listed."""
    outgoing = ask(**sent)

    expected = {"model": "claude", "max_tokens": 4096, "messages": [user(HELLO)], **got}
    assert outgoing.payload == expected
    assert outgoing.dropped == dropped


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_the_new_version_takes_no_sampling_parameters(name: str) -> None:
    """From 2026-10-21 on the API refuses them, so they are left out and listed."""
    outgoing = ask(traits=NEW, **{name: 0.5})

    assert name not in outgoing.payload
    assert outgoing.dropped == (name,)


@pytest.mark.parametrize(
    ("effort", "limit", "expected"),
    [
        (None, None, 4096),
        ("none", None, 4096),
        ("low", None, 8192),
        ("medium", None, 16_384),
        ("high", None, 32_000),
        ("xhigh", None, 64_000),
        ("max", None, 64_000),
        ("high", 8192, 8192),
        (None, 128_000, 128_000),
    ],
)
def test_the_default_limit(effort: str | None, limit: int | None, expected: int) -> None:
    """It is the model's if that is known; else it grows with the thought that counts toward it."""
    outgoing = ask(traits=Traits(max_tokens=limit), reasoning_effort=effort)

    assert outgoing.payload["max_tokens"] == expected


GRAMMAR = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: WORD"}}
NAMED = {"type": "function", "function": {"name": "weather"}}
ALLOWED = {
    "type": "allowed_tools",
    "allowed_tools": {
        "mode": "required",
        "tools": [{"type": "custom", "custom": {"name": "patch"}}],
    },
}
BOTH = [WEATHER, PATCH]
BOTH_TOOLS = [WEATHER_TOOL, PATCH_TOOL]
TOOLS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "function": ({"tools": [WEATHER]}, {"tools": [WEATHER_TOOL]}, ()),
    "function without parameters": (
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]}, (),
    ),
    "parameters without a type": (
        {"tools": [{"type": "function", "function": {
            "name": "f", "parameters": {"properties": {"a": {}}}}}]},
        {"tools": [{"name": "f", "input_schema": {"type": "object", "properties": {"a": {}}}}]}, (),
    ),
    "strict": (
        {"tools": [{"type": "function", "function": {
            "name": "f", "strict": True, "parameters": {"type": "object"}}}]},
        {"tools": [{"name": "f", "strict": True, "input_schema": {"type": "object"}}]}, (),
    ),
    "not strict": (
        {"tools": [{"type": "function", "function": {
            "name": "f", "strict": False, "parameters": {"type": "object"}}}]},
        {"tools": [{"name": "f", "input_schema": {"type": "object"}}]}, (),
    ),
    "unknown words of a tool": (
        {"tools": [{"type": "function", "a": 1, "function": {
            "name": "f", "b": 2, "parameters": {"type": "object"}}}]},
        {"tools": [{"name": "f", "input_schema": {"type": "object"}}]},
        ("tools.0.a", "tools.0.function.b"),
    ),
    "cached tools": (
        {"tools": [{**WEATHER, "cache_control": {"type": "ephemeral"}}]},
        {"tools": [{**WEATHER_TOOL, "cache_control": {"type": "ephemeral"}}]}, (),
    ),
    "custom": ({"tools": [PATCH]}, {"tools": [PATCH_TOOL]}, ()),
    "custom with free text": (
        {"tools": [{"type": "custom", "custom": {**PATCH["custom"], "format": {"type": "text"}}}]},
        {"tools": [PATCH_TOOL]}, (),
    ),
    "custom with a grammar": (
        {"tools": [{"type": "custom", "custom": {**PATCH["custom"], "format": GRAMMAR}}]},
        {"tools": [{**PATCH_TOOL, "description":
            "Edits.\n\nThe input must match this lark grammar:\nstart: WORD"}]},
        ("tools.0.custom.format",),
    ),
    "custom with nothing but a grammar": (
        {"tools": [{"type": "custom", "custom": {"name": "patch", "format": GRAMMAR}}]},
        {"tools": [{**PATCH_TOOL, "description":
            "The input must match this lark grammar:\nstart: WORD"}]},
        ("tools.0.custom.format",),
    ),
    "choice auto": ({"tools": [WEATHER], "tool_choice": "auto"}, {"tools": [WEATHER_TOOL]}, ()),
    "choice required": (
        {"tools": [WEATHER], "tool_choice": "required"},
        {"tools": [WEATHER_TOOL], "tool_choice": {"type": "any"}}, (),
    ),
    "choice none keeps the tools": (
        {"tools": [WEATHER], "tool_choice": "none"},
        {"tools": [WEATHER_TOOL], "tool_choice": {"type": "none"}}, (),
    ),
    "choice by name": (
        {"tools": BOTH, "tool_choice": NAMED},
        {"tools": BOTH_TOOLS, "tool_choice": {"type": "tool", "name": "weather"}}, (),
    ),
    "choice of a custom tool": (
        {"tools": BOTH, "tool_choice": {"type": "custom", "custom": {"name": "patch"}}},
        {"tools": BOTH_TOOLS, "tool_choice": {"type": "tool", "name": "patch"}}, (),
    ),
    "allowed tools are the tools": (
        {"tools": BOTH, "tool_choice": ALLOWED},
        {"tools": [PATCH_TOOL], "tool_choice": {"type": "any"}}, (),
    ),
    "choice without tools": ({"tool_choice": "auto", "parallel_tool_calls": False}, {}, ()),
    "no parallel calls": (
        {"tools": [WEATHER], "parallel_tool_calls": False},
        {"tools": [WEATHER_TOOL],
         "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, (),
    ),
    "no parallel calls, one required": (
        {"tools": [WEATHER], "parallel_tool_calls": False, "tool_choice": NAMED},
        {"tools": [WEATHER_TOOL], "tool_choice": {
            "type": "tool", "name": "weather", "disable_parallel_tool_use": True}}, (),
    ),
    "no parallel calls, none at all": (
        {"tools": [WEATHER], "parallel_tool_calls": False, "tool_choice": "none"},
        {"tools": [WEATHER_TOOL], "tool_choice": {"type": "none"}}, (),
    ),
    "parallel calls": (
        {"tools": [WEATHER], "parallel_tool_calls": True}, {"tools": [WEATHER_TOOL]}, ()
    ),
    "a forced call leaves no room to think": (
        {"tools": [WEATHER], "tool_choice": "required", "reasoning_effort": "high",
         "max_tokens": 9},
        {"tools": [WEATHER_TOOL], "tool_choice": {"type": "any"}, "max_tokens": 9,
         "output_config": {"effort": "high"}}, (),
    ),
    "an empty list of tools": ({"tools": []}, {}, ()),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "got", "dropped"), TOOLS.values(), ids=TOOLS)
def test_tools(sent: dict[str, Any], got: dict[str, Any], dropped: tuple[str, ...]) -> None:
    """Tools and the choice among them reach the provider as it knows them."""
    outgoing = ask(**sent)

    expected = {"model": "claude", "max_tokens": 4096, "messages": [user(HELLO)], **got}
    assert outgoing.payload == expected
    assert outgoing.dropped == dropped


def test_called_tools_are_named_when_the_client_offers_none() -> None:
    """The API wants tools defined if there are calls; those that were called, and never again."""
    talk = [HI, called(call("a"), call("b", "clock"), call("c")), *map(answered, "abc")]
    empty = {"type": "object", "properties": {}}

    outgoing = ask(*talk)

    assert outgoing.payload["tools"] == [
        {"name": "weather", "input_schema": empty},
        {"name": "clock", "input_schema": empty},
    ]
    assert outgoing.payload["tool_choice"] == {"type": "none"}


CACHED = {"cache_control": {"type": "ephemeral"}}
FOR_AN_HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
MESSAGES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], tuple[str, ...]]] = {
    "text": ([HI], [user(HELLO)], ()),
    "parts": (
        [{"role": "user", "content": [text("a"), text(""), text("b")]}],
        [user(text("a"), text("b"))], (),
    ),
    "blank texts are left out": (
        [{"role": "user", "content": ""}, {"role": "user", "content": " \n"}, HI], [user(HELLO)], ()
    ),
    "a name": ([{**HI, "name": "Ada"}], [user(HELLO)], ("messages.0.name",)),
    "unknown words": ([{**HI, "mood": "good"}], [user(HELLO)], ("messages.0.mood",)),
    "image in a data: URL": (
        [part("image_url", {"url": "data:image/png;base64,iVBORw0K"})],
        [user({"type": "image", "source": PNG})], (),
    ),
    "image/jpg is image/jpeg": (
        [part("image_url", {"url": "data:IMAGE/JPG;charset=x;base64,iVBORw0K"})],
        [user({"type": "image", "source": {**PNG, "media_type": "image/jpeg"}})], (),
    ),
    "image at a URL": (
        [part("image_url", {"url": "https://x.example/a.png"})],
        [user({"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}})], (),
    ),
    "image as a mere string": (
        [part("image_url", "https://x.example/a.png")],
        [user({"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}})], (),
    ),
    "detail": (
        [part("image_url", {"url": "data:image/png;base64,iVBORw0K", "detail": "high"})],
        [user({"type": "image", "source": PNG})], ("messages.0.content.0.image_url.detail",),
    ),
    "detail auto": (
        [part("image_url", {"url": "data:image/png;base64,iVBORw0K", "detail": "auto"})],
        [user({"type": "image", "source": PNG})], (),
    ),
    "PDF": (
        [part("file", {"file_data": "data:application/pdf;base64,JVBERi0x", "filename": "a.pdf"})],
        [user({"type": "document", "source": PDF, "title": "a.pdf"})], (),
    ),
    "PDF without a head": (
        [part("file", {"file_data": "JVBERi0x"})],
        [user({"type": "document", "source": PDF})], (),
    ),
    "plain text file": (
        [part("file", {"file_data": "data:text/plain;base64," +
                       base64.b64encode("grüß".encode()).decode()})],
        [user({"type": "document", "source": {
            "type": "text", "media_type": "text/plain", "data": "grüß"}})], (),
    ),
    "image file": (
        [part("file", {"file_data": "data:image/png;base64,iVBORw0K", "filename": "a.png"})],
        [user({"type": "image", "source": PNG})], ("messages.0.content.0.file.filename",),
    ),
    "prompt_cache_breakpoint": (
        [part("text", "Hi", prompt_cache_breakpoint={"mode": "explicit"})],
        [user({**HELLO, **CACHED})], (),
    ),
    "prompt_cache_breakpoint with a time": (
        [part("text", "Hi", prompt_cache_breakpoint={"mode": "explicit", "ttl": "30m"})],
        [user({**HELLO, **FOR_AN_HOUR})], (),
    ),
    "cache_control": ([part("text", "Hi", **CACHED)], [user({**HELLO, **CACHED})], ()),
    "cache_control with a time": (
        [part("text", "Hi", **FOR_AN_HOUR)], [user({**HELLO, **FOR_AN_HOUR})], ()
    ),
    "cache_control on a blank text": (
        [{"role": "user", "content": [{**text(""), **CACHED}, HELLO, {**text(""), **CACHED}]}],
        [user({**HELLO, **CACHED})], (),
    ),
    "cache_control of another kind": (
        [part("text", "Hi", cache_control={"type": "forever"})],
        [user(HELLO)], ("messages.0.content.0.cache_control",),
    ),
    "same roles merge": (
        [HI, HI, {"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}, HI],
        [user(HELLO, HELLO), assistant(text("a"), text("b")), user(HELLO)], (),
    ),
    "assistant first": (
        [{"role": "assistant", "content": "Welcome"}, HI],
        [user(text("Begin.")), assistant(text("Welcome")), user(HELLO)], (),
    ),
    "assistant last, without the space the API refuses": (
        [HI, {"role": "assistant", "content": "The answer is \n"}],
        [user(HELLO), assistant(text("The answer is"))], (),
    ),
    "refusal": (
        [HI, {"role": "assistant", "content": None, "refusal": "No."}, HI],
        [user(HELLO), assistant(text("No.")), user(HELLO)], (),
    ),
    "refusal part": (
        [HI, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, HI],
        [user(HELLO), assistant(text("No.")), user(HELLO)], (),
    ),
    "reasoning_content": (
        [HI, {"role": "assistant", "content": "a", "reasoning_content": "Hm."}, HI],
        [user(HELLO), assistant(text("a")), user(HELLO)], ("messages.1.reasoning_content",),
    ),
    "a message as the SDK printed it": (
        [HI, {"role": "assistant", "content": "a", "refusal": None, "annotations": [],
              "audio": None, "function_call": None, "tool_calls": None}, HI],
        [user(HELLO), assistant(text("a")), user(HELLO)], (),
    ),
    "calls and results": (
        [HI, called(call("a", arguments='{"city": "Rome"}'), call("b"), content="Look:"),
         answered("b", "2"), answered("a", "1"), HI],
        [user(HELLO), assistant(text("Look:"), use("a", city="Rome"), use("b")),
         user(result("b", "2"), result("a", "1"), HELLO)], (),
    ),
    "results before what the user said meanwhile": (
        [HI, called(call("a"), call("b")), HI, answered("a", "1"), answered("b", "2")],
        [user(HELLO), assistant(use("a"), use("b")),
         user(result("a", "1"), result("b", "2"), HELLO)], (),
    ),
    "results in rounds": (
        [HI, called(call("a")), answered("a"), called(call("b"), content=""), answered("b")],
        [user(HELLO), assistant(use("a")), user(result("a")), assistant(use("b")),
         user(result("b"))], (),
    ),
    "an instruction between call and result": (
        [HI, called(call("a")), {"role": "system", "content": " "}, answered("a")],
        [user(HELLO), assistant(use("a")), user(result("a"))], (),
    ),
    "empty arguments": (
        [HI, called(call("a", arguments="")), answered("a")],
        [user(HELLO), assistant(use("a")), user(result("a"))], (),
    ),
    "arguments that are no JSON": (
        [HI, called(call("a", arguments='{"city": ')), answered("a")],
        [user(HELLO), assistant(use("a", _raw='{"city": ')), user(result("a"))], (),
    ),
    "arguments that are no object": (
        [HI, called(call("a", arguments="[1]")), answered("a")],
        [user(HELLO), assistant(use("a", _raw="[1]")), user(result("a"))], (),
    ),
    "custom call": (
        [HI, called({"id": "a", "type": "custom", "custom": {"name": "patch", "input": "x"}}),
         answered("a")],
        [user(HELLO), assistant(use("a", "patch", input="x")), user(result("a"))], (),
    ),
    "ids of other providers": (
        [HI, called(call("functions.weather:0"), call("functions.weather:1")),
         answered("functions.weather:1", "1"), answered("functions.weather:0", "0")],
        [user(HELLO), assistant(use("functions_weather_0"), use("functions_weather_1")),
         user(result("functions_weather_1", "1"), result("functions_weather_0", "0"))], (),
    ),
    "ids that repeat": (
        [HI, called(call("a")), answered("a", "1"), called(call("a")), answered("a", "2"),
         called(call("a_2")), answered("a_2", "3")],
        [user(HELLO), assistant(use("a")), user(result("a", "1")), assistant(use("a_2")),
         user(result("a_2", "2")), assistant(use("a_2_2")), user(result("a_2_2", "3"))], (),
    ),
    "ids that are empty": (
        [HI, called(call("")), answered("")],
        [user(HELLO), assistant(use("call")), user(result("call"))], (),
    ),
    "result in parts": (
        [HI, called(call("a")), answered("a", [text("1"), text(""), text("2")])],
        [user(HELLO), assistant(use("a")), user(result("a", [text("1"), text("2")]))], (),
    ),
    "result with an image": (
        [HI, called(call("a")), answered("a", [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K"}}])],
        [user(HELLO), assistant(use("a")),
         user(result("a", [{"type": "image", "source": PNG}]))], (),
    ),
    "result that is cached": (
        [HI, called(call("a")), answered("a", [{**text("1"), **CACHED}])],
        [user(HELLO), assistant(use("a")), user(result("a", [text("1")], **CACHED))], (),
    ),
    "result without content": (
        [HI, called(call("a")), answered("a", "")],
        [user(HELLO), assistant(use("a")), user({"type": "tool_result", "tool_use_id": "a"})], (),
    ),
    "result with a name": (
        [HI, called(call("a")), {**answered("a"), "name": "weather"}],
        [user(HELLO), assistant(use("a")), user(result("a"))], ("messages.2.name",),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "got", "dropped"), MESSAGES.values(), ids=MESSAGES)
def test_messages(
    sent: list[dict[str, Any]], got: list[dict[str, Any]], dropped: tuple[str, ...]
) -> None:
    """Messages become turns that alternate, each block in the place where the API wants it."""
    outgoing = ask(*sent)

    assert outgoing.payload["messages"] == got
    assert outgoing.dropped == dropped


def instruct(content: Any, role: str = "system") -> dict[str, Any]:
    """Return a message of the system or the developer."""
    return {"role": role, "content": content}


JSON_LINE = "Answer with one valid JSON object and nothing else."
AS_JSON = {"response_format": {"type": "json_object"}}
SYSTEMS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], Any]] = {
    "one": ([instruct("Be brief.")], {}, "Be brief."),
    "all of them, in order": (
        [instruct("1"), instruct("2", "developer"), HI, instruct("3")], {}, "1\n\n2\n\n3"
    ),
    "parts": ([instruct([text("1"), text(""), text("2")])], {}, "1\n\n2"),
    "a blank one": ([instruct(" "), HI], {}, None),
    "cached": (
        [instruct([{**text("1"), **CACHED}]), instruct("2")], {},
        [{**text("1"), **CACHED}, text("2")],
    ),
    "with the line that asks for JSON": (
        [instruct("Be brief.")], AS_JSON, f"Be brief.\n\n{JSON_LINE}"
    ),
    "cached, with the line that asks for JSON": (
        [instruct([{**text("1"), **CACHED}])], AS_JSON, [{**text("1"), **CACHED}, text(JSON_LINE)]
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "body", "system"), SYSTEMS.values(), ids=SYSTEMS)
def test_the_system_prompt(sent: list[dict[str, Any]], body: dict[str, Any], system: Any) -> None:
    """What is said for the system, wherever, goes to the top; the user says at least one thing."""
    payload = ask(*sent, **body).payload

    assert payload.get("system") == system
    assert payload["messages"] in ([user(HELLO)], [user(text("Begin."))])


LATER = (HI, called(call("a")))
REFUSED: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "several answers": ([], {"n": 2}, "n"),
    "answer in sound": ([], {"modalities": ["text", "audio"]}, "modalities"),
    "a voice": ([], {"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
    "functions": ([], {"functions": [{"name": "f"}]}, "functions"),
    "function_call": ([], {"function_call": "auto"}, "function_call"),
    "limit of nothing": ([], {"max_tokens": 0}, "max_tokens"),
    "limit in words": ([], {"max_completion_tokens": "9"}, "max_completion_tokens"),
    "limit of truth": ([], {"max_tokens": True}, "max_tokens"),
    "temperature in words": ([], {"temperature": "hot"}, "temperature"),
    "temperature that is no number": ([], {"temperature": float("nan")}, "temperature"),
    "stop that is no text": ([], {"stop": [1]}, "stop"),
    "effort unheard of": ([], {"reasoning_effort": "heroic"}, "reasoning_effort"),
    "thinking in words": ([], {"thinking": "hard"}, "thinking"),
    "format unheard of": ([], {"response_format": {"type": "xml"}}, "response_format.type"),
    "format in words": ([], {"response_format": "json"}, "response_format.type"),
    "schema in words": (
        [], {"response_format": {"type": "json_schema", "json_schema": {"schema": "x"}}},
        "response_format.json_schema.schema",
    ),
    "user of numbers": ([], {"user": 7}, "user"),
    "stream_options in words": ([], {"stream_options": "usage"}, "stream_options"),
    "tools in words": ([], {"tools": "weather"}, "tools"),
    "tool in words": ([], {"tools": ["weather"]}, "tools.0"),
    "tool of another type": ([], {"tools": [{"type": "web_search"}]}, "tools.0.type"),
    "tool without a body": ([], {"tools": [{"type": "function"}]}, "tools.0.function"),
    "tool without a name": (
        [], {"tools": [{"type": "function", "function": {}}]}, "tools.0.function.name"
    ),
    "parameters in words": (
        [], {"tools": [{"type": "function", "function": {"name": "f", "parameters": "x"}}]},
        "tools.0.function.parameters",
    ),
    "choice unheard of": ([], {"tools": [WEATHER], "tool_choice": "any"}, "tool_choice"),
    "choice of no tool": (
        [], {"tools": [PATCH], "tool_choice": NAMED}, "tool_choice"
    ),
    "choice required without tools": ([], {"tool_choice": "required"}, "tool_choice"),
    "parallel in words": ([], {"parallel_tool_calls": "no"}, "parallel_tool_calls"),
    "role unheard of": ([{"role": "narrator", "content": "x"}], {}, "messages.0.role"),
    "function message": ([{"role": "function", "content": "x"}], {}, "messages.0.role"),
    "message in words": (["Hi"], {}, "messages.0"),  # type: ignore[list-item]
    "content of nothing": ([{"role": "user", "content": None}], {}, "messages.0.content"),
    "content of numbers": ([{"role": "user", "content": 7}], {}, "messages.0.content"),
    "part in words": ([{"role": "user", "content": ["Hi"]}], {}, "messages.0.content.0"),
    "part unheard of": ([part("video", "x")], {}, "messages.0.content.0.type"),
    "part without text": ([part("text", None)], {}, "messages.0.content.0.text"),
    "sound": ([HI, part("input_audio", {"data": "x"})], {}, "messages.1.content.0"),
    "sound of before": (
        [HI, {"role": "assistant", "audio": {"id": "x"}}], {}, "messages.1.audio"
    ),
    "function_call of before": (
        [HI, {"role": "assistant", "function_call": {"name": "f"}}], {}, "messages.1.function_call"
    ),
    "image of the assistant": (
        [{"role": "assistant", "content": part("image_url", "https://x.example")["content"]}], {},
        "messages.0.content.0.type",
    ),
    "image of the system": (
        [{"role": "system", "content": part("image_url", "https://x.example")["content"]}], {},
        "messages.0.content.0.type",
    ),
    "image of another type": (
        [part("image_url", {"url": "data:image/bmp;base64,Qk0="})], {},
        "messages.0.content.0.image_url.url",
    ),
    "image that is no base64": (
        [part("image_url", {"url": "data:image/png,x"})], {}, "messages.0.content.0.image_url.url"
    ),
    "image on a disk": (
        [part("image_url", {"url": "file:///a.png"})], {}, "messages.0.content.0.image_url.url"
    ),
    "image of nothing": ([part("image_url", 7)], {}, "messages.0.content.0.image_url"),
    "file by its id": (
        [part("file", {"file_id": "file-1"})], {}, "messages.0.content.0.file.file_id"
    ),
    "file of another type": (
        [part("file", {"file_data": "data:application/zip;base64,UEs="})], {},
        "messages.0.content.0.file.file_data",
    ),
    "text file in another code": (
        [part("file", {"file_data": "data:text/plain;base64,/w=="})], {},
        "messages.0.content.0.file.file_data",
    ),
    "call of another type": (
        [HI, called({"id": "a", "type": "web"})], {}, "messages.1.tool_calls.0.type"
    ),
    "call without a name": (
        [HI, called({"id": "a", "function": {"arguments": ""}})], {},
        "messages.1.tool_calls.0.function.name",
    ),
    "call without an id": (
        [HI, called({"function": {"name": "f", "arguments": ""}})], {},
        "messages.1.tool_calls.0.id",
    ),
    "call with arguments of an object": (
        [HI, called({"id": "a", "function": {"name": "f", "arguments": {}}})], {},
        "messages.1.tool_calls.0.function.arguments",
    ),
    "result of no call": ([HI, answered("x")], {}, "messages.1.tool_call_id"),
    "result without an id": ([HI, {"role": "tool", "content": "x"}], {}, "messages.1.tool_call_id"),
    "a second result": (
        [*LATER, answered("a"), answered("a")], {}, "messages.3.tool_call_id"
    ),
    "no result": ([*LATER, HI], {}, "messages.1.tool_calls.0"),
    "no result before the next turn": (
        [*LATER, HI, {"role": "assistant", "content": "x"}], {}, "messages.1.tool_calls.0"
    ),
    "one result of two": (
        [HI, called(call("a"), call("b")), answered("a")], {}, "messages.1.tool_calls.1"
    ),
    "nobody says anything": ([{"role": "user", "content": ""}], {}, "messages"),
}  # fmt: skip


@pytest.mark.parametrize(("messages", "body", "param"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(messages: list[dict[str, Any]], body: dict[str, Any], param: str) -> None:
    """What the API cannot express, or OpenAI's does not allow, is a 400 that names the field."""
    with pytest.raises(BadRequest) as refused:
        ask(*messages, **body)

    assert refused.value.param == param


@pytest.mark.parametrize("messages", [None, [], {}, "Hi"])
def test_a_request_without_messages_is_refused(messages: Any) -> None:
    """There has to be a list of messages, and one in it."""
    with pytest.raises(BadRequest) as refused:
        translate({"model": "claude", "messages": messages}, OLD)

    assert refused.value.param == "messages"


def test_an_error_tells_no_prompt() -> None:
    """A refusal says where, not what: prompts reach no error."""
    with pytest.raises(BadRequest) as refused:
        ask(part("image_url", {"url": "data:image/bmp;base64,SECRET"}))

    assert "SECRET" not in refused.value.detail
