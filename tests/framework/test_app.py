"""The app: its paths, its middleware, its start, its reload; and other servers."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import certifi
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plano_filters.app import Service, check, create_app
from plano_filters.config import Loaded, load_text
from plano_filters.errors import ConfigError
from tests.support.gateway import environment, free_port
from tests.support.serving import serve

TEXT = """
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 0}]
model_providers:
  - {model: mock/fast, default: true}
"""
CHAT = {"model": "mock/fast", "messages": [{"role": "user", "content": "hi"}]}


class Stamp:
    """Middleware that adds its name to a header of every answer."""

    def __init__(self, app: ASGIApp, name: str = "stamp") -> None:
        if not name:
            raise ValueError("a stamp needs a name")
        self.app = app
        self.name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-stamp", self.name.encode())]
            await send(message)

        await self.app(scope, receive, stamped)


def service(extra: str = "") -> Service:
    return Service(load_text(TEXT + extra, name="plano.yaml"))


@asynccontextmanager
async def served(made: Service) -> AsyncGenerator[aiohttp.ClientSession]:
    async with (
        serve(made.app) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as client,
    ):
        yield client


async def ask(
    client: aiohttp.ClientSession, method: str, path: str, **options: Any
) -> tuple[int, Any, str]:
    """Return status, headers and text of an answer."""
    async with client.request(method, path, **options) as answer:
        return answer.status, answer.headers, await answer.text()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/healthz", 200),
        ("OPTIONS", "/v1/chat/completions", 204),
        ("GET", "/v1/models", 200),
        ("GET", "/v1/chat/completions", 405),
        ("GET", "/v1/v1/models", 200),
        ("GET", "/v1/messages", 405),
        ("GET", "/v1/messages/count_tokens", 405),
        ("GET", "/v1/v1/messages", 405),
        ("POST", "/v1/nothing", 404),
        ("GET", "/nothing", 404),
        ("GET", "/v1", 404),
        ("GET", "/metrics", 404),
        ("GET", "/readyz", 404),
        ("GET", "/-/config", 404),
        ("POST", "/-/reload", 404),
        ("POST", "/healthz", 404),
    ],
)
async def test_paths(method: str, path: str, status: int) -> None:
    """The API and two probes are there; the admin listener's paths are not."""
    async with served(service()) as client:
        got, headers, text = await ask(client, method, path)

    assert got == status
    if status == 404:
        assert json.loads(text)["error"]["code"] == "not_found"
    if path not in ("/", "/healthz") or status == 404:
        assert headers["request-id"] == headers["x-request-id"]


class Broken:
    """Middleware that fails."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raise RuntimeError("a secret")
        await self.app(scope, receive, send)


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/chat/completions", None), ("/v1/messages", "error")]
)
async def test_middleware_that_fails_is_told_in_the_callers_dialect(
    path: str, kind: str | None
) -> None:
    """The text is ours, and the exception is in the log only."""
    async with served(service(f"\nmiddleware: [{__name__}:Broken]\n")) as client:
        status, headers, text = await ask(client, "POST", path, json=CHAT)

    assert status == 500
    assert json.loads(text).get("type") == kind
    assert "secret" not in text
    assert headers["x-plano-error-source"] == "gateway"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("POST", "/v1/messages", b"x" * 2000, 413, "invalid_request_error"),
        ("PUT", "/v1/messages", b"{}", 405, "invalid_request_error"),
        ("POST", "/v1/messages/batches", b"{}", 404, "not_found_error"),
        ("POST", "/v1/v1/messages", b"{", 400, "invalid_request_error"),
        ("POST", "/v1/messages/count_tokens", b"{", 400, "invalid_request_error"),
    ],
)
async def test_the_frameworks_errors_on_anthropics_paths_are_anthropics(
    method: str, path: str, body: bytes, status: int, kind: str
) -> None:
    """Whoever in the gateway makes them."""
    headers = {"content-type": "application/json"}
    async with served(service("limits: {body: 1024}")) as client:
        got, answered, text = await ask(client, method, path, data=body, headers=headers)

    document = json.loads(text)
    assert (got, document["type"], document["error"]["type"]) == (status, "error", kind)
    assert document["request_id"] == answered["request-id"]


async def test_a_request_goes_through_the_chain() -> None:
    """From the socket to the provider and back."""
    async with served(service()) as client:
        status, headers, text = await ask(client, "POST", "/v1/chat/completions", json=CHAT)

    assert (status, headers["x-plano-model"]) == (200, "mock/fast")
    assert json.loads(text)["object"] == "chat.completion"


async def test_middleware_is_put_around_the_gateway_outermost_first() -> None:
    """The first of the list sees an answer last."""
    stamps = f"""
middleware:
  - use: {__name__}:Stamp
    options: {{name: outer}}
  - {__name__}:Stamp
