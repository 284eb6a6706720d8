"""The other endpoints with the official SDK: embeddings, responses, models."""

from __future__ import annotations

import base64
import struct

import openai
import pytest
from openai.types.responses import ResponseStreamEvent

from tests.e2e.conftest import Stand, read_into
from tests.support import behaviours
from tests.support.answers import SAID, response_document, response_events

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_embeddings(stand: Stand) -> None:
    """The SDK asks for base64, and gets back the numbers the provider packed."""
    packed = base64.b64encode(struct.pack("<3f", 0.5, -1.0, 2.0)).decode()
    data = [{"object": "embedding", "index": 0, "embedding": packed}]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    document = {"object": "list", "data": data, "model": "main", "usage": usage}
    stand.main.script(behaviours.json(document))

    result = await stand.sdk.embeddings.create(model="openai/main", input="Hello")

    assert result.data[0].embedding == [0.5, -1.0, 2.0]
    assert stand.main.requests[0].target == "/v1/embeddings"
    assert stand.main.requests[0].json["encoding_format"] == "base64"


async def test_embeddings_do_not_fall_back(stand: Stand) -> None:
    """Vectors of another model would be useless, so a failing model is not replaced."""
    stand.main.script(behaviours.status(503), behaviours.status(503))

    with pytest.raises(openai.InternalServerError):
        await stand.sdk.embeddings.create(model="main", input="Hello")
    assert stand.backup.requests == []


async def test_responses(stand: Stand) -> None:
    """The Responses API is passed through."""
    stand.main.script(behaviours.json(response_document("main")))

    response = await stand.sdk.responses.create(model="main", input="Hello")

    assert response.output_text == SAID
    assert stand.main.requests[0].target == "/v1/responses"


async def test_responses_streamed(stand: Stand) -> None:
    """The events of a streamed response arrive in order; it needs no `[DONE]`."""
    stand.main.script(behaviours.sse(response_events("main")))

    stream = await stand.sdk.responses.create(model="main", input="Hello", stream=True)
    kinds = [event.type async for event in stream]

    assert kinds == [
        "response.created",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.completed",
    ]


async def test_a_response_that_breaks_off(stand: Stand) -> None:
    """A streamed response without its last event ends with an error the SDK raises."""
    stand.main.script(behaviours.sse(response_events("main")[:2]))
    stream = await stand.sdk.responses.create(model="main", input="Hello", stream=True)
    events: list[ResponseStreamEvent] = []
    with pytest.raises(openai.APIError):
        await read_into(events, stream)

    assert [event.type for event in events][:2] == [
        "response.created",
        "response.output_text.delta",
    ]


async def test_models(stand: Stand) -> None:
    """Every declared model and alias is listed, in order."""
    listed = [model.id async for model in stand.sdk.models.list()]

    assert listed == [
        "openai/main",
        "groq/backup",
        "openai/org/with:slash",
        "anthropic/claude",
        "openai/refused",
        "openai/nowhere",
        "fast",
    ]


@pytest.mark.parametrize("name", ["openai/main", "openai/org/with:slash", "fast"])
async def test_one_model(stand: Stand, name: str) -> None:
    """A model is described by its id, slashes included, however the SDK encodes them."""
    assert (await stand.sdk.models.retrieve(name)).id == name
    assert (await stand.http.get(f"/v1/models/{name}")).json()["id"] == name


async def test_an_unknown_model(stand: Stand) -> None:
    """A model nobody declared is not found, neither described nor served, and a guess is made."""
    with pytest.raises(openai.NotFoundError):
        await stand.sdk.models.retrieve("openai/none-such")
    with pytest.raises(openai.NotFoundError) as refused:
        await stand.sdk.chat.completions.create(model="openai/mian", messages=[])

    assert refused.value.code == "model_not_found"
    assert 'did you mean "openai/main"?' in refused.value.message
    assert stand.main.requests == []


async def test_models_with_slashes_are_served(stand: Stand) -> None:
    """The provider is asked for everything behind the first slash."""
    await stand.sdk.chat.completions.create(model="openai/org/with:slash", messages=[])

    assert stand.main.requests[0].json["model"] == "org/with:slash"


async def test_head_of_the_root(stand: Stand) -> None:
    """`HEAD /`, with which some clients look whether anybody is there, is answered."""
    answer = await stand.http.head("/")

    assert (answer.status_code, answer.content) == (200, b"")
