"""Spans made from the ledger: their layout, their names, their times."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import (
    client_attributes,
    error_attributes,
    http_attributes,
    network_attributes,
    server_attributes,
    url_attributes,
    user_agent_attributes,
)
from opentelemetry.trace import SpanKind, StatusCode

from plano_filters.config.document import SpanAttributes, Tracing
from plano_filters.errors import UpstreamFailed
from plano_filters.exchange import Outcome
from plano_filters.facts import Cost
from plano_filters.telemetry import Telemetry, names
from plano_filters.testing import make_exchange
from tests.framework.telemetry.exchanges import finished, served, tracing


def by_name(spans: tuple[ReadableSpan, ...]) -> dict[str, list[ReadableSpan]]:
    found: dict[str, list[ReadableSpan]] = {}
    for span in spans:
        found.setdefault(span.name, []).append(span)
    return found


def within(inner: ReadableSpan, outer: ReadableSpan) -> bool:
    """Say whether one span lasted inside another."""
    times = (outer.start_time, inner.start_time, inner.end_time, outer.end_time)
    numbers = [time or 0 for time in times]
    return numbers == sorted(numbers) and numbers[0] > 0


def said(span: ReadableSpan, event: str, attribute: str) -> list[Any]:
    """Return one attribute of each event of a name."""
    return [dict(e.attributes or {})[attribute] for e in span.events if e.name == event]


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_the_spans_of_an_exchange_have_the_documented_layout() -> None:
    """Root, chain, operation with a span per try, chain of responses; children inside parents."""
    spans = by_name(finished(served()).get_finished_spans())

    assert {name: len(found) for name, found in spans.items()} == {
        "POST /v1/chat/completions": 1,
        "plano.filter_chain": 2,
        "plano.filter slow": 1,
        "chat gpt": 1,
        "POST": 2,
    }
    root, operation = spans["POST /v1/chat/completions"][0], spans["chat gpt"][0]
    assert root.kind is SpanKind.SERVER
    assert operation.kind is SpanKind.CLIENT
    assert operation.parent is not None
    assert operation.parent.span_id == root.context.span_id
    for attempt in spans["POST"]:
        assert attempt.parent is not None
        assert attempt.parent.span_id == operation.context.span_id
        assert within(attempt, operation)


def test_every_filter_is_an_event_and_only_notable_ones_are_spans() -> None:
    """A skipped, failing or slow filter gets a span of its own."""
    spans = by_name(finished(served()).get_finished_spans())

    chain = spans["plano.filter_chain"][0]
    assert said(chain, "plano.filter", "plano.filter.name") == ["auth", "alias", "slow", "upstream"]
    assert said(chain, "plano.decision", "plano.decision") == ["fast -> openai/gpt"]
    slow = spans["plano.filter slow"][0]
    assert slow.status.status_code is StatusCode.ERROR
    assert attributes(slow)["error.type"] == "OSError"


def test_the_operation_says_what_was_asked_and_answered() -> None:
    """The GenAI attributes, tokens included."""
    operation = by_name(finished(served(stream=True)).get_finished_spans())["chat gpt"][0]

    shown = attributes(operation)
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "gpt",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.stream": True,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "claude-x",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 9,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "openai.api.type": "chat_completions",
        "server.address": "api.anthropic.com",
        "server.port": 443,
    }
    assert {name: shown.get(name) for name in expected} == expected
    assert shown["gen_ai.response.time_to_first_chunk"] == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"stop": "END"}, {"gen_ai.request.stop_sequences": ("END",)}),
        ({"stop_sequences": ["a", "b"]}, {"gen_ai.request.stop_sequences": ("a", "b")}),
        ({"stop": [1], "n": 1, "seed": True, "service_tier": 3, "response_format": "json"}, {}),
        ({"n": 3}, {"gen_ai.request.choice.count": 3}),
        ({"reasoning_effort": "low"}, {"gen_ai.request.reasoning.level": "low"}),
        ({"reasoning": {"effort": "high"}}, {"gen_ai.request.reasoning.level": "high"}),
        ({"service_tier": "flex"}, {"openai.request.service_tier": "flex"}),
        ({"response_format": {"type": "json_schema"}}, {"gen_ai.output.type": "json"}),
        ({"response_format": {"type": "text"}}, {"gen_ai.output.type": "text"}),
    ],
)
def test_what_the_request_asks_for_is_named(
    body: dict[str, Any], expected: dict[str, object]
) -> None:
    """In the conventions' words; what has another type than the API's is left out."""
    operation = by_name(finished(served(**body)).get_finished_spans())["chat gpt"][0]
    usual = by_name(finished(served()).get_finished_spans())["chat gpt"][0]

    assert dict(attributes(operation).items() - attributes(usual).items()) == expected


def test_the_root_says_how_the_request_came() -> None:
    """Over TLS and HTTP/2, for example."""
    exchange = served()
    exchange.request.scheme, exchange.request.http_version = "https", "2"

    root = attributes(
        by_name(finished(exchange).get_finished_spans())["POST /v1/chat/completions"][0]
    )

    assert (root["url.scheme"], root["network.protocol.version"]) == ("https", "2")


def test_each_try_is_an_http_span() -> None:
    """Failed ones are errors; from the second on they count as resent."""
    first, second = by_name(finished(served()).get_finished_spans())["POST"]

    assert attributes(first)["http.response.status_code"] == 429
    assert first.status.status_code is StatusCode.ERROR
    assert "http.request.resend_count" not in attributes(first)
    assert attributes(second)["http.request.resend_count"] == 1
    assert second.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Outcome(200), False),
        (Outcome(404), False),
        (Outcome(502, error=UpstreamFailed("x")), True),
        (Outcome(200, error=UpstreamFailed("cut")), True),
    ],
)
def test_the_root_is_an_error_only_for_our_side(outcome: Outcome, error: bool) -> None:
    """A 4xx is the client's; a stream that broke is ours, whatever its status was."""
    spans = by_name(finished(served(), outcome).get_finished_spans())

    root = spans["POST /v1/chat/completions"][0]
    assert (root.status.status_code is StatusCode.ERROR) is error
    assert attributes(root)["http.response.status_code"] == outcome.status


