"""A Responses request as a chat request: each rule is a row of a table."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from plano_filters.errors import BadRequest
from plano_filters.translation import Traits
from plano_filters.translation.responses_to_chat import translate

TRAITS = Traits()
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
PNG = "data:image/png;base64,iVBORw0KGgo="
BREAK = {"mode": "explicit"}
CUSTOM_PARAMETERS = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The input of the tool, as it is."}},
    "required": ["input"],
    "additionalProperties": False,
}


def function(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more}}


def call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    spoken = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": spoken}


def calls(*made: dict[str, Any], content: str | None = None) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(made)}


def tool(call_id: str, content: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def called(call_id: str = "c", name: str = "look", **more: Any) -> dict[str, Any]:
    item = {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}"}
    return item | more


def came(call_id: str = "c", output: Any = "sun", **more: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output, **more}


PARAMETERS = {
    "model": ({"model": "a/b"}, {"model": "a/b"}, ()),
    "temperature": ({"temperature": 0.2}, {"temperature": 0.2}, ()),
    "top_p": ({"top_p": 0.9}, {"top_p": 0.9}, ()),
    "user": ({"user": "u"}, {"user": "u"}, ()),
    "safety_identifier": ({"safety_identifier": "s"}, {"safety_identifier": "s"}, ()),
    "prompt_cache_key": ({"prompt_cache_key": "k"}, {"prompt_cache_key": "k"}, ()),
    "prompt_cache_retention": (
        {"prompt_cache_retention": "24h"},
        {"prompt_cache_retention": "24h"},
        (),
    ),
    "prompt_cache_options": (
        {"prompt_cache_options": {"mode": "explicit", "ttl": "30m", "prewarm": True}},
        {"prompt_cache_options": {"mode": "explicit", "ttl": "30m"}},
        ("prompt_cache_options.prewarm",),
    ),
    "service_tier": ({"service_tier": "flex"}, {"service_tier": "flex"}, ()),
    "moderation": ({"moderation": {"model": "m"}}, {"moderation": {"model": "m"}}, ()),
    "max_output_tokens": ({"max_output_tokens": 9}, {"max_completion_tokens": 9}, ()),
    "reasoning.effort": ({"reasoning": {"effort": "high"}}, {"reasoning_effort": "high"}, ()),
    "reasoning.summary is ours to give": ({"reasoning": {"summary": "auto"}}, {}, ()),
    "reasoning.context": ({"reasoning": {"context": "auto"}}, {}, ("reasoning.context",)),
    "text.verbosity": ({"text": {"verbosity": "low"}}, {"verbosity": "low"}, ()),
    "text.format text": ({"text": {"format": {"type": "text"}}}, {}, ()),
    "text.format json_object": (
        {"text": {"format": {"type": "json_object"}}},
        {"response_format": {"type": "json_object"}},
        (),
    ),
    "text.format json_schema gets its wrapper": (
        {
            "text": {
                "format": {
                    "type": "json_schema",
                    "name": "n",
                    "description": "d",
                    "schema": SCHEMA,
                    "strict": True,
                    "odd": 1,
                }
            }
        },
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "description": "d", "schema": SCHEMA, "strict": True},
            }
        },
        ("text.format.odd",),
    ),
    "stream asks for usage": (
        {"stream": True},
        {"stream": True, "stream_options": {"include_usage": True}},
        (),
    ),
    "stream false": ({"stream": False}, {}, ()),
    "obfuscation": (
        {"stream_options": {"include_obfuscation": True}},
        {},
        ("stream_options.include_obfuscation",),
    ),
    "no obfuscation": ({"stream_options": {"include_obfuscation": False}}, {}, ()),
    "top_logprobs": ({"top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}, ()),
    "no top_logprobs": ({"top_logprobs": 0}, {}, ()),
    "include logprobs": ({"include": ["message.output_text.logprobs"]}, {"logprobs": True}, ()),
    "include anything else": (
        {"include": ["message.output_text.logprobs", "reasoning.encrypted_content"]},
        {"logprobs": True},
        ("include.1",),
    ),
    "store": ({"store": True}, {}, ("store",)),
    "store false is what happens": ({"store": False}, {}, ()),
    "truncation": ({"truncation": "auto"}, {}, ("truncation",)),
    "truncation disabled is what happens": ({"truncation": "disabled"}, {}, ()),
    "background false is what happens": ({"background": False}, {}, ()),
    "metadata": ({"metadata": {"a": "b"}}, {}, ("metadata",)),
    "client_metadata": ({"client_metadata": {"a": "b"}}, {}, ("client_metadata",)),
    "max_tool_calls": ({"max_tool_calls": 2}, {}, ("max_tool_calls",)),
    "context_management": (
        {"context_management": [{"type": "compaction"}]},
        {},
        ("context_management",),
    ),
    "unknown": ({"stop": ["x"], "seed": 1}, {}, ("stop", "seed")),
    "null": ({"stop": None, "temperature": None, "tools": None, "text": None}, {}, ()),
    "parallel_tool_calls without tools": ({"parallel_tool_calls": False}, {}, ()),
}


@pytest.mark.parametrize(("given", "made", "dropped"), PARAMETERS.values(), ids=PARAMETERS)
def test_each_parameter_is_moved_or_listed(
    given: dict[str, Any], made: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    """A parameter reaches the provider under chat's name, or is among the dropped ones."""
    outgoing = translate({"input": "hi", **given}, TRAITS)

    assert outgoing.payload == {"messages": [user("hi")], **made}
    assert outgoing.dropped == dropped


