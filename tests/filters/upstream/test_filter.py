"""The loop over candidates and tries, with a scripted transport and a clock that does not wait."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext

from plano_builtin_filters.upstream import Upstream, UpstreamConfig
from plano_builtin_filters.upstream.answers import shown_usd
from plano_filters import (
    Attempt,
    Attempts,
    Candidates,
    Cost,
    Document,
    Exchange,
    NotFound,
    Response,
    Route,
    Served,
    Usage,
)
from plano_filters.errors import BadRequest
from plano_filters.facts import ResponseInfo
from plano_filters.testing import FakeClock, exercise, make_context, make_exchange
from tests.filters.upstream.script import (
    ANSWER,
    DOCUMENT,
    EVENTS,
    SECRET,
    A,
    B,
    Chunks,
    Reply,
    Script,
    fails,
    ok,
    stream,
)


def asking(*models: str, **changes: Any) -> Exchange:
    body = {"model": "whatever", "messages": []}
    facts = [Candidates(models or (A, B), "whatever", explicit=True), *changes.pop("facts", [])]
    return make_exchange(body, facts=facts, **changes)


async def ask(
    script: Script,
    exchange: Exchange,
    *,
    config: dict[str, Any] | None = None,
    document: dict[str, Any] | None = None,
    clock: FakeClock | None = None,
) -> Response:
    context = make_context(
        Document.model_validate(document or DOCUMENT), clock=clock, transport=lambda: script
    )
    upstream = Upstream(UpstreamConfig.model_validate(config or {}), context)
    async with upstream.lifespan():
        return await exercise(upstream, exchange)


def told(response: Response, *names: str) -> dict[str, str | None]:
    return {name: response.headers.get(f"x-plano-{name}") for name in names}


async def test_a_plain_answer() -> None:
    """The bytes of the answer are the provider's, and the headers say who served."""
    body = b'{"id": "c1",  "unknown": 12345678901234567890123, "choices": []}'
    script = Script(httpx.Response(200, content=body, headers={"x-request-id": "req_9"}))
    exchange = asking(facts=[Route("creative writing")])

    response = await ask(script, exchange)

    assert (response.status, response.body) == (200, body)
    assert response.headers["x-upstream-request-id"] == "req_9"
    assert told(response, "model", "attempts", "route", "fallback-from", "error-source") == {
        "model": A,
        "attempts": "1",
        "route": "creative writing",
        "fallback-from": None,
        "error-source": None,
    }
    assert exchange.state[Served] == Served(A, "openai")
    assert [d.text for d in exchange.decisions] == [f"served by {A}"]


async def test_what_goes_up() -> None:
    """The model's own id, our credential and our request id; otherwise the client's bytes."""
    script = Script(ok())
    raw = b'{ "model": "fast",\n "n": 1.0, "messages": [{"role": "user", "content": "\\u00e9"}]}'
    exchange = make_exchange(
        raw,
        headers={"authorization": "Bearer client-key", "user-agent": "sdk/1", "cookie": "a=b"},
        query="beta=true",
        facts=[Candidates((A,), "fast", explicit=True)],
    )

    await ask(script, exchange)

    (sent,) = script.requests
    assert str(sent.url) == "https://api.openai.com/v1/chat/completions?beta=true"
    assert sent.content == raw.replace(b'"fast"', b'"a"')
    assert dict(sent.headers) == {
        "content-type": "application/json",
        "user-agent": "sdk/1",
        "accept-encoding": "identity",
        "authorization": f"Bearer {SECRET}",
        "x-request-id": "test-request",
        "content-length": str(len(sent.content)),
        "host": "api.openai.com",
    }
    assert sent.extensions["timeout"]["connect"] == 5.0


