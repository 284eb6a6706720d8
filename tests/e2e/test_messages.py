"""Anthropic's dialect with its official SDK: passed through to a provider that speaks it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anthropic
import pytest
import pytest_asyncio

from tests.e2e.conftest import BACKUP_KEY, CLIENT_KEY, Stand, read_into
from tests.support import behaviours
from tests.support.answers import SAID, message_document, message_events
from tests.support.provider import Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
MODEL = "anthropic/claude"


@pytest_asyncio.fixture(loop_scope="module")
async def claude(stand: Stand) -> AsyncGenerator[anthropic.AsyncAnthropic]:
    """Return the SDK, pointed at the gateway; it does not retry by itself."""
    async with anthropic.AsyncAnthropic(
        base_url=stand.gateway.url, api_key=CLIENT_KEY, max_retries=0, timeout=20
    ) as sdk:
        yield sdk


async def test_a_message(stand: Stand, claude: anthropic.AsyncAnthropic) -> None:
    """A message goes to `/v1/messages` of the provider with the provider's key."""
    stand.backup.script(behaviours.json(message_document("claude")))
    message = await claude.messages.create(model=MODEL, messages=HELLO, max_tokens=9)

    assert message.content[0].type == "text"
    assert message.content[0].text == SAID
    request = stand.backup.requests[0]
    assert request.target == "/v1/messages"
    assert request.json["model"] == "claude"
    assert request.headers["x-api-key"] == BACKUP_KEY
    assert "authorization" not in request.headers
    assert request.headers["anthropic-version"]


async def test_a_streamed_message(stand: Stand, claude: anthropic.AsyncAnthropic) -> None:
    """The SDK puts the events together; the end needs no `[DONE]`."""
    stand.backup.script(behaviours.sse(message_events("claude")))
    async with claude.messages.stream(model=MODEL, messages=HELLO, max_tokens=9) as stream:
        text = "".join([piece async for piece in stream.text_stream])

    assert text == "Hello there"


async def test_a_stream_that_breaks_off(stand: Stand, claude: anthropic.AsyncAnthropic) -> None:
    """The error event has the dialect's shape, so the SDK raises."""

    async def broken(reply: Reply) -> None:
        await reply.stream_head()
        await reply.events(message_events("claude")[:3], delay=0.02)
        reply.cut(reset=False)

    stand.backup.script(broken)
    stream = await claude.messages.create(model=MODEL, messages=HELLO, max_tokens=9, stream=True)
    events: list[Any] = []
    with pytest.raises(anthropic.APIError):
        await read_into(events, stream)

    assert events[0].type == "message_start"
    assert all(event.type != "message_stop" for event in events)


async def test_a_refused_message(stand: Stand, claude: anthropic.AsyncAnthropic) -> None:
    """An unknown model is refused in the dialect's shape."""
    with pytest.raises(anthropic.NotFoundError) as raised:
        await claude.messages.create(model="none-such", messages=HELLO, max_tokens=9)

    assert raised.value.response.json()["type"] == "error"
    assert raised.value.request_id == raised.value.response.headers["request-id"]
    assert stand.main.requests == []
