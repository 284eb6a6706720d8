"""The hooks: what services do to requests, to answers and to streams, and what failures do."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from starlette.datastructures import MutableHeaders

from plano_builtin_filters.remote import Remote, RemoteConfig
from plano_filters import Blocked, Exchange, FilterFailed, Outcome, Response, UpstreamFailed
from plano_filters.chain import Chain, link
from plano_filters.config import load_text
from plano_filters.filter import FactoryContext
from plano_filters.meter import Meter
from plano_filters.testing import Answer, make_exchange
from tests.filters.remote.streams import read_into

ASKED = {"model": "fast", "messages": [{"role": "user", "content": "hi"}], "temperature": 1.0}
ANSWER = b'{"choices":[{"message":{"content":"Alice"}}]}'
Service = Callable[[httpx.Request], httpx.Response]


def piece(text: str) -> bytes:
    """Return an event of a chat stream."""
    return b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % text.encode()


DONE = b"data: [DONE]\n\n"


class Stand:
    """A chain of one remote filter and an answer, in front of a service that is a function."""

    def __init__(self, service: Service, *, phases: str = "[request]", **about: Any) -> None:
        self.calls: list[httpx.Request] = []
        on_error = about.pop("on_error", "fail")
        options = "".join(f", {name}: {value}" for name, value in about.items())
        document = load_text(
            f"filters: [{{id: guard, url: 'http://guard/x', type: http{options}}},"
            f" remote: {{filter: guard, phases: {phases}}}]\n",
            env={},
        ).document
        self.meter = Meter()

        def recorded(request: httpx.Request) -> httpx.Response:
            self.calls.append(request)
            return service(request)

        transport = httpx.MockTransport(recorded)
        context = FactoryContext(
            "guard-link", document, transport=lambda: transport, meter=self.meter, on_error=on_error
        )
        self.filter = Remote(RemoteConfig.model_validate(document.filters[0].config), context)
        self.link = link(self.filter, id="guard-link", name="remote", on_error=on_error)

    async def run(self, exchange: Exchange, answer: Response | None = None) -> Response:
        """Run an exchange to its end; the body is read into bytes."""
        chain = Chain([self.link, link(Answer(answer), id="answer", name="answer")])
        async with chain.lifespan():
            response = await chain.run(exchange)
            try:
                if not isinstance(response.body, bytes):
                    body = [part async for part in response.body]
                    response.body = b"".join(body)
            finally:
                await chain.complete(exchange, Outcome(response.status))
        return response


def answering(status: int = 200, body: bytes | None = None) -> Service:
    """Answer always the same; with what was asked about, unless given."""
    return lambda request: httpx.Response(status, content=request.content if body is None else body)


def replacing(old: bytes, new: bytes) -> Service:
    """Replace a text by another."""
    return lambda request: httpx.Response(200, content=request.content.replace(old, new))


def broken(request: httpx.Request) -> httpx.Response:
    """Not be there."""
    raise httpx.ConnectError("http://guard/secret")


def plain(body: bytes = ANSWER, status: int = 200, encoding: str = "identity") -> Response:
    """Return a whole answer."""
    given = {"content-type": "application/json; charset=utf-8", "content-encoding": encoding}
    return Response(status, MutableHeaders(given), body)


def streamed(*chunks: bytes, error: Exception | None = None) -> Response:
    """Return a streamed answer."""

    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
        if error is not None:
            raise error

    return Response(200, MutableHeaders({"content-type": "text/event-stream"}), body())


def decisions(exchange: Exchange) -> list[tuple[str, str]]:
    """Return who decided what."""
    return [(one.filter, one.text) for one in exchange.decisions]


async def test_a_request_that_may_pass_keeps_its_bytes() -> None:
    """A service that writes JSON in its own way has not changed it."""
    body = b'{ "model":"fast",  "messages":[], "temperature":1.00, "n":12345678901234567890123 }'
    stand = Stand(lambda r: httpx.Response(200, content=json.dumps(json.loads(r.content)).encode()))
    exchange = make_exchange(body)

    assert (await stand.run(exchange)).status == 200
    assert exchange.request.body == body
    assert decisions(exchange) == [("guard-link", "let the request pass")]


async def test_what_a_service_changes_is_changed_and_nothing_else() -> None:
    """Field by field; the decision names them."""
    changed = {**ASKED, "messages": [{"role": "user", "content": "[NAME]"}], "n": 2}
    stand = Stand(answering(body=json.dumps(changed).encode()))
    exchange = make_exchange(ASKED)

    await stand.run(exchange)

    assert dict(exchange.request.payload) == changed
    assert decisions(exchange) == [("guard-link", "changed messages, n")]
    assert exchange.decisions[0].data == {"changed": ["messages", "n"]}


async def test_a_service_cannot_change_the_model() -> None:
    """As in Plano: it was read before the service was asked. That it tried is told."""
    stand = Stand(answering(body=json.dumps({**ASKED, "model": "slow", "stream": True}).encode()))
    exchange = make_exchange(ASKED)

    await stand.run(exchange)

    assert dict(exchange.request.payload) == ASKED
    told = "let the request pass; not its to change: model, stream"
    assert decisions(exchange) == [("guard-link", told)]


async def test_a_service_is_shown_what_plano_shows() -> None:
    """URL and path, the client's body and headers, whose filter it is, and which side it is on."""
    stand = Stand(answering(), phases="[request, response]", headers="{authorization: Bearer own}")
    headers = {"authorization": "Bearer sk-client", "x-tenant": "acme", "traceparent": "00-a-b-01"}

    await stand.run(make_exchange(ASKED, headers=headers), plain())

    first, second = stand.calls
    assert str(first.url) == str(second.url) == "http://guard/x/v1/chat/completions"
    assert json.loads(first.content) == ASKED
    assert second.content == ANSWER
    for call, phase in ((first, "request"), (second, "response")):
        assert call.headers["x-request-id"] == "test-request"
        assert call.headers["x-arch-upstream"] == "guard"
        assert call.headers["x-plano-filter-phase"] == phase
        assert call.headers["x-tenant"] == "acme"
        assert call.headers["traceparent"] == "00-a-b-01"
        assert call.headers["authorization"] == "Bearer own"
        assert call.headers["content-type"] == "application/json"


