"""Messages requests as Converse requests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plano_filters.dialect import Dialect
from plano_filters.errors import BadRequest
from plano_filters.translation import Traits, converse
from plano_filters.translation.messages_to_converse import translate

CLAUDE, NOVA = "us.anthropic.claude-x", "amazon.nova-x"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
USER = {"role": "user", "content": "Hello"}


def made(model: str = NOVA, **body: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    given = {"model": model, "max_tokens": 9, "messages": [USER], **body}
    outgoing = translate(given, Traits())
    return outgoing.payload, outgoing.dropped


def content(*blocks: dict[str, Any], model: str = CLAUDE) -> list[dict[str, Any]]:
    """Return what the blocks of a user become."""
    payload, _ = made(model, messages=[{"role": "user", "content": list(blocks)}])
    found: list[dict[str, Any]] = payload["messages"][0]["content"]
    return found


def data(kind: str, media_type: str) -> dict[str, Any]:
    return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": "AAAA"}}


def test_a_whole_request() -> None:
    """The model and `stream` are in the URL; the parameters have other names."""
    payload, dropped = made(
        system="Be brief", stream=True, temperature=0.5, top_p=0.9, stop_sequences=["x"]
    )

    assert payload == {
        "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
        "system": [{"text": "Be brief"}],
        "inferenceConfig": {
            "maxTokens": 9,
            "temperature": 0.5,
            "topP": 0.9,
            "stopSequences": ["x"],
        },
    }
    assert dropped == ()


@pytest.mark.parametrize(
    ("block", "theirs"),
    [
        ({"type": "text", "text": "a"}, [{"text": "a"}]),
        ({"type": "text", "text": " "}, []),
        (data("image", "image/png"), [{"image": {"format": "png", "source": {"bytes": "AAAA"}}}]),
        (
            {**data("document", "application/pdf"), "title": "My: plan/2.pdf"},
            [{"document": {"format": "pdf", "name": "My plan 2 pdf", "source": {"bytes": "AAAA"}}}],
        ),
        (
            {"type": "document", "source": {"type": "text", "data": "hi"}},
            [{"document": {"format": "txt", "name": "document 1", "source": {"bytes": "aGk="}}}],
        ),
        (
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
            [{"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}}],
        ),
        (
            {"type": "tool_result", "tool_use_id": "t1", "content": "ok"},
            [{"toolResult": {"toolUseId": "t1", "content": [{"text": "ok"}]}}],
        ),
        (
            {"type": "tool_result", "tool_use_id": "t1", "is_error": True},
            [{"toolResult": {"toolUseId": "t1", "content": [], "status": "error"}}],
        ),
        (
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            [{"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}],
        ),
        (
            {"type": "redacted_thinking", "data": "AAAA"},
            [{"reasoningContent": {"redactedContent": "AAAA"}}],
        ),
        (
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            [{"text": "a"}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
        ),
    ],
)
def test_blocks(block: dict[str, Any], theirs: list[dict[str, Any]]) -> None:
    """Each kind has its own; a blank text is none, and a cache point stands behind."""
    assert content({"type": "text", "text": "first"}, block) == [{"text": "first"}, *theirs]


@pytest.mark.parametrize(
    ("block", "param"),
    [
        ({"type": "image", "source": {"type": "url", "url": "http://x"}}, "source"),
        (data("image", "image/tiff"), "source"),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, "source"),
        ({"type": "server_tool_use", "id": "t", "name": "n", "input": {}}, "type"),
        ({"type": "tool_use", "id": "t", "name": "n"}, "input"),
        ({"type": "text"}, "text"),
    ],
)
def test_what_cannot_be_said_is_refused(block: dict[str, Any], param: str) -> None:
    """It would be another question without; the field is named."""
    with pytest.raises(BadRequest) as refused:
        content(block)

    assert refused.value.param == f"messages.0.content.0.{param}"


def test_turns_of_one_role_become_one() -> None:
    """Converse wants them to alternate; instructions in between go to the system prompt."""
    talk = [
        USER,
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": [{"type": "text", "text": "there"}]},
        {"role": "assistant", "content": ""},
    ]
    payload, _ = made(messages=talk)

    assert payload["messages"] == [
        {"role": "user", "content": [{"text": "Hello"}, {"text": "there"}]}
    ]
    assert payload["system"] == [{"text": "Be brief"}]


@pytest.mark.parametrize(
    ("choice", "theirs"),
    [
        (None, {}),
        ({"type": "auto"}, {"toolChoice": {"auto": {}}}),
        ({"type": "any"}, {"toolChoice": {"any": {}}}),
        ({"type": "tool", "name": "f"}, {"toolChoice": {"tool": {"name": "f"}}}),
    ],
)
def test_tools(choice: dict[str, Any] | None, theirs: dict[str, Any]) -> None:
    """A tool is a `toolSpec`, and the choice among them an object with one member."""
    tool = {"name": "f", "description": "d", "input_schema": SCHEMA, "strict": True}
    payload, dropped = made(tools=[tool], tool_choice=choice)

    spec = {"name": "f", "description": "d", "inputSchema": {"json": SCHEMA}, "strict": True}
    assert payload["toolConfig"] == {"tools": [{"toolSpec": spec}], **theirs}
    assert dropped == ()


def test_the_choice_of_none() -> None:
    """Without calls there are simply no tools; with them it has no word, and is listed."""
    tools = [{"name": "f", "input_schema": SCHEMA}]
    use = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    talk = [
        USER,
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]},
    ]
    none = {"type": "none"}

    assert "toolConfig" not in made(tools=tools, tool_choice=none)[0]
    assert made(tools=tools, tool_choice=none, messages=talk)[1] == ("tool_choice",)
    assert made(messages=talk)[0]["toolConfig"]["tools"][0]["toolSpec"]["name"] == "f"


def test_names_of_tools_come_back() -> None:
    """A long or a strange name is made to fit, differs from its like, and returns as it was."""
    names = ["f" * 100, "f" * 99 + "g", "a.b", "a:b"]
    outgoing = translate(
        {
            "model": NOVA,
            "messages": [USER],
            "tools": [{"name": name, "input_schema": SCHEMA} for name in names],
        },
        Traits(),
    )
    theirs = [tool["toolSpec"]["name"] for tool in outgoing.payload["toolConfig"]["tools"]]
    blocks = [{"type": "tool_use", "id": "t", "name": name, "input": {}} for name in theirs]
    stream = outgoing.answers.stream()
    (started,) = stream.take({"type": "content_block_start", "content_block": blocks[0]})

    assert len(set(theirs)) == 4
    assert max(map(len, theirs)) <= 64
    assert [b["name"] for b in outgoing.answers.whole({"content": blocks})["content"]] == names
    assert started["content_block"]["name"] == names[0]


def test_what_is_for_claude_alone() -> None:
    """Thinking, `top_k` and cache points are listed where another model is asked."""
    thinking = {"type": "enabled", "budget_tokens": 1024}
    body: dict[str, Any] = {
        "thinking": thinking,
        "top_k": 3,
        "output_config": {"effort": "low"},
        "system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}],
    }
    claude, kept = made(CLAUDE, **body)
    nova, dropped = made(NOVA, **body)

    assert claude["additionalModelRequestFields"] == {
        "thinking": thinking,
        "top_k": 3,
        "output_config": {"effort": "low"},
    }
    assert claude["system"][1] == {"cachePoint": {"type": "default"}}
    assert kept == ()
    assert "additionalModelRequestFields" not in nova
    assert nova["system"] == [{"text": "a"}]
    assert dropped == ("system.0.cache_control", "thinking", "top_k", "output_config.effort")


def test_a_schema_of_the_answer() -> None:
    """It is a string there, with a name."""
    payload, _ = made(output_config={"format": {"type": "json_schema", "schema": SCHEMA}})
    form = payload["outputConfig"]["textFormat"]

    assert form["type"] == "json_schema"
    assert json.loads(form["structure"]["jsonSchema"]["schema"]) == SCHEMA


def test_what_has_no_word_is_listed() -> None:
    """Known or not, by its path."""
    unsigned = {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}]}
    _, dropped = made(
        metadata={"user_id": "u"},
        mcp_servers=[{"x": 1}],
        strange=1,
        tools=[{"type": "web_search_20250305", "name": "web_search"}],
        messages=[USER, unsigned],
    )

    assert dropped == ("metadata", "mcp_servers", "strange", "messages.1.content.0", "tools.0")


@pytest.mark.parametrize(
    ("client", "body", "lost"),
    [
        ("chat", {"messages": [USER], "user": "u", "reasoning_effort": "low", "seed": 1},
         {"user", "reasoning_effort", "seed"}),
        ("responses", {"input": "Hello", "reasoning": {"effort": "low"}}, {"reasoning"}),
    ],
)  # fmt: skip
def test_other_clients_go_by_way_of_messages(
    client: Dialect, body: dict[str, Any], lost: set[str]
) -> None:
    """What is lost has the client's name, and no limit is made up for who gave none."""
    translate_client = converse(client)
    assert translate_client is not None
    outgoing = translate_client({"model": NOVA, **body}, Traits())

    assert outgoing.payload == {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
    assert set(outgoing.dropped) == lost


def test_a_refusal_of_the_second_step() -> None:
    """It comes in words alone: the path would be that of another request."""
    picture = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    ask = converse("chat")
    assert ask is not None
    with pytest.raises(BadRequest, match="images as png") as refused:
        ask({"model": NOVA, "messages": [{"role": "user", "content": [picture]}]}, Traits())

    assert refused.value.param is None


def test_there_is_no_way_for_embeddings() -> None:
    """Converse makes none."""
    assert converse("embeddings") is None