async def test_a_large_body_is_sent_whole() -> None:
    """Bodies above a mebibyte go up in pieces, and nothing is lost."""
    script = Script(ok())
    text = "x" * 3_000_000
    exchange = make_exchange(
        {"model": "a", "messages": [text]}, facts=[Candidates((A,), "a", explicit=True)]
    )

    await ask(script, exchange)

    (sent,) = script.requests
    assert sent.content == exchange.request.body
    assert sent.headers["content-length"] == str(len(sent.content))


async def test_a_wildcard_serves_any_model_of_its_provider() -> None:
    """The id behind the prefix goes up as it is."""
    script = Script(ok())

    await ask(script, asking("wild/any/model:free"))

    assert json.loads(script.requests[0].content)["model"] == "any/model:free"
    assert script.hosts == ["wild"]


async def test_the_host_header_and_server_name_can_be_set() -> None:
    """`http_host` replaces the URL's host in both places."""
    script = Script(ok())
    entry = {"model": A, "base_url": "https://10.0.0.1", "http_host": "llm.example:8443"}

    await ask(script, asking(A), document={"model_providers": [entry]})

    (sent,) = script.requests
    assert sent.headers["host"] == "llm.example:8443"
    assert sent.extensions["sni_hostname"] == "llm.example"


@pytest.mark.parametrize("propagate", [False, True])
async def test_the_trace_goes_up_only_if_asked(propagate: bool) -> None:
    """A `traceparent` shows providers our topology; the client's never goes up as it is."""
    script = Script(ok())
    exchange = asking(A, headers={"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"})
    exchange.span = NonRecordingSpan(SpanContext(0xA, 0xB, is_remote=False))
    document = {**DOCUMENT, "tracing": {"propagate_to_upstream": propagate}}

    await ask(script, exchange, document=document)

    expected = f"00-{0xA:032x}-{0xB:016x}-00" if propagate else None
    assert script.requests[0].headers.get("traceparent") == expected


async def test_a_failure_is_retried_then_the_next_candidate_asked() -> None:
    """Two tries of the first model, then the second serves; every try is in the ledger."""
    script = Script(fails(429), fails(500), ok())
    exchange = asking()

    response = await ask(script, exchange)

    assert script.hosts == ["api.openai.com", "api.openai.com", "api.groq.com"]
    assert told(response, "model", "attempts", "fallback-from") == {
        "model": B,
        "attempts": "3",
        "fallback-from": A,
    }
    ledger = exchange.state[Attempts].results
    assert [(r.attempt, r.status, r.error) for r in ledger] == [
        (Attempt(1, A, "openai"), 429, "status"),
        (Attempt(2, A, "openai"), 500, "status"),
        (Attempt(3, B, "groq"), 200, None),
    ]
    assert (ledger[2].server_address, ledger[2].server_port) == ("api.groq.com", 443)
    texts = [d.text.rpartition("retry in")[0] or d.text for d in exchange.decisions]
    assert texts == [
        f"{A} answered 429, ",
        f"{A} answered 500, fallback to {B}",
        f"served by {B}",
    ]


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (httpx.ConnectError("refused"), "connect"),
        (httpx.ConnectTimeout("slow"), "timeout"),
        (httpx.ReadError("broke"), "reset"),
        (httpx.RemoteProtocolError("nonsense"), "reset"),
        (ConnectionResetError(), "reset"),
        (stream(), "stream"),
        (stream(b": only comments\n\n"), "stream"),
        (stream(b'data: {"error": {"message": "overloaded"}}\n\n'), "stream"),
        (stream(b"data: {", httpx.ReadError("cut")), "reset"),
        (httpx.Response(200, html="<h1>Sign in</h1>"), "stream"),
        (httpx.Response(200, stream=Chunks(b"{", httpx.ReadError("short"))), "reset"),
    ],
)
async def test_failures_before_the_first_event_are_retried(failure: Reply, error: str) -> None:
    """Nothing has gone to the client yet, so another try is made, whatever went wrong."""
    exchange = asking(A)

    response = await ask(Script(failure, ok()), exchange)

    assert response.status == 200
    assert [r.error for r in exchange.state[Attempts].results] == [error, None]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
