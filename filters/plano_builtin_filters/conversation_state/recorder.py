"""Reads an answer on its way: what goes on in its conversation, and under which id."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from plano_builtin_filters.conversation_state import core
from plano_filters import sse
from plano_filters.jsonbody import encode

LARGEST_EVENT: Final = 16 * 1024 * 1024
"""Bytes of one incomplete event to hold; a larger one goes on as it comes, and is not read."""
# Inside a JSON string every quote is escaped, so this cannot match in what a model says.
_OF_RESPONSE: Final = re.compile(
    rb'"type"\s*:\s*"response\.(?:created|queued|in_progress|completed|incomplete|failed)"'
)
_END: Final = frozenset(f"response.{status}" for status in core.ENDED)

Keep = Callable[[str, Mapping[str, Any], bool], Awaitable[bool]]
"""Takes the id of a response, the response, and whether its provider keeps it too; says whether it
was kept here."""


class Recorder:
    """Reads one answer, and names it.

    A response has its provider's id where the provider keeps it, as its `store: true` says. Any
    other gets an id of the gateway's own: some servers count theirs, and reuse them.

    Args:
        previous: The `previous_response_id` of the request.
        native: Whether the provider speaks Responses itself.
        keep: Called once, with the whole answer, before its last event goes on, so that the
            client's next request finds it.
    """

    def __init__(self, previous: str | None, *, native: bool, keep: Keep) -> None:
        self._previous = previous
        self._native = native
        self._keep = keep
        self._id = ""
        """The one to give to the response; empty until it has begun."""
        self._given = False
        """Whether that is the gateway's own."""

    async def whole(self, body: bytes) -> bytes:
        """Read a whole answer; return it, with the names it has here."""
        document = core.decode_json(body)
        if not core.is_response(document) or document.get("status") not in core.ENDED:
            return body
        self._begin(document)
        kept = await self._keep(self._id, document, not self._given)
        return encode({**document, **self._names(kept=kept)}) if self._given else body

    async def stream(self, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """Yield the events of a stream as they come; the few that are about the response itself
        with the names it has here."""
        splitter = sse.Splitter()
        async for chunk in body:
            for part in _parts(splitter.feed(chunk)):
                yield part if isinstance(part, bytes) else await self._event(part)
            if len(splitter.rest) > LARGEST_EVENT:
                yield splitter.flush()
        rest = splitter.flush()
        if rest:  # the last event may lack its blank line
            yield await self._event(sse.Event(rest))

    async def _event(self, one: sse.Event) -> bytes:
        document = core.decode_json(one.data)
        response = document.get("response")
        if not isinstance(response, dict) or not core.is_response(response):
            return one.raw
        self._begin(response)
        kept = document.get("type") != "response.failed"
        if document.get("type") in _END:
            kept = await self._keep(self._id, response, not self._given)
        if not self._given:
            return one.raw
        document["response"] = {**response, **self._names(kept=kept)}
        return sse.event(encode(document), one.name)

    def _begin(self, response: Mapping[str, Any]) -> None:
        if not self._id:
            self._given = not (self._native and response.get("store") is True)
            self._id = f"{core.OURS}{uuid.uuid4().hex}" if self._given else str(response["id"])

    def _names(self, *, kept: bool) -> dict[str, object]:
        return {"id": self._id, "previous_response_id": self._previous, "store": kept}


def _parts(events: list[sse.Event]) -> Iterator[bytes | sse.Event]:
    """Yield the events about the response itself, and what is between them as it is."""
    for about, group in groupby(events, lambda one: _OF_RESPONSE.search(one.raw) is not None):
        if about:
            yield from group
        else:
            yield b"".join(one.raw for one in group)
