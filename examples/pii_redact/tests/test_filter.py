"""The filter in a chain: requests of every dialect, their answers, and what nobody may see."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from plano_filters import ConfigError, Exchange, Response
from plano_filters.testing import chain, conformance, exercise, make_context, make_exchange
from plano_filters_pii_redact import PiiRedact, PiiRedactConfig

MAIL, CARD = "ann@mail.example", "4111 1111 1111 1111"
LINKS = "- pii_redact: {patterns: {EMPLOYEE: 'E-[0-9]{6}'}}\n- alias\n- upstream"


def requests() -> list[Exchange]:
    """Return requests of different people, with data of each."""
    return [
        make_exchange({
            "model": "main",
            "messages": [{"role": "user", "content": f"I am {name}@mail.example, call {phone}"}],
        })
        for name, phone in (("ann", "+4930901820"), ("bob", "+442079460958"), ("eve", "none"))
    ]  # fmt: skip


test_conformance = conformance.tests(PiiRedact, {}, exchanges=requests)


async def redacted(body: dict[str, Any], path: str = "/v1/chat/completions") -> dict[str, Any]:
    """Return a request as a model would get it."""
    exchange = make_exchange(body, path=path)
    await exercise(PiiRedact(PiiRedactConfig(), make_context()), exchange)
    return dict(exchange.request.payload)


async def test_a_chat_is_redacted() -> None:
    """Texts, parts, tool results and arguments; the same value has the same placeholder."""
    body = {
        "model": "main",
        "user": MAIL,
        "messages": [
            {"role": "system", "content": f"Help {MAIL}"},
            {"role": "user", "content": [
                {"type": "text", "text": f"pay with {CARD}"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,+4930901820"}},
            ]},
            {"role": "assistant", "content": None, "tool_calls": [{
                "id": "call_4111111111111111", "type": "function",
                "function": {"name": "send", "arguments": json.dumps({"to": MAIL, "n": 1})},
            }]},
            {"role": "tool", "tool_call_id": "call_4111111111111111", "content": f"sent to {MAIL}"},
        ],
    }  # fmt: skip
    messages = (await redacted(body))["messages"]

    assert messages[0]["content"] == "Help [EMAIL_1]"
    assert messages[1]["content"][0]["text"] == "pay with [CARD_1]"
    assert messages[1]["content"][1] == body["messages"][1]["content"][1]  # type: ignore[index]
    call = messages[2]["tool_calls"][0]
    assert call["id"] == "call_4111111111111111"
    assert json.loads(call["function"]["arguments"]) == {"to": "[EMAIL_1]", "n": 1}
    assert messages[3]["content"] == "sent to [EMAIL_1]"


async def test_messages_are_redacted() -> None:
    """Anthropic's: system, blocks, what tools get and give, documents; signed thinking stays."""
    thought = {"type": "thinking", "thinking": MAIL, "signature": "c2ln"}
    body = {
        "system": [{"type": "text", "text": MAIL}],
        "messages": [
            {"role": "assistant", "content": [
                thought,
                {"type": "tool_use", "id": "t", "name": "send", "input": {"name": MAIL}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": [
                    {"type": "text", "text": f"{CARD} was charged"},
                ]},
                {"type": "document", "source": {"type": "text", "data": MAIL}},
            ]},
        ],
    }  # fmt: skip
    given = await redacted(body, "/v1/messages")

    assert given["system"][0]["text"] == "[EMAIL_1]"
    assert given["messages"][0]["content"][0] == thought
    assert given["messages"][0]["content"][1]["input"] == {"name": "[EMAIL_1]"}
    assert given["messages"][1]["content"][0]["content"][0]["text"] == "[CARD_1] was charged"
    assert given["messages"][1]["content"][1]["source"]["data"] == "[EMAIL_1]"


async def test_responses_are_redacted() -> None:
    """Instructions, items, calls and their outputs."""
    body = {
        "instructions": f"Help {MAIL}",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": CARD}]},
            {
                "type": "function_call",
                "call_id": "c",
                "name": "f",
                "arguments": f'{{"a":"{MAIL}"}}',
            },
            {"type": "function_call_output", "call_id": "c", "output": MAIL},
        ],
    }
    given = await redacted(body, "/v1/responses")

    assert given["instructions"] == "Help [EMAIL_1]"
    assert given["input"][0]["content"][0]["text"] == "[CARD_1]"
    assert json.loads(given["input"][1]["arguments"]) == {"a": "[EMAIL_1]"}
    assert given["input"][2]["output"] == "[EMAIL_1]"
    assert (await redacted({"input": f"to {MAIL}"}, "/v1/responses"))["input"] == "to [EMAIL_1]"


async def test_texts_to_embed_are_redacted() -> None:
    """One, several, or already tokens, which nobody can read."""
    for given, expected in (
        (MAIL, "[EMAIL_1]"),
        ([MAIL, "Hello"], ["[EMAIL_1]", "Hello"]),
        ([4111, 1111, 1111, 1111], [4111, 1111, 1111, 1111]),
    ):
        assert (await redacted({"input": given}, "/v1/embeddings"))["input"] == expected