async def test_other_4xx_are_final(status: int) -> None:
    """What is wrong with the request is wrong everywhere: it is answered as it came, at once."""
    script = Script(fails(status, "because", retry_after="1"))

    response = await ask(script, asking())

    assert response.status == status
    assert isinstance(response.body, bytes)
    assert json.loads(response.body) == {"error": {"message": "no", "code": "because"}}
    assert told(response, "model", "attempts", "error-source") == {
        "model": A,
        "attempts": "1",
        "error-source": "upstream",
    }
    assert response.headers["x-should-retry"] == "false"
    assert response.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("headers", "slept", "status"),
    [
        ({"retry_after": "1"}, [1.0], 200),
        ({"retry_after_ms": "300"}, [0.3], 200),
        ({"retry_after": "30"}, [], 429),  # too long to wait for
    ],
)
async def test_retry_after(headers: dict[str, str], slept: list[float], status: int) -> None:
    """What the provider asks is waited, up to the cap; a longer wait is left to the client."""
    clock = FakeClock()

    response = await ask(Script(fails(429, **headers), ok()), asking(A), clock=clock)

    assert (clock.slept, response.status) == (slept, status)
    assert response.headers.get("retry-after") == ("30" if status == 429 else None)


async def test_a_long_retry_after_goes_to_the_next_candidate_at_once() -> None:
    """Waiting half a minute is worse than another model."""
    clock = FakeClock()
    script = Script(fails(429, retry_after="30"), ok())

    response = await ask(script, asking(), clock=clock)

    assert (response.headers["x-plano-model"], clock.slept) == (B, [])


async def test_an_empty_account_is_not_asked_again() -> None:
    """`insufficient_quota` is a 429 that waiting does not mend."""
    script = Script(fails(429, "insufficient_quota"), ok())

    response = await ask(script, asking())

    assert script.hosts == ["api.openai.com", "api.groq.com"]
    assert response.headers["x-plano-attempts"] == "2"


@pytest.mark.parametrize(
    ("config", "listener", "tries"),
    [
        ({}, {}, 2),
        ({"attempts": 1}, {}, 1),
        ({}, {"max_retries": 3}, 4),
        ({}, {"max_retries": 0}, 1),
        ({"attempts": 3}, {"max_retries": 0}, 3),
    ],
)
async def test_attempts(config: dict[str, Any], listener: dict[str, Any], tries: int) -> None:
    """`attempts` counts tries; without it the listener's `max_retries` counts further ones."""
    script = Script(*[fails(500)] * tries)
    document = {**DOCUMENT, "listeners": [{"name": "l", **listener}]}

    response = await ask(script, asking(A), config=config, document=document)

    assert (response.status, len(script.requests)) == (500, tries)


async def test_the_last_error_is_passed_on_without_our_key() -> None:
    """When all have failed the last provider's own words are the answer, but for our secret."""
    body = f'{{"error": {{"message": "bad key {SECRET}", "type": "x"}}}}'
    script = Script(fails(500), httpx.Response(401, text=body))

    response = await ask(script, asking(), config={"attempts": 1})

    assert response.status == 401
    assert response.body == body.replace(SECRET, "***").encode()
    assert told(response, "model", "attempts", "fallback-from") == {
        "model": B,
        "attempts": "2",
        "fallback-from": A,
    }


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(503, html="<h1>Service Unavailable</h1>"),
        httpx.Response(503, text=""),
        httpx.Response(503, json=["odd"]),
        httpx.Response(503, stream=Chunks(b"\x1f\x8b"), headers={"content-encoding": "gzip"}),
        httpx.Response(503, stream=Chunks(b'{"error"', httpx.ReadError("short"))),
    ],
)
async def test_an_error_that_is_no_json_object_gets_an_envelope(reply: httpx.Response) -> None:
    """SDKs read JSON errors only; the status stays."""
    response = await ask(Script(reply), asking(A), config={"attempts": 1})

    assert response.status == 503
    assert response.headers["content-type"] == "application/json"
    assert "content-encoding" not in response.headers
    assert isinstance(response.body, bytes)
    error = json.loads(response.body)["error"]
    assert error["message"] == f"{A} answered 503, and not with a JSON object"


