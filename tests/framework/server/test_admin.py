"""The admin listener, over a real socket."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from plano_filters.app import check
from plano_filters.config import Problem, load_text
from plano_filters.errors import ConfigError, GatewayError, Unavailable
from plano_filters.explain import explain
from plano_filters.messages import Request
from plano_filters.server.admin import Current, admin_app
from tests.framework.server.raw import Answer, get, serving

TEXT = """
version: v0.4.0
model_providers:
  - {model: mock/fast, default: true, access_key: $MOCK_KEY}
"""


class Status:
    """Tells what the test wants told."""

    def __init__(self) -> None:
        loaded = load_text(TEXT, env={"MOCK_KEY": "very-secret"})
        self.now = Current(loaded, check(loaded), 3, "the last one was wrong")
        self.ready = True
        self.failure: Exception | None = None

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        return self.ready, {"status": "ready" if self.ready else "draining"}

    def current(self) -> Current:
        return self.now

    def metrics(self) -> tuple[bytes, str]:
        return b"plano_inflight 0\n", "text/plain; version=1.0.0"

    async def reload(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def sources(self) -> dict[str, Any]:
        return {"sources": self.now.chain.reports()}

    async def explain(self, request: Request) -> dict[str, Any]:
        if isinstance(self.failure, GatewayError):
            raise self.failure
        return (await explain(self.now.chain, request)).to_dict()


async def ask(status: Status, path: str, method: str = "GET") -> Answer:
    async with serving(admin_app(status)) as listening:
        return await listening.ask(get(path).replace(b"GET", method.encode(), 1))


async def test_health_and_readiness_are_two_things() -> None:
    """A draining process lives, but wants no requests."""
    status = Status()
    assert (await ask(status, "/readyz")).status == 200
    status.ready = False

    assert (await ask(status, "/healthz")).status == 200
    answer = await ask(status, "/readyz")
    assert (answer.status, answer.json["status"]) == (503, "draining")


async def test_the_configuration_is_shown_without_secrets() -> None:
    """The effective document, what it was made from, and why the last reload failed."""
    answer = await ask(Status(), "/-/config")

    assert b"very-secret" not in answer.body
    assert answer.json["generation"] == 3
    assert answer.json["sha256"] == hashlib.sha256(TEXT.encode()).hexdigest()
    assert answer.json["reload_error"] == "the last one was wrong"
    assert answer.json["document"]["model_providers"][0]["model"] == "mock/fast"


async def test_what_filters_go_by_is_shown() -> None:
    """Each filter that reports something; a chain that was not started reports nothing."""
    status = Status()
    assert (await ask(status, "/-/sources")).json == {"sources": {}}
    async with status.now.chain.lifespan():
        answer = await ask(status, "/-/sources")

    assert answer.json["sources"]["rerank"]["cost"]["used"] == "genai-prices"


async def test_the_chain_is_shown() -> None:
    """Each filter with its envelope, in order."""
    answer = await ask(Status(), "/-/filters")

    assert answer.json["chain"] == "alias -> affinity -> classify -> rerank -> upstream"
    assert [one["id"] for one in answer.json["filters"]] == [
        "alias",
        "affinity",
        "classify",
        "rerank",
        "upstream",
    ]


async def test_metrics_have_their_own_type() -> None:
    """Prometheus decides by the content type how to read them."""
    answer = await ask(Status(), "/metrics")

    assert answer.body == b"plano_inflight 0\n"
    assert answer.headers["content-type"] == "text/plain; version=1.0.0"


async def test_a_reload_is_asked_for_by_post() -> None:
    """A GET, which a browser may send by itself, reloads nothing."""
    assert (await ask(Status(), "/-/reload")).status in (404, 405)
    answer = await ask(Status(), "/-/reload", "POST")

    assert (answer.status, answer.json) == (200, {"reloaded": True, "generation": 3})


@pytest.mark.parametrize(
    ("failure", "status"),
    [(ConfigError([Problem("error", "no such key")]), 422), (RuntimeError("no such key"), 500)],
)
async def test_a_reload_that_fails_says_why(failure: Exception, status: int) -> None:
    """A wrong document is told apart from a filter that does not start."""
    told = Status()
    told.failure = failure
    answer = await ask(told, "/-/reload", "POST")

    assert answer.status == status
    assert answer.json["reloaded"] is False
    assert b"no such key" in answer.body


CHAT = {"model": "fast", "messages": [{"role": "user", "content": "very-private"}]}


async def post(status: Status, body: bytes) -> Answer:
    head = (
        f"POST /-/explain HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}"
    )
    async with status.now.chain.lifespan(), serving(admin_app(status)) as listening:
        return await listening.ask(f"{head}\r\n\r\n".encode() + body)


async def test_a_request_is_explained_by_the_chain_that_serves() -> None:
    """A chat body as it is, or with a path and headers; no prompt and no secret comes back."""
    bare = await post(Status(), json.dumps(CHAT).encode())
    headers = {"x-plano-fallback": "off", "authorization": "Bearer very-secret"}
    asked = {"path": "/routing/v1/responses", "headers": headers, "body": {"input": "hi"}}
    whole = await post(Status(), json.dumps(asked).encode())

    assert (bare.status, whole.status) == (200, 200)
    assert bare.json["verdict"]["models"] == ["mock/fast"]
    assert [step["filter"] for step in bare.json["steps"]] == [
        "alias", "affinity", "classify", "rerank",
    ]  # fmt: skip
    assert whole.json["path"] == "/routing/v1/responses"
    assert "the request says so" in whole.json["steps"][0]["decisions"][0]["text"]
    assert b"very-" not in bare.body + whole.body


async def test_a_request_that_would_be_refused_is_explained_too() -> None:
    """That is what one asks for; only what cannot be read is a 400."""
    unknown = await post(Status(), json.dumps({**CHAT, "model": "slow"}).encode())
    broken = await post(Status(), b"{")

    assert (unknown.status, unknown.json["verdict"]["code"]) == (200, "model_not_found")
    assert (broken.status, broken.json["verdict"]["code"]) == (200, "invalid_json")


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"body": {}, "path": 5}, "path"),
        ({"body": {}, "headers": []}, "headers"),
        ({"body": {}, "headers": {"x": 5}}, "headers"),
        ({"body": {}, "headers": {"x": "a\nb"}}, "headers"),
    ],
)
async def test_what_cannot_be_a_request_is_refused(asked: dict[str, Any], param: str) -> None:
    """The answer says which part is wrong."""
    answer = await post(Status(), json.dumps(asked).encode())

    assert (answer.status, answer.json["error"]["param"]) == (400, param)


async def test_nothing_is_explained_before_the_start_or_beyond_the_limit() -> None:
    """A request has the same limit here as where it is served."""
    starting = Status()
    starting.failure = Unavailable("the gateway is starting")
    large = await post(Status(), b"x" * (Status().now.loaded.document.limits.body + 1))

    assert (await post(starting, b"{}")).status == 503
    assert large.status == 413


async def test_other_paths_are_not_there() -> None:
    """Unknown paths are 404 with an error document."""
    answer = await ask(Status(), "/v1/models")

    assert (answer.status, answer.json["error"]["code"]) == (404, "not_found")
