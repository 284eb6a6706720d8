"""AWS's Converse as a Messages API: what goes up, and what a try makes of its answers."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from plano_builtin_filters.upstream import Upstream, UpstreamConfig
from plano_filters import Attempts, Candidates, Document, Exchange, Response, Usage
from plano_filters.facts import ResponseInfo
from plano_filters.testing import exercise, make_context, make_exchange
from tests.filters.upstream.script import SECRET, Chunks, Script, ok
from tests.support.converse import document, text_events, thrown

NOVA, OPENAI = "amazon_bedrock/amazon.nova-x-v1:0", "openai/a"
DOCUMENT = {
    "model_providers": [
        {"model": NOVA, "access_key": SECRET, "base_url": "https://bedrock.example"},
        {"model": OPENAI, "access_key": SECRET},
    ]
}
FRAMES = {"content-type": "application/vnd.amazon.eventstream", "x-amzn-requestid": "r1"}
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages"}


def asking(*models: str, path: str = PATHS["chat"], **body: Any) -> Exchange:
    facts = [Candidates(models, "whatever", explicit=True)]
    hello = [{"role": "user", "content": "Hello"}]
    return make_exchange({"model": "x", "messages": hello, **body}, path=path, facts=facts)


async def ask(script: Script, exchange: Exchange) -> Response:
    context = make_context(Document.model_validate(DOCUMENT), transport=lambda: script)
    upstream = Upstream(UpstreamConfig.model_validate({"attempts": 1}), context)
    async with upstream.lifespan():
        return await exercise(upstream, exchange)


def frames(*chunks: bytes | Exception) -> httpx.Response:
    return httpx.Response(200, headers=FRAMES, stream=Chunks(*chunks))


async def test_what_goes_up() -> None:
    """The model in the path, a token, no header of another API; what is lost is told."""
    script = Script(httpx.Response(200, stream=Chunks(json.dumps(document([])).encode())))
    exchange = asking(NOVA, path=PATHS["messages"], max_tokens=9, top_k=2)
    response = await ask(script, exchange)
    (sent,) = script.requests

    assert str(sent.url) == "https://bedrock.example/model/amazon.nova-x-v1%3A0/converse"
    assert sent.headers["authorization"] == f"Bearer {SECRET}"
    assert "anthropic-version" not in sent.headers
    assert json.loads(sent.content) == {
        "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
        "inferenceConfig": {"maxTokens": 9},
    }
    assert response.headers["x-plano-dropped-params"] == "top_k"
    assert exchange.decisions[0].text == "messages translated to converse, without top_k"


async def test_a_stream_has_a_path_of_its_own() -> None:
    """And leaves the same facts as that of any other provider."""
    script = Script(frames(*text_events()))
    exchange = asking(NOVA, stream=True)
    response = await ask(script, exchange)

    assert script.requests[0].url.path.endswith("/converse-stream")
    assert script.requests[0].headers["accept"] == FRAMES["content-type"]
    assert isinstance(response.body, bytes)
    assert response.body.endswith(b"data: [DONE]\n\n")
    assert exchange.state[Usage].input_tokens == 8
    assert exchange.state[ResponseInfo].finish_reasons == ("end_turn",)
    assert exchange.state[ResponseInfo].model == "amazon.nova-x-v1:0"


@pytest.mark.parametrize(
    "chunks",
    [
        (thrown("throttlingException", "slow"),),
        (b"no frame, whatever it is",),
        (text_events()[0][:9],),
        (httpx.ReadError("gone"),),
        (),
    ],
)
async def test_a_stream_that_does_not_begin_is_a_failed_try(
    chunks: tuple[bytes | Exception, ...],
) -> None:
    """Another model answers; the connection is given back."""
    body = Chunks(*chunks)
    broken = httpx.Response(200, headers=FRAMES, stream=body)
    exchange = asking(NOVA, OPENAI)
    response = await ask(Script(broken, ok()), exchange)

    assert response.headers["x-plano-model"] == OPENAI
    assert len(exchange.state[Attempts]) == 2
    assert body.closed


@pytest.mark.parametrize("path", PATHS.values())
async def test_an_error_with_our_secret_is_blanked(path: str) -> None:
    """Also after it was given another shape."""
    refusal = httpx.Response(403, stream=Chunks(f'{{"message":"bad {SECRET}"}}'.encode()))
    response = await ask(Script(refusal), asking(NOVA, path=path, max_tokens=9))

    assert response.status == 403
    assert isinstance(response.body, bytes)
    assert b"bad ***" in response.body
    assert SECRET.encode() not in response.body


async def test_an_error_that_is_no_json_is_not_passed_on() -> None:
    """A proxy's page is nothing that a client could read."""
    page = httpx.Response(502, stream=Chunks(b"<html>"))
    response = await ask(Script(page), asking(NOVA))

    assert response.status == 502
    assert isinstance(response.body, bytes)
    assert b"html" not in response.body