async def test_an_error_that_begins_a_stream_becomes_an_error_answer() -> None:
    """Before the first event a failure can still be said with a status."""
    event = b'data: {"error": {"message": "overloaded", "code": 529}}\n\n'

    response = await ask(Script(stream(event)), asking(A), config={"attempts": 1})

    assert (response.status, response.headers["content-type"]) == (502, "application/json")
    assert response.body == event.removeprefix(b"data: ").strip()


@pytest.mark.parametrize(("path", "status"), [("/v1/chat/completions", 503), ("/v1/messages", 529)])
async def test_529_is_for_anthropic_clients_only(path: str, status: int) -> None:
    """OpenAI's clients do not know 529; they are told 503."""
    both = {"model_providers": [{"model": "vllm/both", "base_url": "http://h"}]}
    exchange = asking("vllm/both", path=path)
    response = await ask(Script(fails(529)), exchange, config={"attempts": 1}, document=both)

    assert response.status == status


@pytest.mark.parametrize(
    ("failure", "status", "code", "says"),
    [
        (httpx.ConnectError("10.0.0.1:443"), 502, "upstream_failed", "refused the connection"),
        (httpx.ReadTimeout("slow"), 504, "upstream_timeout", "timed out"),
        (httpx.Response(302, headers={"location": "/"}), 502, "upstream_failed", "a redirect"),
    ],
)
async def test_a_failure_without_an_answer(
    failure: Reply, status: int, code: str, says: str
) -> None:
    """The gateway says which model failed and how, names no address, and stops SDKs' retries."""
    response = await ask(Script(failure), asking(A), config={"attempts": 1})

    assert response.status == status
    assert isinstance(response.body, bytes)
    error = json.loads(response.body)["error"]
    assert error["code"] == code
    assert A in error["message"]
    assert says in error["message"]
    assert "10.0.0.1" not in error["message"]
    assert response.headers["x-should-retry"] == "false"
    assert told(response, "model", "attempts", "error-source") == {
        "model": A,
        "attempts": "1",
        "error-source": "upstream",
    }


async def test_a_provider_without_a_key() -> None:
    """A missing key is said plainly, and nothing is sent."""
    script = Script()

    response = await ask(script, asking(A), document={"model_providers": [{"model": A}]})

    assert response.status == BadRequest.status
    assert isinstance(response.body, bytes)
    assert b'no access key configured for model provider \\"openai/a\\"' in response.body
    assert script.requests == []


async def test_no_candidates() -> None:
    """Nobody to ask is a 404, not a crash."""
    exchange = make_exchange({}, facts=[Candidates((), "x", explicit=True)])

    response = await ask(Script(), exchange)

    assert (response.status, response.headers["x-plano-attempts"]) == (NotFound.status, "0")


async def test_the_total_deadline_ends_the_tries() -> None:
    """Waits count too: when the time is up the last error is the answer."""
    clock = FakeClock()
    script = Script(*[fails(429, retry_after="1")] * 4)
    config = {"attempts": 10, "total_timeout": "2.5s"}

    response = await ask(script, asking(), config=config, clock=clock)

    # After two waits no third one fits; the next candidate is asked, once, for the same reason.
    assert (response.status, clock.slept) == (429, [1.0, 1.0])
    assert script.hosts == [*["api.openai.com"] * 3, "api.groq.com"]


