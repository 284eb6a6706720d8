"""A response is continued by its id where its provider keeps it, and by its items elsewhere."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from plano_builtin_filters.upstream import Upstream, UpstreamConfig
from plano_filters import Candidates, Continued, Document
from plano_filters.testing import exercise, make_context, make_exchange
from tests.filters.upstream.script import Script, fails

DOCUMENT = {
    "model_providers": [
        {"model": "openai/a", "access_key": "sk-aaaaaaaa"},
        {"model": "openai/same", "access_key": "sk-aaaaaaaa"},
        {"model": "openai/other", "access_key": "sk-bbbbbbbb"},
        {"model": "xai/grok", "access_key": "sk-aaaaaaaa"},
    ]
}
WHOLE: list[Any] = [{"role": "user", "content": "before"}, {"role": "user", "content": "now"}]


async def sent(
    *models: str, given: object = "now", changed: list[Any] | None = None
) -> list[dict[str, Any]]:
    """Ask models one after the other, all but the last of which fail; returns what they got."""
    exchange = make_exchange(
        {"model": "x", "extra": 1},
        path="/v1/responses",
        facts=[
            Candidates(models, "x", explicit=True),
            Continued("resp_1", "openai/a", given, WHOLE),
        ],
    )
    exchange.request.edit(input=WHOLE if changed is None else changed)
    answer = httpx.Response(200, json={"object": "response"})
    script = Script(*(fails(500) for _ in models[1:]), answer)
    context = make_context(Document.model_validate(DOCUMENT), transport=lambda: script)
    upstream = Upstream(UpstreamConfig(attempts=1), context)
    async with upstream.lifespan():
        response = await exercise(upstream, exchange)
    assert response.status == 200
    return [json.loads(request.content) for request in script.requests]


@pytest.mark.parametrize("model", ["openai/a", "openai/same"])
async def test_the_account_that_keeps_it_is_asked_by_its_id(model: str) -> None:
    """By whichever of its models; the client's own input goes with it, and nothing else."""
    [body] = await sent(model)

    assert body == {
        "model": model.partition("/")[2], "extra": 1, "input": "now",
        "previous_response_id": "resp_1",
    }  # fmt: skip


async def test_a_request_without_input_has_none_again() -> None:
    """It asks the model to go on."""
    [body] = await sent("openai/a", given=None)

    assert body == {"model": "a", "extra": 1, "previous_response_id": "resp_1"}


@pytest.mark.parametrize("model", ["openai/other", "xai/grok"])
async def test_another_account_is_told_everything(model: str) -> None:
    """It could not look the id up."""
    [body] = await sent(model)

    assert body == {"model": model.partition("/")[2], "extra": 1, "input": WHOLE}


async def test_a_fallback_is_told_everything() -> None:
    """What one try sends is not what the next one sends."""
    first, second = await sent("openai/a", "xai/grok")

    assert (first["input"], second["input"]) == ("now", WHOLE)
    assert "previous_response_id" not in second


async def test_a_conversation_that_a_filter_has_changed_is_sent_so() -> None:
    """What was redacted, say, must not come back by another way."""
    redacted = [*WHOLE[:1], {"role": "user", "content": "***"}]
    [body] = await sent("openai/a", changed=redacted)

    assert body["input"] == redacted
    assert "previous_response_id" not in body
