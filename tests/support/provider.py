"""The kit's scripted provider, which says the same to everybody unless it is told otherwise."""

from __future__ import annotations

import json

from plano_filters.testing import FakeProvider as KitProvider
from plano_filters.testing import Received, Reply
from plano_filters.testing.provider import Behaviour
from tests.support.answers import (
    chat_document,
    chat_events,
    message_document,
    message_events,
)


async def echo(reply: Reply) -> None:
    """Answer a request to chat or to messages as a provider would: plain or streamed."""
    payload = reply.request.json
    model = payload.get("model", "")
    messages = reply.request.target.partition("?")[0].endswith("/messages")
    if payload.get("stream"):
        await reply.stream_head({"x-request-id": "provider-request"})
        await reply.events((message_events if messages else chat_events)(model))
        await reply.end()
    else:
        body = json.dumps((message_document if messages else chat_document)(model)).encode()
        await reply.whole(200, body, {"x-request-id": "provider-request"})


class FakeProvider(KitProvider):
    """A scripted provider whose default is `echo`."""

    def __init__(self) -> None:
        super().__init__(echo)


__all__ = ["Behaviour", "FakeProvider", "Received", "Reply", "echo"]