async def test_a_call_is_part_of_the_trace() -> None:
    """The service's spans become children of the exchange's; the client's own header gives way."""
    span = TracerProvider().get_tracer("test").start_span("exchange")
    stand = Stand(answering())
    exchange = make_exchange(ASKED, headers={"traceparent": "00-a-b-01"})
    exchange.span = span

    await stand.run(exchange)

    context = span.get_span_context()
    (given,) = stand.calls[0].headers.get_list("traceparent")
    assert given.startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")


async def test_credentials_go_along_only_where_it_is_written() -> None:
    """Plano sends them to every filter."""
    headers = {"authorization": "Bearer sk-client", "x-api-key": "sk-client"}
    kept, passing = Stand(answering()), Stand(answering(), pass_credentials="true")

    await kept.run(make_exchange(ASKED, headers=headers))
    await passing.run(make_exchange(ASKED, headers=headers))

    assert "sk-client" not in str(kept.calls[0].headers.raw)
    assert passing.calls[0].headers["authorization"] == "Bearer sk-client"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (
            "/v1/chat/completions",
            {
                "error": {
                    "message": "Blocked: hack",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": "filter_blocked",
                    "details": {"filter": "guard", "response": {"detail": "Blocked: hack"}},
                }
            },
        ),
        (
            "/v1/messages",
            {
                "type": "error",
                "error": {
                    "type": "permission_error",
                    "message": "Blocked: hack",
                    "details": {
                        "error_code": "filter_blocked",
                        "filter": "guard",
                        "response": {"detail": "Blocked: hack"},
                    },
                },
                "request_id": "test-request",
            },
        ),
    ],
)
async def test_a_refusal_reaches_the_client_in_its_dialect(path: str, told: object) -> None:
    """With the service's status and text; the model is never asked."""
    stand = Stand(answering(403, b'{"detail": "Blocked: hack"}'))
    exchange = make_exchange(ASKED, path=path)

    response = await stand.run(exchange, plain(b"not reached"))

    assert response.status == 403
    assert json.loads(bytes(response.body)) == told  # type: ignore[arg-type]
    assert response.headers["x-plano-error-source"] == "filter"
    assert decisions(exchange) == [("guard-link", "refused the request: 403")]


