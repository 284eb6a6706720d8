"""The clients people use, as they are published: SDKs of two majors, LangChain, coding agents.

Each takes one text turn and one tool turn in front of a strict provider of each dialect.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.conftest import BACKUP_KEY, MAIN_KEY
from tests.support import strict
from tests.support.agents import Calling
from tests.support.answers import SAID
from tests.support.gateway import RunningGateway, environment, run_gateway
from tests.support.provider import FakeProvider

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLIENTS = Path(__file__).parents[1] / "clients"
MODULES = CLIENTS / "node_modules"
PREVIOUS, LANGCHAIN = CLIENTS / "previous", CLIENTS / "langchain"
"""Where `make test` installs them: see the Makefile."""
DOCUMENT = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers:
  - {model: together_ai/chat, access_key: $MAIN_KEY, base_url: $CHAT_URL}
  - {model: anthropic/claude, access_key: $BACKUP_KEY, base_url: $MESSAGES_URL, default: true}
filters:
  - alias
  - upstream: {attempts: 1}
"""
MODELS = ["together_ai/chat", "anthropic/claude"]
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Stand:
    """A gateway in front of two strict providers, each of one dialect."""

    gateway: RunningGateway
    chat: FakeProvider
    messages: FakeProvider

    def provider(self, model: str) -> FakeProvider:
        return self.chat if model == MODELS[0] else self.messages


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncGenerator[Stand]:
    """Start everything, once for the module."""
    async with AsyncExitStack() as stack:
        chat = await stack.enter_async_context(FakeProvider().serve())
        messages = await stack.enter_async_context(FakeProvider().serve())
        env = {
            "MAIN_KEY": MAIN_KEY,
            "BACKUP_KEY": BACKUP_KEY,
            "CHAT_URL": chat.url,
            "MESSAGES_URL": messages.url,
        }
        gateway = await stack.enter_async_context(run_gateway(DOCUMENT, env))
        yield Stand(gateway, chat, messages)


@pytest.fixture
def stand(running: Stand) -> Stand:
    """Return the running stand with nothing recorded."""
    running.chat.reset()
    running.messages.reset()
    running.chat.default = strict.chat
    running.messages.default = strict.messages
    return running


def needs(*paths: Path | str) -> None:
    """Skip, and say why, where something was not installed; in CI that is a failure."""
    missing = [p for p in paths if not (Path(p).exists() or shutil.which(str(p)))]
    if missing:
        text = f"{missing[0]} is missing: run `make clients`"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(text)


async def run(*command: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None,
              stdin: bytes = b"") -> str:  # fmt: skip
    """Run a client; return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=cwd or CLIENTS,
        env=environment(env),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, (out + err).decode()
    return out.decode()


def check_turns(told: dict[str, Any]) -> None:
    """Check what an SDK made of its turns."""
    assert told["plain"] == SAID
    assert told["streamed"].startswith("Hello ")
    assert told["tokens"] == 4
    assert told["call"] == ["weather", {"city": "Oslo"}]
    assert told["last"] == SAID
    assert told["error"]["status"] == 404
    assert "nobody/none" in told["error"]["message"]


JAVASCRIPT = [
    ("chat", "openai"),
    ("chat", "openai-previous"),
    ("responses", "openai"),
    ("responses", "openai-previous"),
    ("messages", "@anthropic-ai/sdk"),
    ("messages", "@anthropic-ai/sdk-previous"),
    ("vercel-chat", "ai"),
    ("vercel-responses", "ai"),
    ("vercel-messages", "ai"),
]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("kind", "library"), JAVASCRIPT)
async def test_javascript(stand: Stand, kind: str, library: str, model: str) -> None:
    """The vendors' SDKs of this major and the one before, and the Vercel AI SDK."""
    needs("node", MODULES / library)

    told = await run("node", "turns.mjs", kind, library, stand.gateway.url, model)

    check_turns(json.loads(told))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("kind", "major"), [("chat", "2."), ("responses", "2."), ("messages", "1.")]
)
async def test_previous_python(stand: Stand, kind: str, major: str, model: str) -> None:
    """The major before the one that the other tests use."""
    needs(PREVIOUS)
    env = {"PYTHONPATH": str(PREVIOUS)}

    told = json.loads(
        await run(sys.executable, "turns.py", kind, stand.gateway.url, model, env=env)
    )

    assert told.pop("version").startswith(major)
    check_turns(told)


async def test_langchain(stand: Stand) -> None:
    """LangChain's models of both vendors, and its way by Responses, with each provider."""
    needs(LANGCHAIN)
    env = {"PYTHONPATH": str(LANGCHAIN), "LANGSMITH_TRACING": "false"}

    told = json.loads(
        await run(sys.executable, "langchain_turns.py", stand.gateway.url, *MODELS, env=env)
    )

    assert len(told) == 6
    for turns in told.values():
        check_turns(turns)


def play(stand: Stand, tool: str, **arguments: Any) -> None:
    """Let the providers call a tool where it is offered."""
    calling = Calling(tool, arguments)
    stand.chat.default, stand.messages.default = calling.chat, calling.messages


@pytest.mark.parametrize("model", MODELS)
async def test_claude_code(stand: Stand, model: str, tmp_path: Path) -> None:
    """A text turn, and a turn in which it runs the command that the model asks for."""
    claude = MODULES / ".bin" / "claude"
    needs("node", claude)
    env = {
        "ANTHROPIC_BASE_URL": stand.gateway.url,
        "ANTHROPIC_API_KEY": "sk-client",
        "ANTHROPIC_MODEL": model,
        "ANTHROPIC_SMALL_FAST_MODEL": model,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "HOME": str(tmp_path),
    }
    play(stand, "Bash", command=f"echo mark > {tmp_path}/made", description="Make a file")

    text = await run(claude, "-p", "Hello", "--tools", "", env=env, cwd=tmp_path)
    told = await run(claude, "-p", "Make it", "--allowedTools", "Bash", env=env, cwd=tmp_path)

    assert SAID in text
    assert SAID in told
    assert (tmp_path / "made").read_text() == "mark\n"


@pytest.mark.parametrize("model", MODELS)
async def test_codex(stand: Stand, model: str, tmp_path: Path) -> None:
    """A text turn, and a turn in which it runs the command that the model asks for."""
    codex = MODULES / ".bin" / "codex"
    needs("node", codex)
    (tmp_path / "config.toml").write_text(
        f'model = "{model}"\nmodel_provider = "gateway"\napproval_policy = "never"\n'
        'sandbox_mode = "danger-full-access"\n'
        "[model_providers.gateway]\n"
        f'name = "gateway"\nbase_url = "{stand.gateway.url}/v1"\n'
        'env_key = "GATEWAY_KEY"\nwire_api = "responses"\n'
    )
    env = {"CODEX_HOME": str(tmp_path), "GATEWAY_KEY": "sk-client", "HOME": str(tmp_path)}
    options = ("exec", "--skip-git-repo-check", "--json")
    play(stand, "nothing")
    text = await run(codex, *options, "Hello", env=env, cwd=tmp_path)
    assert SAID in text

    play(stand, "exec_command", cmd=f"echo mark > {tmp_path}/made")
    told = await run(codex, *options, "Make it", env=env, cwd=tmp_path)
    assert SAID in told
    assert (tmp_path / "made").read_text() == "mark\n"
