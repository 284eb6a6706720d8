"""Tools of Responses clients: what the provider gets, and the way back to the client's names."""

from __future__ import annotations

from typing import Any

import pytest

from plano_filters.errors import BadRequest
from plano_filters.translation import Traits
from plano_filters.translation.responses_to_chat import translate
from tests.framework.translation.test_responses_to_chat_request import (
    CUSTOM_PARAMETERS,
    SCHEMA,
    call,
    called,
    came,
    function,
)

LOOK = {"type": "function", "name": "look", "parameters": SCHEMA}
PATCH = {"type": "custom", "name": "patch", "description": "Patches."}
FILES = {
    "type": "namespace",
    "name": "fs",
    "description": "Files.",
    "tools": [
        {"type": "function", "name": "read", "description": "Reads."},
        {"type": "custom", "name": "write"},
    ],
}
SEARCH = {"type": "web_search"}
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}

TOOLS = {
    "a flat function gets its wrapper": (
        [LOOK | {"description": "d", "strict": True}],
        [function("look", description="d", parameters=SCHEMA, strict=True)],
        (),
    ),
    "null is left out": (
        [LOOK | {"description": None, "strict": None, "parameters": None}],
        [function("look")],
        (),
    ),
    "what only Responses know is listed": (
        [LOOK | {"defer_loading": True, "output_schema": SCHEMA}],
        [function("look", parameters=SCHEMA)],
        ("tools.0.defer_loading", "tools.0.output_schema"),
    ),
    "a custom tool is a function with one string": (
        [PATCH | {"format": {"type": "text"}}],
        [function("patch", description="Patches.", parameters=CUSTOM_PARAMETERS)],
        (),
    ),
    "a grammar is told, not enforced": (
        [PATCH | {"format": GRAMMAR}],
        [
            function(
                "patch",
                description=("Patches.\n\nThe input must follow this lark grammar:\nstart: /x/"),
                parameters=CUSTOM_PARAMETERS,
            )
        ],
        ("tools.0.format",),
    ),
    "a namespace is flattened": (
        [FILES],
        [
            function("fs__read", description="Files.\n\nReads."),
            function("fs__write", parameters=CUSTOM_PARAMETERS),
        ],
        (),
    ),
    "a member that the provider would run": (
        [{"type": "namespace", "name": "n", "tools": [SEARCH, LOOK]}],
        [function("n__look", parameters=SCHEMA)],
        ("tools.0.tools.0",),
    ),
    "tools that the provider would run": (
        [SEARCH, LOOK, {"type": "mcp", "server_label": "s"}, {"type": "code_interpreter"}],
        [function("look", parameters=SCHEMA)],
        ("tools.0", "tools.2", "tools.3"),
    ),
    "a tool that is there already": (
        [LOOK, LOOK | {"description": "again"}],
        [function("look", parameters=SCHEMA)],
        ("tools.1",),
    ),
}


@pytest.mark.parametrize(("tools", "made", "dropped"), TOOLS.values(), ids=TOOLS)
def test_each_tool_becomes_a_function_or_is_listed(
    tools: list[Any], made: list[Any], dropped: tuple[str, ...]
) -> None:
    """Functions and custom tools reach the provider; those it would have to run do not."""
    outgoing = translate({"input": "hi", "tools": tools}, Traits())

    assert outgoing.payload["tools"] == made
    assert outgoing.dropped == dropped


def test_no_tool_left_is_no_tools() -> None:
    """Chat providers refuse an empty list."""
    outgoing = translate({"input": "hi", "tools": [SEARCH], "parallel_tool_calls": True}, Traits())

    assert set(outgoing.payload) == {"messages"}


def test_tools_that_the_conversation_adds_are_tools() -> None:
    """`additional_tools` joins the tools of the request."""
    items = [{"role": "user", "content": "hi"}]
    more = {"type": "additional_tools", "role": "developer", "tools": [PATCH, SEARCH]}
    outgoing = translate({"input": [*items, more], "tools": [LOOK]}, Traits())

    names = [tool["function"]["name"] for tool in outgoing.payload["tools"]]
    assert names == ["look", "patch"]
    assert outgoing.dropped == ("input.1.tools.1",)


