"""The command as scripts and orchestrators use it: exit statuses, signals, files."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.support import behaviours
from tests.support.answers import SAID, chat_events
from tests.support.commands import plano_filters
from tests.support.gateway import free_port, run_gateway
from tests.support.provider import FakeProvider

ROOT = Path(__file__).parents[2]
PLANO_FILES = sorted((ROOT / "configs" / "plano").glob("*.yaml"))
MOCK = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers: [{model: mock/gpt-mock, default: true}]
"""


def test_a_wrong_file_stops_the_start(tmp_path: Path) -> None:
    """Status 2, the place and a suggestion on stderr, no traceback, and nothing ever listened."""
    path = tmp_path / "config.yaml"
    port = free_port()
    text = MOCK.replace("12000", str(port)).replace("default: true", "defualt: true")
    path.write_text(text, encoding="utf-8")

    with socket.create_server(("127.0.0.1", port)):  # so binding it would fail otherwise
        done = plano_filters("run", str(path), "--admin", "127.0.0.1:0")

    assert done.returncode == 2
    assert f"{path}:3:" in done.stderr
    assert 'did you mean "default"?' in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("text", ["", "[]", "a: [", "\t- x", "version: v9", "filters: 7"])
def test_a_file_that_is_no_document(tmp_path: Path, text: str) -> None:
    """Empty, broken and odd files are refused with status 2 and a sentence."""
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    done = plano_filters("run", str(path))

    assert done.returncode == 2
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there() -> None:
    """A missing file is named."""
    done = plano_filters("run", "/does/not/exist.yaml")

    assert done.returncode == 2
    assert "/does/not/exist.yaml" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("taken", ["listener", "admin"])
def test_a_taken_address(tmp_path: Path, taken: str) -> None:
    """An address that somebody else has is named, and the status is 1."""
    path = tmp_path / "config.yaml"
    path.write_text(MOCK, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        ports = (port, 0) if taken == "listener" else (0, port)
        done = plano_filters(
            "run", str(path), "--port", str(ports[0]), "--admin", f"127.0.0.1:{ports[1]}"
        )

    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_gateway_without_a_key() -> None:
    """The built-in mock answers an SDK, plain and streamed."""
    async with (
        run_gateway(MOCK) as gateway,
        openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none") as sdk,
    ):
        messages: list[Any] = [{"role": "user", "content": "Hello"}]
        model = "mock/gpt-mock"
        plain = await sdk.chat.completions.create(model=model, messages=messages)
        stream = await sdk.chat.completions.create(model=model, messages=messages, stream=True)
        pieces = [chunk.choices[0].delta.content async for chunk in stream]

    assert plain.choices[0].message.content
    assert len(pieces) > 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_a_stream_finish(number: signal.Signals) -> None:
    """A stream that runs when the signal comes ends whole; the process then ends with 0."""
    text = MOCK.replace("mock/gpt-mock", "openai/main, base_url: $MAIN_URL, access_key: $KEY")
    async with FakeProvider().serve() as provider:
        provider.default = behaviours.sse(chat_events("main"), delay=0.15)
        env = {"MAIN_URL": provider.url, "KEY": "sk-main"}
        async with (
            run_gateway(text, env) as gateway,
            httpx.AsyncClient(trust_env=False) as http,
            http.stream(
                "POST",
                f"{gateway.url}/v1/chat/completions",
                json={"model": "main", "stream": True},
            ) as answer,
        ):
            chunks = answer.aiter_raw()
            first = await anext(chunks)
            gateway.process.send_signal(number)
            rest = b"".join([chunk async for chunk in chunks])
            async with asyncio.timeout(10):
                assert await gateway.process.wait() == 0

    assert first + rest == b"".join(chat_events("main"))


async def test_zero_config() -> None:
    """Without a file every known provider is there by wildcard, with the client's own key."""
    async with run_gateway("", file=False) as gateway, httpx.AsyncClient(trust_env=False) as http:
        models = (await http.get(f"{gateway.url}/v1/models")).json()["data"]
        shown = (await http.get(f"{gateway.admin_url}/-/config")).json()["document"]

    owners = {model["owned_by"] for model in models}
    assert {"openai", "anthropic"} <= owners
    entries = {entry["model"]: entry for entry in shown["model_providers"]}
    assert entries["openai/*"]["passthrough_auth"] is True


async def test_the_clients_key_is_passed_on_where_it_is_asked_for() -> None:
    """With `passthrough_auth` the provider gets the client's credential."""
    text = MOCK.replace("mock/gpt-mock", "openai/main, base_url: $MAIN_URL, passthrough_auth: true")
    async with FakeProvider().serve() as provider:
        env = {"MAIN_URL": provider.url}
        async with (
            run_gateway(text, env) as gateway,
            openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="sk-of-the-client") as sdk,
        ):
            answer = await sdk.chat.completions.create(model="main", messages=[])

    assert answer.choices[0].message.content == SAID
    assert provider.requests[0].headers["authorization"] == "Bearer sk-of-the-client"


def test_there_are_plano_files() -> None:
    """The examples in Plano's shapes are there to be tried."""
    assert PLANO_FILES


@pytest.mark.parametrize("path", PLANO_FILES, ids=lambda path: path.stem)
async def test_a_plano_file_starts_and_serves(path: Path) -> None:
    """Each example is taken as it is, listens, and lists its models."""
    text = path.read_text(encoding="utf-8")
    env = {name: f"value-of-{name.lower()}" for name in re.findall(r"\$\{?([A-Z][A-Z0-9_]+)", text)}
    env |= {name: "redis://127.0.0.1:6379" for name in env if "REDIS" in name}
    # Files that say so have parts that are not served here.
    arguments = ("--compat", "warn") if "--compat warn" in text else ()
    text = re.sub(r"(\bport:\s*)\d+", lambda found: found[1] + str(free_port()), text)
    async with (
        run_gateway(text, env, own_ports=True, arguments=arguments) as gateway,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        answer = await http.get(f"{gateway.url}/v1/models")

    assert answer.status_code == 200
    assert answer.json()["data"]