async def test_names_that_a_header_cannot_carry_are_encoded() -> None:
    """Neither a foreign script nor a line break in a name breaks the answer."""
    exchange = asking("wild/日本\r\nx: y", facts=[Route("création 100%")])

    response = await ask(Script(ok()), exchange)

    assert response.headers["x-plano-model"] == "wild/%E6%97%A5%E6%9C%AC%0D%0Ax: y"
    assert response.headers["x-plano-route"] == "cr%C3%A9ation 100%25"


async def test_a_stream_is_relayed_and_read_beside() -> None:
    """Every byte arrives, comments in front of the first event too; tokens and id become facts."""
    exchange = asking(A)
    chunks = (b": processing\n\n", *EVENTS)

    response = await ask(Script(stream(*chunks)), exchange)

    assert response.body == b"".join(chunks)
    assert response.headers["cache-control"] == "no-cache, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    assert exchange.state[Usage] == Usage(3, 4)
    assert exchange.state[ResponseInfo] == ResponseInfo("c1", "m", ("stop",))


async def test_a_stream_that_was_compressed_unasked_is_relayed_untouched() -> None:
    """Bytes that cannot be read are still the client's."""
    reply = stream(b"\x1f\x8b\n\n", b"\x00\n\nrest")
    reply.headers["content-encoding"] = "gzip"

    response = await ask(Script(reply), asking(A))

    assert response.body == b"\x1f\x8b\n\n\x00\n\nrest"
    assert response.headers["content-encoding"] == "gzip"


async def test_every_connection_is_closed() -> None:
    """Failed tries and the one that served let go of their connections, read to the end or not."""
    bodies = [Chunks(b"<html>"), Chunks(b": x\n\n", b'data: {"error": 1}\n\n'), Chunks(*EVENTS)]
    types = ["text/html", "text/event-stream", "text/event-stream"]
    replies = [
        httpx.Response(200, headers={"content-type": kind}, stream=body)
        for kind, body in zip(types, bodies, strict=True)
    ]

    response = await ask(Script(*replies), asking(A), config={"attempts": 3})

    assert response.body == b"".join(EVENTS)
    assert [body.closed for body in bodies] == [True, True, True]


async def test_the_mock_needs_no_transport() -> None:
    """With only `mock` models nothing is asked of the network, not even a transport."""
    context = make_context(Document.model_validate({"model_providers": [{"model": "mock/m"}]}))
    upstream = Upstream(UpstreamConfig(), context)
    exchange = asking("mock/m", headers={"x-mock-status": "500,200"})

    async with upstream.lifespan():
        response = await exercise(upstream, exchange)

    assert (response.status, response.headers["x-plano-attempts"]) == (200, "2")


async def test_a_plain_answer_says_what_it_cost() -> None:
    """In a header, by the prices that come with the package; the report names their source."""
    document = {"model_providers": [{"model": "openai/gpt-4o", "access_key": SECRET}]}
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    script = Script(httpx.Response(200, json={**ANSWER, "usage": usage}))
    context = make_context(Document.model_validate(document), transport=lambda: script)
    upstream = Upstream(UpstreamConfig(), context)
    assert upstream.report() is None
    exchange = asking("openai/gpt-4o")

    async with upstream.lifespan():
        response = await exercise(upstream, exchange)
        told_of = upstream.report()

    assert response.headers["x-plano-cost-usd"] == "0.00035"
    assert (exchange.state[Cost].source, exchange.state[Cost].whole) == ("genai-prices", True)
    assert told_of is not None
    assert told_of["cost"]["used"] == "genai-prices"


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        (0.0, "0"),
        (1e-8, "0.00000001"),
        (369e-6, "0.000369"),
        (0.1 + 0.2, "0.3"),
        (12.0, "12"),
        (1234.5, "1234.5"),
    ],
)
def test_amounts_have_no_exponent(usd: float, shown: str) -> None:
    """Nor the noise of binary fractions."""
    assert shown_usd(usd) == shown