ALL = [LOOK, PATCH, FILES, SEARCH]
NAMES = ["look", "patch", "fs__read", "fs__write"]


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def allowed(mode: str, *tools: dict[str, Any]) -> dict[str, Any]:
    return {"type": "allowed_tools", "mode": mode, "tools": list(tools)}


CHOICES = {
    "auto": ("auto", "auto", NAMES),
    "none": ("none", "none", NAMES),
    "required": ("required", "required", NAMES),
    "a function": ({"type": "function", "name": "look"}, named("look"), NAMES),
    "a custom tool": ({"type": "custom", "name": "patch"}, named("patch"), NAMES),
    "a member": (
        {"type": "function", "name": "read", "namespace": "fs"},
        named("fs__read"),
        NAMES,
    ),
    "a member by its bare name": ({"type": "function", "name": "read"}, named("fs__read"), NAMES),
    "allowed, if it likes": (
        allowed("auto", {"type": "custom", "name": "patch"}, SEARCH),
        "auto",
        ["patch"],
    ),
    "allowed, one of them": (
        allowed("required", {"type": "namespace", "name": "fs"}, named("x") | {"name": "look"}),
        "required",
        ["look", "fs__read", "fs__write"],
    ),
    "allowed, but none of ours": (allowed("auto", SEARCH), "none", NAMES),
}


@pytest.mark.parametrize(("given", "made", "names"), CHOICES.values(), ids=CHOICES)
def test_each_choice_is_kept(given: Any, made: Any, names: list[str]) -> None:
    """`tool_choice` means the same to the provider, by the names of the functions."""
    payload = translate({"input": "hi", "tools": ALL, "tool_choice": given}, Traits()).payload

    assert payload["tool_choice"] == made
    assert [tool["function"]["name"] for tool in payload["tools"]] == names


LOST = {
    "a tool nobody has": {"type": "function", "name": "jump"},
    "a tool the provider would run": SEARCH,
    "only tools the provider would run": allowed("required", SEARCH),
    "another type": 3,
}


@pytest.mark.parametrize("given", LOST.values(), ids=LOST)
def test_a_choice_that_cannot_be_kept_is_refused(given: Any) -> None:
    """The client insists on a call; an answer without it would be another one."""
    with pytest.raises(BadRequest) as caught:
        translate({"input": "hi", "tools": ALL, "tool_choice": given}, Traits())

    assert caught.value.param == "tool_choice"


@pytest.mark.parametrize(
    ("given", "made"), [("auto", None), ("none", None), (allowed("auto", SEARCH), None)]
)
def test_a_choice_among_no_tools_says_nothing(given: Any, made: None) -> None:
    """Chat providers refuse a choice without tools; without any, it is kept by leaving it out."""
    payload = translate({"input": "hi", "tools": [SEARCH], "tool_choice": given}, Traits()).payload

    assert payload.get("tool_choice") is made


def test_a_call_required_of_no_tools_is_refused() -> None:
    """`required` cannot be kept when every tool is one that the provider would run."""
    with pytest.raises(BadRequest, match="no tool is left"):
        translate({"input": "hi", "tools": [SEARCH], "tool_choice": "required"}, Traits())


def answer(tools: list[Any], name: str, arguments: str, **more: Any) -> dict[str, Any]:
    """Return the item that a client gets for a call."""
    outgoing = translate({"input": "hi", "tools": tools, **more}, Traits())
    message = {"role": "assistant", "content": None, "tool_calls": [call("c", name, arguments)]}
    whole = outgoing.answers.whole({"id": "chatcmpl-1", "choices": [{"message": message}]})
    item: dict[str, Any] = whole["output"][0]
    return item


