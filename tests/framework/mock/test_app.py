"""The mock on a socket, asked by the SDK that people use."""

from __future__ import annotations

import openai
import pytest

from plano_filters.mock.app import create_app
from tests.support.serving import serve

FAST = {"x-mock-delay-ms": "0"}
HELLO: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]


def client_of(address: tuple[str, int]) -> openai.AsyncOpenAI:
    """Return a client that makes each request once, and waits for no pause of the mock."""
    url = f"http://{address[0]}:{address[1]}/v1"
    return openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, default_headers=FAST)


async def test_every_endpoint_answers_the_sdk() -> None:
    """Chat plain and streamed, responses plain and streamed, embeddings, models."""
    async with serve(create_app()) as address, client_of(address) as client:
        plain = await client.chat.completions.create(model="fast", messages=HELLO)
        chunks = await client.chat.completions.create(model="fast", messages=HELLO, stream=True)
        text = "".join([c.choices[0].delta.content or "" async for c in chunks])
        response = await client.responses.create(model="fast", input="Hello")
        events = await client.responses.create(model="fast", input="Hello", stream=True)
        kinds = [event.type async for event in events]
        vectors = await client.embeddings.create(model="fast", input=["a", "b"])
        models = [model.id async for model in client.models.list()]

    assert text == plain.choices[0].message.content
    assert "Hello" in response.output_text
    assert kinds[-1] == "response.completed"
    assert [len(one.embedding) for one in vectors.data] == [8, 8]
    assert models == ["fast", "smart"]


async def test_scripted_failures_reach_the_sdk() -> None:
    """A status is the SDK's error class for it; a cut stream is no clean end."""
    async with serve(create_app()) as address, client_of(address) as client:
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(
                model="fast", messages=HELLO, extra_headers={"x-mock-status": "429"}
            )
        chunks = await client.chat.completions.create(
            model="fast", messages=HELLO, stream=True, extra_headers={"x-mock-cut-after": "2"}
        )
        with pytest.raises(openai.APIConnectionError):
            [chunk async for chunk in chunks]