def test_the_root_says_what_the_answer_cost() -> None:
    """As far as it is known; an unknown cost is absent, and a part of one is called so."""
    known, part = served(), served()
    known.state.put(Cost(0.25, "file", 1.0))
    part.state.put(Cost(0.125, "file", 1.0, whole=False))
    roots = [
        attributes(by_name(finished(one).get_finished_spans())["POST /v1/chat/completions"][0])
        for one in (known, part, served())
    ]

    assert (roots[0]["plano.cost.usd"], roots[0]["plano.cost.source"]) == (0.25, "file")
    assert "plano.cost.whole" not in roots[0]
    assert (roots[1]["plano.cost.usd"], roots[1]["plano.cost.whole"]) == (0.125, False)
    assert not any(name.startswith("plano.cost") for name in roots[2])


def test_configured_attributes_are_on_the_root() -> None:
    """Static ones, and headers by prefix, as Plano names them; a header beats a static value."""
    wanted = SpanAttributes(header_prefixes=("x-acme-",), static={"env": "test", "user.id": "none"})
    spans = finished(served(), tracing=Tracing(span_attributes=wanted)).get_finished_spans()

    root = attributes(by_name(spans)["POST /v1/chat/completions"][0])
    assert (root["env"], root["user.id"]) == ("test", "u1")
    assert "other" not in root


def test_the_callers_trace_goes_on_and_its_decision_holds() -> None:
    """A sampled parent is recorded though roots are not; an unsampled one is not."""
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0{}"
    for flag, recorded in (("1", True), ("0", False)):
        provider, exporter = tracing(ParentBased(ALWAYS_OFF))
        telemetry = Telemetry(tracer=provider.get_tracer("t"), env={})
        exchange = make_exchange({}, headers={"traceparent": parent.format(flag)})
        exchange.span = telemetry.begin(exchange.request, exchange.operation)
        telemetry.finish(exchange, Outcome(200))

        spans = exporter.get_finished_spans()
        assert bool(spans) is recorded
        assert (
            f"{exchange.span.get_span_context().trace_id:032x}"
            == "0af7651916cd43dd8448eb211c80319c"
        )


def test_an_exchange_that_is_not_sampled_makes_no_children() -> None:
    """It pays for the decision and nothing else."""
    provider, exporter = tracing(ALWAYS_OFF)
    telemetry = Telemetry(tracer=provider.get_tracer("t"), env={})
    exchange = served()
    exchange.span = telemetry.begin(exchange.request, exchange.operation)
    telemetry.finish(exchange, Outcome(200))

    assert exporter.get_finished_spans() == ()


def test_our_names_are_the_conventions_names() -> None:
    """Where the conventions have a constant, we spell it the same."""
    assert names.HTTP_METHOD == http_attributes.HTTP_REQUEST_METHOD
    assert names.HTTP_ROUTE == http_attributes.HTTP_ROUTE
    assert names.HTTP_STATUS == http_attributes.HTTP_RESPONSE_STATUS_CODE
    assert names.HTTP_RESEND == http_attributes.HTTP_REQUEST_RESEND_COUNT
    assert names.PROTOCOL_VERSION == network_attributes.NETWORK_PROTOCOL_VERSION
    assert names.STOP_SEQUENCES == gen_ai_attributes.GEN_AI_REQUEST_STOP_SEQUENCES
    assert names.CHOICE_COUNT == gen_ai_attributes.GEN_AI_REQUEST_CHOICE_COUNT
    assert names.OUTPUT_TYPE == gen_ai_attributes.GEN_AI_OUTPUT_TYPE
    assert names.URL_PATH == url_attributes.URL_PATH
    assert names.USER_AGENT == user_agent_attributes.USER_AGENT_ORIGINAL
    assert names.CLIENT_ADDRESS == client_attributes.CLIENT_ADDRESS
    assert names.SERVER_ADDRESS == server_attributes.SERVER_ADDRESS
    assert names.ERROR_TYPE == error_attributes.ERROR_TYPE
    assert names.OPERATION == gen_ai_attributes.GEN_AI_OPERATION_NAME
    assert names.REQUEST_MODEL == gen_ai_attributes.GEN_AI_REQUEST_MODEL
    assert names.RESPONSE_MODEL == gen_ai_attributes.GEN_AI_RESPONSE_MODEL
    assert names.FINISH_REASONS == gen_ai_attributes.GEN_AI_RESPONSE_FINISH_REASONS
    assert names.INPUT_TOKENS == gen_ai_attributes.GEN_AI_USAGE_INPUT_TOKENS
    assert names.OUTPUT_TOKENS == gen_ai_attributes.GEN_AI_USAGE_OUTPUT_TOKENS