BACK = {
    "function": ("look", "{}", {"type": "function_call", "name": "look", "arguments": "{}"}),
    "custom": (
        "patch",
        '{"input":"a\\nb"}',
        {"type": "custom_tool_call", "name": "patch", "input": "a\nb"},
    ),
    "member": (
        "fs__read",
        "{}",
        {"type": "function_call", "name": "read", "namespace": "fs", "arguments": "{}"},
    ),
    "custom member": (
        "fs__write",
        '{"input": "x"}',
        {"type": "custom_tool_call", "name": "write", "namespace": "fs", "input": "x"},
    ),
    "a tool nobody has": (
        "fs__jump",
        "{}",
        {"type": "function_call", "name": "fs__jump", "arguments": "{}"},
    ),
}


@pytest.mark.parametrize(("name", "arguments", "made"), BACK.values(), ids=BACK)
def test_a_call_comes_back_under_the_clients_name(
    name: str, arguments: str, made: dict[str, Any]
) -> None:
    """Names, namespaces and the kind of a tool are what the client declared."""
    item = answer(ALL, name, arguments)

    assert {"call_id": "c", "status": "completed", **made}.items() <= item.items()
    assert ("namespace" in item) == ("namespace" in made)


def test_names_that_are_too_long_or_taken_are_changed_and_restored() -> None:
    """No function has a name that OpenAI refuses, none a name that another has."""
    long = "m" * 60
    tools = [
        {"type": "namespace", "name": long, "tools": [LOOK, LOOK | {"name": "lock"}]},
        {"type": "function", "name": "a__b"},
        {"type": "namespace", "name": "a", "tools": [{"type": "function", "name": "b"}]},
    ]
    payload = translate({"input": "hi", "tools": tools}, Traits()).payload
    names = [tool["function"]["name"] for tool in payload["tools"]]
    items = [answer(tools, name, "{}") for name in names]

    assert len(set(names)) == 4
    assert max(map(len, names)) <= 64
    assert [(item.get("namespace"), item["name"]) for item in items] == [
        (long, "look"),
        (long, "lock"),
        (None, "a__b"),
        ("a", "b"),
    ]


def test_earlier_calls_have_the_names_of_the_functions() -> None:
    """History and tools agree, also where a name had to be changed."""
    tools = [{"type": "namespace", "name": "m" * 60, "tools": [LOOK]}]
    items = [called(namespace="m" * 60), came()]
    payload = translate({"input": items, "tools": tools}, Traits()).payload
    without = translate({"input": items}, Traits()).payload

    name = payload["tools"][0]["function"]["name"]
    assert payload["messages"][0]["tool_calls"][0]["function"]["name"] == name
    assert without["messages"] == payload["messages"]


def test_no_tool_of_codex_is_lost() -> None:
    """What Codex sends is translated but for what its own provider would run or keep."""
    body = {
        "model": "m",
        "input": [
            {
                "type": "message",
                "role": "developer",
                "content": [{"type": "input_text", "text": t} for t in ("rules", "sandbox")],
            },
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "<environment_context>"}],
            },
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "list the files"}],
            },
        ],
        "tools": [
            {"type": "function", "name": "exec_command", "strict": False, "parameters": SCHEMA},
            PATCH | {"format": GRAMMAR},
            {
                "type": "namespace",
                "name": "multi_agent_v1",
                "description": "Tools for spawning and managing sub-agents.",
                "tools": [
                    {"type": "function", "name": n, "strict": False, "parameters": SCHEMA}
                    for n in ("spawn_agent", "wait_agent", "close_agent")
                ],
            },
            {"type": "web_search", "external_web_access": False},
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"summary": "auto"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "019a",
        "client_metadata": {"x-codex-installation-id": "1"},
    }
    outgoing = translate(body, Traits())

    assert [tool["function"]["name"] for tool in outgoing.payload["tools"]] == [
        "exec_command",
        "patch",
        "multi_agent_v1__spawn_agent",
        "multi_agent_v1__wait_agent",
        "multi_agent_v1__close_agent",
    ]
    assert [message["role"] for message in outgoing.payload["messages"]] == [
        "developer",
        "user",
        "user",
    ]
    assert outgoing.dropped == ("include.0", "client_metadata", "tools.1.format", "tools.3")