REFUSED = {
    "previous_response_id": ({"previous_response_id": "resp_1"}, "previous_response_id"),
    "conversation": ({"conversation": "conv_1"}, "conversation"),
    "prompt": ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    "background": ({"background": True}, "background"),
    "no input": ({"input": None}, "input"),
    "input of another type": ({"input": 3}, "input"),
    "empty input": ({"input": []}, "input"),
    "instructions of another type": ({"instructions": ["x"]}, "instructions"),
    "text of another type": ({"text": "json"}, "text"),
    "text.format grammar": ({"text": {"format": {"type": "grammar"}}}, "text.format"),
    "text.format of another type": ({"text": {"format": "json"}}, "text.format"),
    "reasoning of another type": ({"reasoning": "high"}, "reasoning"),
    "stream of another type": ({"stream": "yes"}, "stream"),
    "include of another type": ({"include": "usage"}, "include"),
    "tools of another type": ({"tools": {}}, "tools"),
    "a tool of another type": ({"tools": ["x"]}, "tools.0"),
    "a tool in chat's form": ({"tools": [function("f")]}, "tools.0.name"),
    "a member without a name": (
        {"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function"}]}]},
        "tools.0.tools.0.name",
    ),
    "an item of another type": ({"input": ["x"]}, "input.0"),
    "a role nobody has": ({"input": [{"role": "tool", "content": "x"}]}, "input.0.role"),
    "a message without content": ({"input": [{"role": "user"}]}, "input.0.content"),
    "a text without text": (
        {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
        "input.0.content.0.text",
    ),
    "a part nobody knows": (
        {"input": [{"role": "user", "content": [{"type": "input_video"}]}]},
        "input.0.content.0.type",
    ),
    "a stored image": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
        "input.0.content.0.file_id",
    ),
    "a file by its URL": (
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "u"}]}]},
        "input.0.content.0.file_url",
    ),
    "a file of nothing": (
        {"input": [{"role": "user", "content": [{"type": "input_file", "filename": "f"}]}]},
        "input.0.content.0",
    ),
    "media of a developer": (
        {"input": [{"role": "developer", "content": [{"type": "input_image", "image_url": PNG}]}]},
        "input.0.content.0",
    ),
    "media of the assistant": (
        {"input": [{"role": "assistant", "content": [{"type": "input_image", "image_url": PNG}]}]},
        "input.0.content.0.type",
    ),
    "a compacted history": (
        {"input": [{"type": "compaction", "encrypted_content": "x"}]},
        "input.0.type",
    ),
    "a screenshot": (
        {"input": [{"type": "computer_call_output", "call_id": "c", "output": {}}]},
        "input.0.type",
    ),
    "a call without an output": ({"input": [called()]}, "input.0"),
    "an output without a call": ({"input": [came()]}, "input.0"),
    "an output of which the call is referred to": (
        {"input": [{"type": "item_reference", "id": "fc_1"}, came()]},
        "input.1",
    ),
    "two outputs for one call": ({"input": [called(), came(), came()]}, "input.2"),
    "an output of no call": (
        {"input": [{"type": "function_call_output", "output": "x"}]},
        "input.0.call_id",
    ),
    "a call without arguments": ({"input": [called(arguments=None), came()]}, "input.0.arguments"),
}


