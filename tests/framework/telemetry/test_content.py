"""Content capture: off unless twice asked for, and never in the way of the bytes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plano_filters.config.document import Tracing
from plano_filters.exchange import Outcome
from plano_filters.messages import MutableHeaders, Response
from plano_filters.telemetry import Telemetry
from plano_filters.telemetry.content import VARIABLE
from plano_filters.testing import make_exchange
from tests.framework.telemetry.exchanges import tracing

CHUNKS = [
    b'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\ndata: {"cho',
    b'ices":[{"delta":{"content":"lo"}}]}\n\n',
    b"data: not json\n\ndata: [DONE]\n\n",
]


async def captured(
    capture: bool, variable: str, *, stream: bool
) -> tuple[dict[str, object], bytes]:
    """Return the root span's attributes and the bytes that reached the client."""

    async def body() -> AsyncIterator[bytes]:
        for chunk in CHUNKS:
            yield chunk

    provider, exporter = tracing()
    telemetry = Telemetry(
        Tracing(capture_content=capture), env={VARIABLE: variable}, tracer=provider.get_tracer("t")
    )
    messages = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    exchange = make_exchange({"messages": messages, "stream": stream})
    exchange.span = telemetry.begin(exchange.request, exchange.operation)
    whole = json.dumps({"choices": [{"message": {"content": "Hello"}}]}).encode()
    headers = MutableHeaders({"content-type": "text/event-stream"})
    response = Response(200, headers, body() if stream else whole)
    telemetry.wrap(exchange, response)
    if isinstance(response.body, bytes):
        sent = response.body
    else:
        sent = b"".join([chunk async for chunk in response.body])
    telemetry.finish(exchange, Outcome(200))
    return dict(exporter.get_finished_spans()[-1].attributes or {}), sent


@pytest.mark.parametrize("stream", [True, False])
async def test_content_is_recorded_when_both_ask_for_it(stream: bool) -> None:
    """Messages in the conventions' form; the bytes are untouched."""
    attributes, sent = await captured(True, "SPAN_ONLY", stream=stream)

    assert json.loads(str(attributes["gen_ai.input.messages"])) == [
        {"role": "user", "parts": [{"type": "text", "content": "hi"}]}
    ]
    assert (
        json.loads(str(attributes["gen_ai.output.messages"]))[0]["parts"][0]["content"] == "Hello"
    )
    assert not stream or sent == b"".join(CHUNKS)


@pytest.mark.parametrize(
    ("capture", "variable"), [(False, "SPAN_ONLY"), (True, "NO_CONTENT"), (True, "")]
)
async def test_content_is_not_recorded_when_one_does_not(capture: bool, variable: str) -> None:
    """A variable that someone sets for another service is not enough."""
    attributes, _ = await captured(capture, variable, stream=True)

    assert not any("messages" in name for name in attributes)


@pytest.mark.parametrize(
    "answer",
    [
        {"choices": [{"message": {"content": "Hello"}}]},
        {"content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]},
        {
            "output": [
                {"type": "reasoning", "summary": []},
                {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]},
            ]
        },
    ],
    ids=["chat", "messages", "responses"],
)
def test_the_answers_of_every_dialect_are_recorded(answer: dict[str, object]) -> None:
    """The text of it; what is no text is left out."""
    provider, exporter = tracing()
    telemetry = Telemetry(
        Tracing(capture_content=True), env={VARIABLE: "SPAN_ONLY"}, tracer=provider.get_tracer("t")
    )
    exchange = make_exchange({"messages": []})
    exchange.span = telemetry.begin(exchange.request, exchange.operation)
    telemetry.wrap(exchange, Response.from_json(answer))
    telemetry.finish(exchange, Outcome(200))

    attributes = dict(exporter.get_finished_spans()[-1].attributes or {})
    (message,) = json.loads(str(attributes["gen_ai.output.messages"]))
    assert message["parts"] == [{"type": "text", "content": "Hello"}]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "delta", "content", "output", "text", "type", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(document=JSON)
@example(document={"choices": ["x"]})
@example(document={"choices": [{"message": "x", "delta": ["x"]}]})
@example(document={"output": [{"content": 1}], "content": 1})
async def test_an_odd_answer_is_never_an_error(document: object) -> None:
    """Whatever a provider sends reaches the client, recorded or not."""
    whole = json.dumps(document).encode()
    stream = b"data: " + whole + b"\n\n"

    async def body() -> AsyncIterator[bytes]:
        yield stream

    provider, _ = tracing()
    telemetry = Telemetry(
        Tracing(capture_content=True), env={VARIABLE: "SPAN_ONLY"}, tracer=provider.get_tracer("t")
    )
    for given_body in (whole, body()):
        response = Response(200, MutableHeaders(), given_body)
        exchange = make_exchange({"messages": []})
        exchange.span = telemetry.begin(exchange.request, exchange.operation)
        telemetry.wrap(exchange, response)
        if isinstance(response.body, bytes):
            assert response.body == whole
        else:
            assert [chunk async for chunk in response.body] == [stream]
