"""The loop over candidates when they speak different dialects."""

from __future__ import annotations

import json
from typing import Any

import httpx

from plano_builtin_filters.upstream import Upstream, UpstreamConfig
from plano_filters import Attempts, Candidates, Document, Exchange, Response, Usage
from plano_filters.facts import ResponseInfo
from plano_filters.testing import exercise, make_context, make_exchange
from tests.filters.upstream.script import SECRET, Script, fails, ok, stream
from tests.support.answers import message_document, message_error_document, message_events

OPENAI, CLAUDE = "openai/a", "anthropic/c"
DOCUMENT = {
    "model_providers": [
        {"model": OPENAI, "access_key": SECRET},
        {"model": CLAUDE, "access_key": SECRET},
    ]
}
HELLO = [{"role": "user", "content": "Hello"}]


def asking(*models: str, path: str = "/v1/chat/completions", **body: Any) -> Exchange:
    facts = [Candidates(models, "whatever", explicit=True)]
    given = {"model": "whatever", "messages": HELLO, "max_tokens": 9, **body}
    return make_exchange(given, path=path, facts=facts)


async def ask(script: Script, exchange: Exchange, **config: Any) -> Response:
    context = make_context(Document.model_validate(DOCUMENT), transport=lambda: script)
    upstream = Upstream(UpstreamConfig.model_validate({"attempts": 1, **config}), context)
    async with upstream.lifespan():
        return await exercise(upstream, exchange)


def body_of(response: Response) -> Any:
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


def message(**headers: str) -> httpx.Response:
    return httpx.Response(200, json=message_document("c"), headers=headers)


async def test_what_goes_up_and_what_comes_back() -> None:
    """A Messages request with the provider's id of the model, and a completion with ours."""
    script = Script(message(etag="theirs"))
    exchange = asking(CLAUDE, seed=1)
    response = await ask(script, exchange)

    (sent,) = script.requests
    assert str(sent.url) == "https://api.anthropic.com/v1/messages"
    assert json.loads(sent.content)["model"] == "c"
    assert sent.headers["content-length"] == str(len(sent.content))
    assert body_of(response)["object"] == "chat.completion"
    assert response.headers["x-plano-dropped-params"] == "seed"
    assert "etag" not in response.headers
    told = [decision.text for decision in exchange.decisions]
    assert told == ["chat translated to messages, without seed", f"served by {CLAUDE}"]


async def test_a_prompt_in_a_name_is_not_logged() -> None:
    """The client is told which parameter was dropped, the log only that one was."""
    strange: dict[str, Any] = {"what my boss earns": 1}
    exchange = asking(CLAUDE, **strange)
    response = await ask(Script(message()), exchange)

    assert response.headers["x-plano-dropped-params"] == "what my boss earns"
    assert exchange.decisions[0].data["dropped"] == ["(a strange name)"]
    assert "boss" not in exchange.decisions[0].text


async def test_the_clients_own_request_is_not_changed() -> None:
    """Whoever reads it after the answer reads what the client sent, in the client's dialect."""
    exchange = asking(CLAUDE)
    before = exchange.request.body
    await ask(Script(message()), exchange)

    assert exchange.request.body == before


async def test_facts_are_those_of_the_provider() -> None:
    """Tokens, id and stop reason are read before they are translated."""
    exchange = asking(CLAUDE, stream=True)
    response = await ask(Script(stream(*message_events("c"))), exchange)

    assert isinstance(response.body, bytes)
    assert response.body.endswith(b"data: [DONE]\n\n")
    assert exchange.state[Usage].input_tokens == 5
    assert exchange.state[Usage].output_tokens == 4
    assert exchange.state[ResponseInfo] == ResponseInfo("msg_1", "c", ("end_turn",))


async def test_a_model_that_cannot_be_asked_is_passed_over() -> None:
    """Nobody asked it, so it is no try."""
    script = Script(ok())
    exchange = asking(CLAUDE, OPENAI, n=2)
    response = await ask(script, exchange)

    assert response.headers["x-plano-model"] == OPENAI
    assert response.headers["x-plano-attempts"] == "1"
    assert script.hosts == ["api.openai.com"]
    assert exchange.decisions[0].text.startswith(f"{CLAUDE} cannot be asked this: ")


async def test_a_model_that_cannot_be_asked_does_not_hide_a_failure() -> None:
    """The client is told what the provider said that could be asked."""
    exchange = asking(OPENAI, CLAUDE, n=2)
    response = await ask(Script(fails(503, "theirs")), exchange)

    assert response.status == 503
    assert body_of(response)["error"]["code"] == "theirs"
    assert len(exchange.state[Attempts]) == 1


async def test_when_no_model_can_be_asked_the_request_is_at_fault() -> None:
    """The field at fault is named; nobody was asked."""
    script = Script()
    response = await ask(script, asking(CLAUDE, n=2))

    assert response.status == 400
    assert body_of(response)["error"]["param"] == "n"
    assert response.headers["x-plano-error-source"] == "gateway"
    assert response.headers["x-plano-attempts"] == "0"


async def test_an_answer_that_cannot_be_read_is_a_failed_try() -> None:
    """Another model may give one that can."""
    script = Script(httpx.Response(200, content=b"words"), ok())
    exchange = asking(CLAUDE, OPENAI)
    response = await ask(script, exchange)

    assert response.headers["x-plano-model"] == OPENAI
    assert [one.error for one in exchange.state[Attempts].results] == ["stream", None]


async def test_an_error_in_place_of_an_answer_is_the_providers() -> None:
    """Some say 200 and mean it not."""
    error = message_error_document(529, "overloaded_error", "they are busy")
    response = await ask(Script(httpx.Response(200, json=error)), asking(CLAUDE))

    assert response.status == 502
    assert body_of(response)["error"]["message"] == "they are busy"
    assert body_of(response)["error"]["code"] == "overloaded_error"


async def test_our_key_is_blanked_out_of_a_translated_error() -> None:
    """As out of any other."""
    error = message_error_document(401, "authentication_error", f"bad key {SECRET}")
    response = await ask(Script(httpx.Response(401, json=error)), asking(CLAUDE))

    assert body_of(response)["error"]["message"] == "bad key ***"
    assert response.headers["x-upstream-request-id"] == "req_theirs"


async def test_the_providers_request_id_is_the_headers_if_there_is_one() -> None:
    """That of the body is for providers without the header."""
    error = message_error_document(400, "invalid_request_error", "no")
    answer = httpx.Response(400, json=error, headers={"request-id": "req_header"})
    response = await ask(Script(answer), asking(CLAUDE))

    assert response.headers["x-upstream-request-id"] == "req_header"


async def test_tokens_are_counted_by_who_can() -> None:
    """Forwarded as it is; the answer is the provider's."""
    script = Script(httpx.Response(200, json={"input_tokens": 77}))
    exchange = asking(CLAUDE, OPENAI, path="/v1/messages/count_tokens")
    response = await ask(script, exchange)

    assert body_of(response) == {"input_tokens": 77}
    assert str(script.requests[0].url) == "https://api.anthropic.com/v1/messages/count_tokens"
    assert "x-plano-estimated" not in response.headers


async def test_tokens_are_estimated_for_the_others() -> None:
    """Nobody is asked, and the answer says that it is an estimate."""
    script = Script()
    exchange = asking(OPENAI, CLAUDE, path="/v1/messages/count_tokens")
    response = await ask(script, exchange)

    assert body_of(response)["input_tokens"] > 0
    assert response.headers["x-plano-estimated"] == "input_tokens"
    assert response.headers["x-plano-model"] == OPENAI
    assert script.requests == []