@pytest.mark.parametrize(("given", "param"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_said_in_chat_is_refused_by_its_name(
    given: dict[str, Any], param: str
) -> None:
    """Nothing is left out that would change the answer: a 400 names the field."""
    with pytest.raises(BadRequest) as caught:
        translate({"input": "hi", **given}, TRAITS)

    assert caught.value.param == param


ITEMS = {
    "text": ([{"role": "user", "content": "hi"}], [user("hi")], ()),
    "one text part is a string": (
        [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        [user("hi")],
        (),
    ),
    "several parts": (
        [{"role": "user", "content": [{"type": "input_text", "text": t} for t in "ab"]}],
        [user([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])],
        (),
    ),
    "an image": (
        [
            {
                "role": "user",
                "content": [{"type": "input_image", "image_url": PNG, "detail": "high"}],
            }
        ],
        [user([{"type": "image_url", "image_url": {"url": PNG, "detail": "high"}}])],
        (),
    ),
    "an image in the usual detail": (
        [
            {
                "role": "user",
                "content": [{"type": "input_image", "image_url": PNG, "detail": "auto"}],
            }
        ],
        [user([{"type": "image_url", "image_url": {"url": PNG}}])],
        (),
    ),
    "an image in a detail without a word": (
        [
            {
                "role": "user",
                "content": [{"type": "input_image", "image_url": PNG, "detail": "original"}],
            }
        ],
        [user([{"type": "image_url", "image_url": {"url": PNG}}])],
        ("input.0.content.0.detail",),
    ),
    "a file": (
        [
            {
                "role": "user",
                "content": [{"type": "input_file", "filename": "a.pdf", "file_data": "data:x"}],
            }
        ],
        [user([{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:x"}}])],
        (),
    ),
    "a stored file": (
        [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}],
        [user([{"type": "file", "file": {"file_id": "file-1"}}])],
        (),
    ),
    "sound": (
        [
            {
                "role": "user",
                "content": [
                    {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}
                ],
            }
        ],
        [user([{"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}])],
        (),
    ),
    "a cache breakpoint": (
        [
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "a", "prompt_cache_breakpoint": BREAK}],
            }
        ],
        [user("a")],
        ("input.0.content.0.prompt_cache_breakpoint",),
    ),
    "system and developer in place": (
        [
            {"role": "developer", "content": "d"},
            {"role": "user", "content": "u"},
            {"role": "system", "content": [{"type": "input_text", "text": "s"}]},
        ],
        [
            {"role": "developer", "content": "d"},
            user("u"),
            {"role": "system", "content": "s"},
        ],
        (),
    ),
    "an earlier answer": (
        [
            {
                "type": "message",
                "role": "assistant",
                "id": "msg_1",
                "status": "completed",
                "phase": "final_answer",
                "content": [
                    {"type": "output_text", "text": "a", "annotations": [1], "logprobs": []},
                    {"type": "output_text", "text": "b"},
                ],
            }
        ],
        [{"role": "assistant", "content": "ab"}],
        ("input.0.phase",),
    ),
    "an earlier refusal is text": (
        [{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}],
        [{"role": "assistant", "content": "no"}],
        (),
    ),
    "an earlier answer of nothing": (
        [{"role": "assistant", "content": []}],
        [{"role": "assistant", "content": ""}],
        (),
    ),
    "a call and its output": (
        [called(id="fc_1", status="completed"), came(id="fco_1")],
        [calls(call("c", "look", "{}")), tool("c", "sun")],
        (),
    ),
    "calls of one turn are merged": (
        [called("a"), called("b"), came("b", "2"), came("a", "1")],
        [calls(call("a", "look", "{}"), call("b", "look", "{}")), tool("a", "1"), tool("b", "2")],
        (),
    ),
    "calls after outputs are a new turn": (
        [called("a"), came("a", "1"), called("b"), came("b", "2")],
        [
            calls(call("a", "look", "{}")),
            tool("a", "1"),
            calls(call("b", "look", "{}")),
            tool("b", "2"),
        ],
        (),
    ),
    "a call belongs to the words before it": (
        [{"role": "assistant", "content": "let me see"}, called(), came()],
        [calls(call("c", "look", "{}"), content="let me see"), tool("c", "sun")],
        (),
    ),
    "an output is moved to its call": (
        [called(), {"role": "user", "content": "well?"}, came()],
        [calls(call("c", "look", "{}")), tool("c", "sun"), user("well?")],
        (),
    ),
    "the id of a call may come again": (
        [called(), came(output="1"), called(), came(output="2")],
        [
            calls(call("c", "look", "{}")),
            tool("c", "1"),
            calls(call("c", "look", "{}")),
            tool("c", "2"),
        ],
        (),
    ),
    "a custom call": (
        [
            {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": 'é "x"\n'},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "ok"},
        ],
        [calls(call("c", "patch", '{"input":"é \\"x\\"\\n"}')), tool("c", "ok")],
        (),
    ),
    "a call in a namespace": (
        [called(namespace="fs", name="read"), came()],
        [calls(call("c", "fs__read", "{}")), tool("c", "sun")],
        (),
    ),
    "an output in parts": (
        [called(), came(output=[{"type": "input_text", "text": t} for t in "ab"])],
        [calls(call("c", "look", "{}")), tool("c", "a\nb")],
        (),
    ),
    "images of outputs follow all of them": (
        [
            called("a"),
            called("b"),
            came("a", [{"type": "input_image", "image_url": PNG}]),
            came("b", "2"),
        ],
        [
            calls(call("a", "look", "{}"), call("b", "look", "{}")),
            tool("a", "[the image is in the next user message]"),
            tool("b", "2"),
            user(
                [
                    {"type": "text", "text": "From the result of the tool call a:"},
                    {"type": "image_url", "image_url": {"url": PNG}},
                ]
            ),
        ],
        (),
    ),
    "reasoning": (
        [
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
            {"role": "user", "content": "hi"},
        ],
        [user("hi")],
        ("input.0",),
    ),
    "reasoning does not part words and calls": (
        [
            {"role": "assistant", "content": "w"},
            {"type": "reasoning", "summary": []},
            called(),
            came(),
        ],
        [calls(call("c", "look", "{}"), content="w"), tool("c", "sun")],
        ("input.1",),
    ),
    "references": (
        [
            {"type": "item_reference", "id": "rs_1"},
            {"id": "msg_2"},
            {"role": "user", "content": "a"},
        ],
        [user("a")],
        ("input.0", "input.1"),
    ),
    "what another provider did itself": (
        [
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {"type": "mcp_call", "id": "mcp_1"},
            {"role": "user", "content": "a"},
        ],
        [user("a")],
        ("input.0", "input.1"),
    ),
}


@pytest.mark.parametrize(("items", "messages", "dropped"), ITEMS.values(), ids=ITEMS)
def test_each_item_has_its_place(
    items: list[Any], messages: list[Any], dropped: tuple[str, ...]
) -> None:
    """An item becomes a message, a part of one, or is listed."""
    outgoing = translate({"input": items}, TRAITS)

    assert outgoing.payload == {"messages": messages}
    assert outgoing.dropped == dropped


def test_instructions_come_first() -> None:
    """`instructions` are the system message before the conversation."""
    outgoing = translate({"instructions": "be kind", "input": "hi"}, TRAITS)

    assert outgoing.payload["messages"] == [{"role": "system", "content": "be kind"}, user("hi")]


THOUGHTS = [
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "1"}]},
    called(),
    came(),
    {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "2"}]},
    {"role": "assistant", "content": "sun"},
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "3"}]},
    {"role": "user", "content": "thanks"},
]

