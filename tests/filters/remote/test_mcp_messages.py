"""MCP without a network: what is written, and what answers mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_builtin_filters.remote import mcp_messages
from plano_builtin_filters.remote.mcp_messages import Reader
from plano_builtin_filters.remote.service import Passed, Refused, ServiceFailed

RESULT = {"jsonrpc": "2.0", "id": 7, "result": {"x": 1}}
NOTICE = {"jsonrpc": "2.0", "method": "notifications/message", "params": {}}


def tool(**result: Any) -> dict[str, Any]:
    """Return the answer of a tool."""
    return {"jsonrpc": "2.0", "id": 1, "result": result}


def text(value: str) -> list[dict[str, str]]:
    """Return content of one text."""
    return [{"type": "text", "text": value}]


def test_a_call_has_the_body_and_the_path() -> None:
    """As Plano writes it: the body is JSON, of a part of a stream a string."""
    whole = json.loads(mcp_messages.call(1, "guard", b'{"a": 1}', "/v1/x", text=False))
    part = json.loads(mcp_messages.call(2, "guard", b"data: 1\n\n", "/v1/x", text=True))

    assert whole == {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "guard", "arguments": {"body": {"a": 1}, "path": "/v1/x"}},
    }
    assert part["params"]["arguments"]["body"] == "data: 1\n\n"


def test_a_body_that_is_no_json_is_not_called_with() -> None:
    """It fails before anything is sent."""
    with pytest.raises(ServiceFailed, match="no JSON object"):
        mcp_messages.call(1, "guard", b"[1]", "/v1/x", text=False)


def test_a_session_begins_with_two_messages() -> None:
    """A request that names a revision of the protocol, and a notification without a number."""
    begin, notice = json.loads(mcp_messages.initialize(1)), json.loads(mcp_messages.initialized())

    assert begin["params"]["protocolVersion"] == mcp_messages.VERSION
    assert (notice["method"], "id" in notice) == ("notifications/initialized", False)


@pytest.mark.parametrize(
    ("answer", "meant"),
    [
        (tool(structuredContent={"result": {"a": 1}}, content=text("x")), Passed(b'{"a":1}')),
        (tool(structuredContent={"a": 1}, content=text('{"a": 1}')), Passed(b'{"a": 1}')),
        (tool(structuredContent={"result": "data: 1\n\n"}), Passed(b"data: 1\n\n")),
        (tool(content=text('{"a": 1}')), Passed(b'{"a": 1}')),
        (tool(isError=True, content=text("not this")), Refused(400, b"not this")),
        (tool(isError=True), Refused(400, b"the filter refused it")),
    ],
)
def test_what_a_tool_says(answer: dict[str, Any], meant: object) -> None:
    """Structured content counts if it is Plano's, else the text; an error refuses."""
    assert mcp_messages.verdict(answer) == meant


@pytest.mark.parametrize(
    "answer",
    [
        tool(),
        tool(content=[]),
        tool(content=[{"type": "image"}]),
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "secret"}},
        {"jsonrpc": "2.0", "id": 1, "result": [1]},
    ],
)
def test_what_means_nothing_is_a_failure(answer: dict[str, Any]) -> None:
    """And what a JSON-RPC error says stays out of the log."""
    with pytest.raises(ServiceFailed) as failed:
        mcp_messages.verdict(answer)
    assert "secret" not in str(failed.value)


def test_a_server_chooses_the_revision() -> None:
    """One that names none, or one that no header can carry, is none to talk to."""
    assert mcp_messages.version(tool(protocolVersion="2024-11-05")) == "2024-11-05"
    for odd in (tool(), tool(protocolVersion=1), tool(protocolVersion="a\nb")):
        with pytest.raises(ServiceFailed):
            mcp_messages.version(odd)


def sse(*documents: dict[str, Any]) -> bytes:
    """Return documents as a stream of events."""
    events = [b"event: message\r\ndata: %b\r\n\r\n" % json.dumps(d).encode() for d in documents]
    return b"".join(events)


@given(st.integers(1, 40))
def test_the_answer_is_found_among_other_messages(size: int) -> None:
    """However the stream is cut into chunks; it need not end."""
    reader = Reader(7, "text/event-stream", 10_000)
    stream = sse(NOTICE, {**RESULT, "id": 6}, RESULT)
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]

    found = [one for one in map(reader.feed, chunks) if one is not None]

    assert found == [RESULT]


def test_an_answer_may_be_plain_json_or_lack_its_blank_line() -> None:
    """Plano takes neither; the protocol allows the first, and servers do the second."""
    plain, torn = Reader(7, "application/json", 1000), Reader(7, "text/event-stream; x=y", 1000)
    plain.feed(json.dumps(RESULT).encode())
    torn.feed(sse(RESULT).rstrip())

    assert plain.end() == torn.end() == RESULT


@pytest.mark.parametrize("body", [b"", b"no json", b"[1]", json.dumps(NOTICE).encode()])
@pytest.mark.parametrize("media_type", ["application/json", "text/event-stream"])
def test_what_is_no_answer_is_a_failure(body: bytes, media_type: str) -> None:
    """Nothing is guessed."""
    reader = Reader(7, media_type, 1000)
    reader.feed(body)

    with pytest.raises(ServiceFailed, match="no answer"):
        reader.end()


def test_an_answer_has_a_largest_size() -> None:
    """A server that sends without end is not read without end."""
    reader = Reader(7, "text/event-stream", 100)

    with pytest.raises(ServiceFailed, match="larger than 100 bytes"):
        reader.feed(b"x" * 101)