async def test_a_refusal_holds_although_failures_are_skipped() -> None:
    """`on_error: skip` is about services that fail, not about services that say no."""
    stand = Stand(answering(400, b""), on_error="skip")

    response = await stand.run(make_exchange(ASKED))

    assert response.status == 400
    assert b'the filter \\"guard\\" refused the request' in response.body  # type: ignore[operator]


@pytest.mark.parametrize("phases", ["[request]", "[response]"])
@pytest.mark.parametrize("service", [broken, answering(503, b"secret")])
async def test_a_failure_fails_closed_on_both_sides(
    phases: str, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """500, without a word of the service's or its address, in the answer or in the log."""
    stand = Stand(service, phases=phases)

    response = await stand.run(make_exchange(ASKED), plain())

    assert response.status == 500
    assert json.loads(bytes(response.body))["error"]["code"] == "filter_failed"  # type: ignore[arg-type]
    assert "secret" not in caplog.text
    assert "secret" not in str(response.body)


@pytest.mark.parametrize("phases", ["[request]", "[response]"])
async def test_a_failure_is_skipped_where_it_is_written(phases: str) -> None:
    """Request and answer go on as they were, and the timing says that the filter was skipped."""
    stand = Stand(broken, phases=phases, on_error="skip")
    exchange = make_exchange(ASKED)

    response = await stand.run(exchange, plain())

    assert (response.status, response.body) == (200, ANSWER)
    assert dict(exchange.request.payload) == ASKED
    assert "skip" in [one.action for one in exchange.timings]


@pytest.mark.parametrize("reply", [b"", b"[1]", b"no json", b'{"model":"a","model":"b"}'])
async def test_a_request_that_is_none_is_a_400(reply: bytes) -> None:
    """As in Plano; it names the filter. Where failures are skipped, this one is too."""
    failing, skipping = Stand(answering(body=reply)), Stand(answering(body=reply), on_error="skip")

    failed = await failing.run(make_exchange(ASKED))
    skipped = await skipping.run(make_exchange(ASKED))

    error = json.loads(bytes(failed.body))["error"]  # type: ignore[arg-type]
    assert (failed.status, error["code"]) == (400, "filter_invalid_request")
    assert 'filter "guard" made an invalid request of it' in error["message"]
    assert skipped.status == 200


async def test_an_answer_is_replaced_if_it_is_changed() -> None:
    """Else it keeps its bytes."""
    changing = Stand(replacing(b"Alice", b"[NAME]"), phases="[response]")
    passing = Stand(
        lambda r: httpx.Response(200, content=json.dumps(json.loads(r.content)).encode()),
        phases="[response]",
    )
    one, other = make_exchange(ASKED), make_exchange(ASKED)

    changed, passed = await changing.run(one, plain()), await passing.run(other, plain())

    assert changed.body == ANSWER.replace(b"Alice", b"[NAME]")
    assert passed.body == ANSWER
    assert decisions(one) == [("guard-link", "changed the answer")]
    assert decisions(other) == [("guard-link", "let the answer pass")]


async def test_an_answer_can_be_refused() -> None:
    """The client sees the refusal, and nothing of the answer."""
    stand = Stand(answering(451, b"not this answer"), phases="[response]")

    response = await stand.run(make_exchange(ASKED), plain())

    assert response.status == 451
    assert b"Alice" not in response.body  # type: ignore[operator]


@pytest.mark.parametrize("reply", [b"", b"Alice", b"[1]"])
async def test_an_answer_that_is_no_json_any_more_is_a_failure(reply: bytes) -> None:
    """No client would understand it."""
    stand = Stand(answering(body=reply), phases="[response]")

    assert (await stand.run(make_exchange(ASKED), plain())).status == 500


async def test_a_compressed_answer_cannot_be_shown() -> None:
    """So it is not sent on unseen."""
    stand = Stand(answering(), phases="[response]")

    response = await stand.run(make_exchange(ASKED), plain(encoding="gzip"))

    assert response.status == 500
    assert stand.calls == []


@pytest.mark.parametrize("status", [400, 429, 500])
async def test_errors_of_a_provider_are_not_shown(status: int) -> None:
    """They are no answers; the client gets them as they are."""
    stand = Stand(broken, phases="[response]")

    response = await stand.run(make_exchange(ASKED), plain(b'{"error":{}}', status))

    assert (response.status, response.body) == (status, b'{"error":{}}')


async def test_a_filter_for_requests_does_not_see_answers_and_the_other_way_round() -> None:
    """And a request without a body, such as one for the list of models, is shown to nobody."""
    requests, answers = Stand(answering()), Stand(answering(), phases="[response]")

    await requests.run(make_exchange(ASKED), plain())
    await answers.run(make_exchange(ASKED), plain())
    await requests.run(make_exchange(path="/v1/models", method="GET"))

    assert [json.loads(call.content) for call in requests.calls] == [ASKED]
    assert [call.content for call in answers.calls] == [ANSWER]


async def test_what_no_model_said_is_shown_to_nobody() -> None:
    """Decisions, counts and lists; requests for them are shown, with the path of the API."""
    stand = Stand(answering(), phases="[request, response]")

    await stand.run(make_exchange(ASKED, path="/routing/v1/chat/completions"), plain())
    await stand.run(make_exchange(ASKED, path="/v1/v1/messages/count_tokens"), plain())
    await stand.run(make_exchange(path="/v1/models/a", method="GET"), plain())

    asked = ["/x/v1/chat/completions", "/x/v1/messages/count_tokens"]
    assert [call.url.path for call in stand.calls] == asked


async def test_an_explanation_tells_no_service() -> None:
    """What it would have said is not known, and the decision says so."""
    stand = Stand(answering())
    exchange = make_exchange(ASKED)
    exchange.dry_run = True

    await stand.run(exchange)

    assert stand.calls == []
    assert [text.partition(":")[0] for _, text in decisions(exchange)] == ["not asked"]


async def test_a_name_that_is_torn_over_events_is_taken_out_of_a_stream() -> None:
    """Plano's demo of a redactor lets it pass; here it is put together first."""
    stand = Stand(replacing(b"Alice", b"[NAME]"), phases="[response]")
    stream = piece("I am Al") + piece("i") + piece("ce. ") + piece("Bye") + DONE
    torn = [stream[at : at + 11] for at in range(0, len(stream), 11)]
    exchange = make_exchange({**ASKED, "stream": True})

    response = await stand.run(exchange, streamed(*torn))

    assert response.body == piece("I am [NAME]. ") + piece("Bye") + DONE
    assert {call.headers["content-type"] for call in stand.calls} == {"text/event-stream"}
    assert decisions(exchange) == [("guard-link", "changed 1 of 2 parts of the stream")]


@pytest.mark.parametrize(("unit", "calls"), [("event", 5), ("sentence", 2), ("answer", 1)])
async def test_the_unit_says_what_one_call_sees(unit: str, calls: int) -> None:
    """From every event to the whole answer."""
    stand = Stand(answering(), phases="[response]", unit=unit)
    parts = [piece("One"), piece(". "), piece("Tw"), piece("o"), DONE]

    await stand.run(make_exchange(ASKED), streamed(*parts))

    assert len(stand.calls) == calls


async def test_a_stream_that_is_refused_at_once_has_a_status_of_its_own() -> None:
    """The head waits for what the service says of the first part."""
    stand = Stand(answering(403, b"no"), phases="[response]", unit="answer")

    response = await stand.run(make_exchange(ASKED), streamed(piece("bad. "), DONE))

    assert response.status == 403
    assert b"bad" not in response.body  # type: ignore[operator]


def second_time(*answers: httpx.Response | None) -> Service:
    """Answer each call in its own way; None is to let it pass, and what is over too."""
    left = list(answers)

    def service(request: httpx.Request) -> httpx.Response:
        answer = left.pop(0) if left else None
        return answer or httpx.Response(200, content=request.content)

    return service


async def test_a_stream_that_is_refused_later_ends_with_an_error() -> None:
    """What was let pass has been sent; nothing of the refused part, and no clean end."""
    stand = Stand(second_time(None, httpx.Response(403, content=b"no")), phases="[response]")
    exchange = make_exchange(ASKED)
    body = streamed(piece("Good. "), piece("Bad. "), DONE)
    chain = Chain([stand.link, link(Answer(body), id="a", name="a")])
    got: list[bytes] = []
    async with chain.lifespan():
        response = await chain.run(exchange)
        assert not isinstance(response.body, bytes)
        with pytest.raises(Blocked, match="no") as refused:
            await read_into(got, response.body)
        await chain.complete(exchange, Outcome(200))

    assert got == [piece("Good. ")]
    assert (refused.value.code, refused.value.status) == ("filter_blocked", 403)
    assert ("guard-link", "refused the answer: 403") in decisions(exchange)


@pytest.mark.parametrize(
    "failure", [httpx.Response(500), httpx.Response(200, content=b'{"error": "no events"}')]
)
async def test_a_stream_fails_closed_or_is_skipped(
    failure: httpx.Response, caplog: pytest.LogCaptureFixture
) -> None:
    """Closed, the stream ends with an error; skipped, the rest goes past the service uncalled."""
    caplog.set_level(logging.WARNING)
    parts = [piece("One. "), piece("Two. "), piece("Three. "), DONE]
    closed = Stand(second_time(None, failure), phases="[response]")
    skipped = Stand(second_time(None, failure), phases="[response]", on_error="skip")
    exchange = make_exchange(ASKED)

    with pytest.raises(FilterFailed, match='filter "guard-link" failed'):
        await closed.run(make_exchange(ASKED), streamed(*parts))
    response = await skipped.run(exchange, streamed(*parts))

    assert response.body == b"".join(parts)
    assert len(skipped.calls) == 2
    told = "let 1 part of the stream pass, then failed and was skipped"
    assert decisions(exchange) == [("guard-link", told)]
    assert 'in a stream: filter "guard-link" failed' in caplog.text


async def test_a_stream_that_is_too_large_to_hold_fails() -> None:
    """`limits.body` is the most that is held of an answer."""
    stand = Stand(answering(), phases="[response]", unit="answer")
    many = [piece("x" * 100_000) for _ in range(100)]

    response = await stand.run(make_exchange(ASKED), streamed(*many))

    assert response.status == 500
    assert stand.calls == []


async def test_a_provider_that_breaks_off_is_still_told() -> None:
    """After what came, the client learns that it is not all."""
    stand = Stand(replacing(b"Alice", b"[NAME]"), phases="[response]")
    body = streamed(piece("Good. "), piece("Al"), piece("ice"), error=UpstreamFailed("broke"))
    exchange = make_exchange(ASKED)
    chain = Chain([stand.link, link(Answer(body), id="a", name="a")])
    got: list[bytes] = []
    async with chain.lifespan():
        response = await chain.run(exchange)
        assert not isinstance(response.body, bytes)
        with pytest.raises(UpstreamFailed):
            await read_into(got, response.body)
        await chain.complete(exchange, Outcome(200))

    assert got == [piece("Good. "), piece("[NAME]")]


async def test_calls_are_counted_and_timed() -> None:
    """By filter, phase and outcome."""
    stand = Stand(second_time(None, httpx.Response(403), httpx.Response(500)), phases="[request]")
    for _ in range(3):
        await stand.run(make_exchange(ASKED))

    for outcome in ("passed", "refused", "status"):
        labels = {"filter": "guard", "phase": "request", "outcome": outcome}
        count = stand.meter.registry.get_sample_value("plano_remote_filter_seconds_count", labels)
        assert count == 1