"""
    async with served(service(stamps)) as client:
        _, headers, _ = await ask(client, "GET", "/v1/models")

    assert headers.getall("x-stamp") == ["stamp", "outer"]


@pytest.mark.parametrize(
    ("middleware", "message"),
    [
        ("no_such_module:Thing", "cannot be imported: No module named 'no_such_module'"),
        (f"{__name__}:Nothing", "cannot be imported"),
        ("nothing", "cannot be imported"),
        (f"{{use: '{__name__}:Stamp', options: {{nmae: x}}}}", "does not take these options"),
    ],
)
def test_middleware_that_cannot_be_used_is_a_located_problem(middleware: str, message: str) -> None:
    """Import path and options are checked without starting anything."""
    loaded = load_text(f"{TEXT}middleware:\n  - {middleware}\n", name="plano.yaml")
    with pytest.raises(ConfigError) as failed:
        check(loaded)

    assert message in str(failed.value)
    assert "plano.yaml:7" in str(failed.value)


def test_middleware_that_refuses_its_options_is_a_problem() -> None:
    """What a constructor raises is reported as what it is: a wrong configuration."""
    extra = f"middleware:\n  - {{use: '{__name__}:Stamp', options: {{name: ''}}}}\n"
    with pytest.raises(ConfigError, match="a stamp needs a name"):
        service(extra)


async def test_the_documents_limits_hold_under_any_server() -> None:
    """The guard is part of the app, not of our own server."""
    async with served(service("limits: {headers: 10}\n")) as client:
        many = {f"x-{number}": "y" for number in range(20)}
        status, _, text = await ask(client, "GET", "/v1/models", headers=many)

    assert (status, json.loads(text)["error"]["code"]) == (431, "headers_too_large")


async def test_a_reload_changes_the_chain_and_counts() -> None:
    """New requests see the new document; the generation says how often that happened."""
    made = service()
    aliased = TEXT + "model_aliases: {quick: {target: mock/fast}}\n"
    request = {**CHAT, "model": "quick"}
    async with served(made) as client:
        before, _, _ = await ask(client, "POST", "/v1/chat/completions", json=request)
        await made.reload(lambda: load_text(aliased))
        after, _, _ = await ask(client, "POST", "/v1/chat/completions", json=request)

    assert (before, after, made.generation) == (404, 200, 2)


async def test_a_reloaded_model_has_a_label_of_its_own() -> None:
    """Metrics tell the models of the document that is served, and keep those of the last one."""
    made = service()
    added = TEXT + "  - {model: mock/late}\n"
    async with served(made) as client:
        await ask(client, "POST", "/v1/chat/completions", json=CHAT)
        await made.reload(lambda: load_text(added))
        await ask(client, "POST", "/v1/chat/completions", json={**CHAT, "model": "late"})
        await ask(client, "POST", "/v1/chat/completions", json=CHAT)

    tries = "plano_upstream_attempts_total"
    labels = [{"target": name, "reason": "served"} for name in ("mock/fast", "mock/late")]
    assert [made.meter.registry.get_sample_value(tries, one) for one in labels] == [2, 1]


async def test_the_configurations_hash_changes_with_it() -> None:
    """Instances that serve different files can be told apart by one number."""
    made, same = service(), service()

    def seen(one: Service) -> float | None:
        return one.meter.registry.get_sample_value("plano_config_hash")

    first = seen(made)
    async with served(made):
        await made.reload(lambda: load_text(TEXT + "# another\n"))

    assert first is not None
    assert first == seen(same) != seen(made)


async def test_a_ca_bundle_that_changed_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Connections to providers keep the old one until a restart."""
    made = service()
    async with served(made):
        await made.reload(
            lambda: load_text(f"{TEXT}overrides: {{upstream_tls_ca_path: {certifi.where()}}}\n")
        )

    assert "overrides.upstream_tls_ca_path changed; restart the gateway" in caplog.text


async def test_a_reload_that_cannot_be_keeps_everything() -> None:
    """The old document serves on, and the reason is kept to be shown."""
    made = service()

    def wrong() -> Loaded:
        return load_text(TEXT + "filters: [upstraem]\n")

    async with served(made) as client:
        with pytest.raises(ConfigError):
            await made.reload(wrong)
        status, _, _ = await ask(client, "POST", "/v1/chat/completions", json=CHAT)

    assert (status, made.generation) == (200, 1)
    assert made.reload_error is not None
    assert "upstraem" in made.reload_error


def test_create_app_reads_the_file_of_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`PLANO_FILTERS_CONFIG` names the file, whatever the working directory is."""
    path = tmp_path / "some.yaml"
    path.write_text(TEXT + "filters: [upstraem]\n")
    monkeypatch.setenv("PLANO_FILTERS_CONFIG", str(path))
    with pytest.raises(ConfigError, match="upstraem"):
        create_app()


SERVERS = {
    "uvicorn": ("uvicorn", "--factory"),
    "granian": ("granian", "--interface", "asgi", "--factory"),
}


@pytest.mark.parametrize("name", SERVERS)
async def test_other_servers_serve_the_app(name: str, tmp_path: Path) -> None:
    """The app needs nothing of our own server: chat and stream work elsewhere."""
    path, port = tmp_path / "plano.yaml", free_port()
    path.write_text(TEXT)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *SERVERS[name], "plano_filters.app:create_app"),
        *("--host", "127.0.0.1", "--port", str(port)),
        env=environment({"PLANO_FILTERS_CONFIG": str(path)}),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            await until_served(client)
            status, headers, _ = await ask(client, "POST", "/v1/chat/completions", json=CHAT)
            stream = {**CHAT, "stream": True}
            _, _, text = await ask(client, "POST", "/v1/chat/completions", json=stream)
    finally:
        process.terminate()
        await process.wait()

    assert (status, headers["x-plano-model"]) == (200, "mock/fast")
    assert text.rstrip().endswith("data: [DONE]")


async def until_served(client: aiohttp.ClientSession) -> None:
    """Wait until the other process answers."""
    async with asyncio.timeout(30):
        while True:
            try:
                async with client.get("/healthz") as answer:
                    assert answer.status == 200
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
