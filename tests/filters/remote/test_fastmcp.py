"""A real MCP server: FastMCP in a process of its own, with sessions and without, SSE and JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from plano_builtin_filters.remote.mcp_service import McpService
from plano_builtin_filters.remote.service import Passed, Question, Refused
from plano_filters.transport import UpstreamTransport
from tests.support.gateway import free_port
from tests.support.mcp_filters import serve_mcp

PATH = "/v1/chat/completions"


def asking(text: str) -> dict[str, Any]:
    """Return a chat request."""
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}


def about(body: dict[str, Any]) -> Question:
    """Return the question about a request."""
    return Question(PATH, json.dumps(body).encode(), "application/json", ())


@asynccontextmanager
async def tool(url: str, name: str) -> AsyncGenerator[McpService]:
    """Start a service that calls a tool."""
    transport = UpstreamTransport()
    service = McpService(url, name, lambda: transport, timeout=20, limit=100_000)
    try:
        async with service.lifespan():
            yield service
    finally:
        await transport.aclose()


@pytest.mark.parametrize(
    ("stateless", "as_json"), [(False, False), (False, True), (True, False), (True, True)]
)
async def test_tools_pass_change_and_refuse(stateless: bool, as_json: bool) -> None:
    """Every way a server may answer means the same."""
    async with serve_mcp(stateless=stateless, json=as_json) as url:
        async with tool(url, "input_guards") as guard:
            passed = await guard.ask(about(asking("our prices")))
            refused = await guard.ask(about(asking("the weather")))
        async with tool(url + "/mcp", "redact") as redact:
            part = b'data: {"x":"Alice"}\n\n'
            streamed = await redact.ask(Question(PATH, part, "text/event-stream", ()))

    assert isinstance(passed, Passed)
    assert json.loads(passed.body) == {**asking("our prices"), "user": PATH}
    assert refused == Refused(400, b"I can only assist with questions about the company.")
    assert streamed == Passed(b'data: {"x":"[NAME]"}\n\n')


async def test_a_server_that_was_started_again_gets_a_new_session() -> None:
    """It does not know the old one; the request that finds out is served all the same."""
    port = free_port()
    async with serve_mcp(port=port) as url, tool(url, "rewrite") as rewrite:
        before = await rewrite.ask(about(asking("a")))
        first = rewrite._session
        assert first is not None
        assert first.id is not None
        await rewrite.ask(about(asking("b")))
        assert rewrite._session is first

    async with tool(url, "rewrite") as rewrite:
        rewrite._session = first
        async with serve_mcp(port=port):
            after = await rewrite.ask(about(asking("a")))

            assert rewrite._session != first
    assert before == after
    assert isinstance(after, Passed)
    assert json.loads(after.body)["messages"][0]["content"] == "a (rewritten)"


async def test_a_tool_that_is_not_there_refuses_everything() -> None:
    """A misspelt tool lets nothing pass."""
    async with serve_mcp() as url, tool(url, "no_such_tool") as service:
        answer = await service.ask(about(asking("a")))

    assert isinstance(answer, Refused)
    assert b"no_such_tool" in answer.body