async def test_a_request_without_data_keeps_every_byte() -> None:
    """Spaces and number formats included."""
    body = b'{ "temperature": 1.0,  "messages": [{"role": "user", "content": "Hello"}] }'
    exchange = make_exchange(body)
    await exercise(PiiRedact(PiiRedactConfig(), make_context()), exchange)

    assert exchange.request.body == body
    assert exchange.decisions == []


async def test_what_the_client_writes_is_no_placeholder() -> None:
    """A text that looks like one stays what it is, on the way there and back."""
    text = f"what is [EMAIL_1]? I am {MAIL}"
    async with chain(LINKS) as running:
        answer = await running.chat(text)
    given = answer.exchange.request.payload["messages"][0]["content"]

    assert given == "what is [EMAIL_1]? I am [EMAIL_2]"
    assert answer.json()["choices"][0]["message"]["content"].endswith(text)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
async def test_the_answer_has_the_real_values(path: str, stream: bool) -> None:
    """The mock repeats what it was told: placeholders, which the client never sees."""
    asked = [{"role": "user", "content": f"I am {MAIL}, E-123456"}]
    field = "input" if path.endswith("responses") else "messages"
    async with chain(LINKS) as running:
        answer = await running.request(
            {field: asked, "stream": stream, "max_tokens": 99}, path=path
        )

    assert answer.status == 200
    assert b"[EMAIL_1], [EMPLOYEE_1]" in answer.exchange.request.body
    assert b"[EMAIL" not in answer.body
    assert answer.text.count(MAIL) >= 1


async def test_what_is_passed_to_tools_has_them_too() -> None:
    """Anthropic's are documents inside the document."""

    def echo(exchange: Exchange) -> Response:
        said = exchange.request.payload["messages"][0]["content"]
        tool = {"type": "tool_use", "id": "t", "name": "send", "input": {"to": [said]}}
        return Response.from_json({"content": [{"type": "text", "text": said}, tool]})

    made = PiiRedact(PiiRedactConfig(), make_context())
    async with chain(made, answer=echo) as running:
        asked = {"messages": [{"role": "user", "content": MAIL}]}
        answer = await running.request(asked, path="/v1/messages")

    assert b"[EMAIL_1]" in answer.exchange.request.body
    assert answer.json()["content"][0]["text"] == MAIL
    assert answer.json()["content"][1]["input"] == {"to": [MAIL]}


async def test_restoring_can_be_turned_off() -> None:
    """Then clients get what the model said."""
    async with chain(LINKS.replace("{", "{restore: false, ", 1)) as running:
        answer = await running.chat(f"I am {MAIL}")

    assert "[EMAIL_1]" in answer.text


async def test_two_at_once_do_not_mix() -> None:
    """Each request has numbers, and values, of its own."""
    people = [f"person{number}@mail.example" for number in range(20)]
    async with chain(LINKS) as running:
        answers = await asyncio.gather(*(
            running.chat(f"I am {one}", stream=number % 2 == 0)
            for number, one in enumerate(people)
        ))  # fmt: skip

    for one, answer in zip(people, answers, strict=True):
        assert b"[EMAIL_1]" in answer.exchange.request.body
        assert one in answer.text
        assert not any(other in answer.text.replace(one, "") for other in people)


async def test_nobody_else_sees_them(caplog: pytest.LogCaptureFixture) -> None:
    """Counts only: in decisions and metrics; nothing in spans, log, facts and errors."""
    caplog.set_level(logging.DEBUG)
    async with chain(LINKS) as running:
        answer = await running.chat(f"I am {MAIL}, {CARD}, {MAIL}", stream=True)
        hidden = running.metric("pii_redact_hidden_total", kind="EMAIL")
        spans = " ".join(span.to_json() for span in running.spans)
    texts = [decision.text for decision in answer.decisions]
    facts = " ".join(repr(fact) for fact in answer.exchange.state)

    assert "hid 1 CARD, 1 EMAIL" in texts
    assert hidden == 1
    for shown in (repr(answer.decisions), spans, caplog.text, facts):
        assert MAIL not in shown
        assert "4111" not in shown


async def test_what_is_no_document_stays_as_it_is() -> None:
    """A plain text is relayed byte for byte."""
    exchange = make_exchange({"messages": [{"role": "user", "content": MAIL}]})
    answer = Response.from_json({})
    answer.body = b"[EMAIL_1] {"
    made = PiiRedact(PiiRedactConfig(), make_context())

    assert (await exercise(made, exchange, answer=answer)).body == b"[EMAIL_1] {"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{kind: [EMAIL]}", 'did you mean "kinds"'),
        ("{patterns: {X: '('}}", "is no regular expression"),
        ("{patterns: {X: 'a*'}}", "would match an empty text"),
        ("{patterns: {lower: 'a'}}", "lower"),
    ],
)
async def test_mistakes_are_told_at_the_start(options: str, said: str) -> None:
    """With their place, before anything is served."""
    with pytest.raises(ConfigError, match=said):
        async with chain(f"- pii_redact: {options}\n- alias\n- upstream"):
            pass


async def test_it_cannot_be_skipped() -> None:
    """A guard that lets everything through when it fails is none."""
    links: list[Any] = [{"use": "pii_redact", "on_error": "skip"}, "alias", "upstream"]
    with pytest.raises(ConfigError, match="skip"):
        async with chain(links):
            pass