OF_PROVIDERS = {
    "max_tokens": (
        Traits(max_tokens_field="max_tokens"),
        {"input": "hi", "max_output_tokens": 5},
        {"messages": [user("hi")], "max_tokens": 5},
        (),
    ),
    "no developer": (
        Traits(developer_role=False),
        {"input": [{"role": "developer", "content": "d"}]},
        {"messages": [{"role": "system", "content": "d"}]},
        (),
    ),
    "no stream_options": (
        Traits(stream_usage=False),
        {"input": "hi", "stream": True},
        {"messages": [user("hi")], "stream": True},
        (),
    ),
    "cache breakpoints": (
        Traits(cache_breakpoints=True),
        {
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "a", "prompt_cache_breakpoint": BREAK}
                    ],
                }
            ]
        },
        {"messages": [user([{"type": "text", "text": "a", "prompt_cache_breakpoint": BREAK}])]},
        (),
    ),
    "thoughts go back": (
        Traits(reasoning_content=True),
        {"input": THOUGHTS},
        {
            "messages": [
                calls(call("c", "look", "{}")) | {"reasoning_content": "1"},
                tool("c", "sun"),
                {"role": "assistant", "content": "sun", "reasoning_content": "2"},
                user("thanks"),
            ]
        },
        ("input.5",),
    ),
}


@pytest.mark.parametrize(
    ("traits", "given", "made", "dropped"), OF_PROVIDERS.values(), ids=OF_PROVIDERS
)
def test_providers_differ(
    traits: Traits, given: dict[str, Any], made: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    """Each trait changes what the provider gets."""
    outgoing = translate(given, traits)

    assert (outgoing.payload, outgoing.dropped) == (made, dropped)


def test_the_clients_body_is_not_changed() -> None:
    """The same body can be translated again, for another provider."""
    body = {
        "instructions": "i",
        "input": THOUGHTS,
        "tools": [{"type": "custom", "name": "p", "format": {"type": "text"}}],
        "text": {"format": {"type": "json_object"}},
    }
    before = copy.deepcopy(body)

    translate(body, Traits(reasoning_content=True))

    assert body == before
