"""Filters that are tools of a real MCP server, FastMCP, in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.gateway import environment, free_port

ROOT = Path(__file__).parents[2]


def main(port: int, *, stateless: bool, json: bool) -> None:
    """Serve the tools on a port until the process is ended."""
    from fastmcp import FastMCP  # noqa: PLC0415 - only that process pays for the import
    from fastmcp.exceptions import ToolError  # noqa: PLC0415

    server: Any = FastMCP("filters")

    @server.tool  # type: ignore[untyped-decorator]  # FastMCP is not imported where types are checked
    async def input_guards(body: dict[str, Any], path: str) -> dict[str, Any]:
        """Refuse what is about anything but the company."""
        if "weather" in body["messages"][-1]["content"]:
            raise ToolError("I can only assist with questions about the company.")
        return {**body, "user": path}

    @server.tool  # type: ignore[untyped-decorator]  # FastMCP is not imported where types are checked
    async def rewrite(body: dict[str, Any], path: str) -> dict[str, Any]:
        """Rewrite the last question."""
        if "messages" not in body:
            return body
        last = body["messages"][-1]
        told = {**last, "content": last["content"] + " (rewritten)"}
        return {**body, "messages": [*body["messages"][:-1], told]}

    @server.tool  # type: ignore[untyped-decorator]  # FastMCP is not imported where types are checked
    async def redact(body: dict[str, Any] | str, path: str) -> Any:
        """Take a name out of answers, whole ones and parts of streams."""
        if isinstance(body, str):
            return body.replace("Alice", "[NAME]")
        text = body["choices"][0]["message"]["content"].replace("Alice", "[NAME]")
        choice = {**body["choices"][0], "message": {"role": "assistant", "content": text}}
        return {**body, "choices": [choice]}

    server.run(
        transport="http",
        host="127.0.0.1",
        port=port,
        stateless_http=stateless,
        json_response=json,
        show_banner=False,
        log_level="ERROR",
    )


@asynccontextmanager
async def serve_mcp(
    *, stateless: bool = False, json: bool = False, port: int | None = None
) -> AsyncGenerator[str]:
    """Run the server until the block ends; yields its address, without `/mcp`."""
    where = port or free_port()
    options = [name for name, on in (("stateless", stateless), ("json", json)) if on]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.mcp_filters",
        str(where),
        *options,
        cwd=ROOT,
        env=environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await _listening(process, where)
        yield f"http://127.0.0.1:{where}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _listening(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(40):
        while True:
            if process.returncode is not None:
                _, told = await process.communicate()
                raise AssertionError(f"the MCP server ended: {told.decode()}")
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


if __name__ == "__main__":
    main(int(sys.argv[1]), stateless="stateless" in sys.argv, json="json" in sys.argv)
