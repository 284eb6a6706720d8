"""One try in another dialect than the client's: its request there, its answer back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import httpx

from plano_builtin_filters.upstream.attempt import MAX_ANSWER, Answer, AttemptFailed
from plano_builtin_filters.upstream.core import Failure
from plano_builtin_filters.upstream.reported import reported
from plano_builtin_filters.upstream.usage import decode, is_error
from plano_filters import BadRequest, GatewayError, UpstreamFailed
from plano_filters.dialect import Dialect, keep_alive
from plano_filters.jsonbody import encode
from plano_filters.sse import DONE, Event, Splitter, event
from plano_filters.translation import Outgoing, Stream, Traits, Translate

JSON: Final = b"application/json"


@dataclass(frozen=True, slots=True)
class Translated:
    """Fact of a try, and of the exchange after it: what was lost in translation, if it was one."""

    dropped: tuple[str, ...] = ()


class Untranslatable(BadRequest):
    """A request that a model's provider has no words for; nobody was asked.

    Args:
        error: What the translator says.
    """

    def __init__(self, error: BadRequest) -> None:
        super().__init__(error.detail, param=error.param, headers=error.headers)
        self.code = error.code


def request(translate: Translate, payload: Mapping[str, Any], traits: Traits) -> Outgoing:
    """Translate a request.

    Raises:
        Untranslatable: The provider's dialect cannot express it.
    """
    try:
        return translate(payload, traits)
    except BadRequest as error:
        raise Untranslatable(error) from error


def check(answer: Answer, *, stream: bool) -> None:
    """Refuse an answer that cannot be translated; another try may give one that can.

    Raises:
        AttemptFailed: It is compressed, an error in spite of its status, no JSON object, or not
            a stream where one was asked for, or the other way round.
    """
    encoding = httpx.Headers(answer.headers).get("content-encoding", "identity")
    if encoding.strip().lower() not in ("", "identity"):
        raise _useless(answer, "answered compressed, though asked not to")
    document = read(answer.body) if answer.rest is None else {}
    if document.get("error"):
        error = Answer(502, [(b"content-type", JSON)], answer.body)
        raise _useless(answer, "answered with an error", error)
    if (answer.rest is not None) != stream:
        kind = "a whole answer" if stream else "a stream"
        raise _useless(answer, f"answered with {kind} that was not asked for")
    if not stream and not document:
        raise _useless(answer, "answered with no JSON object")


def whole(outgoing: Outgoing, body: bytes) -> bytes:
    """Translate a whole answer."""
    return encode(outgoing.answers.whole(read(body)))


def read(data: bytes) -> Mapping[str, Any]:
    """Decode a JSON object, also one with half of an emoji in it; empty if it is none."""
    found = decode(data)
    if found:
        return found
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


async def stream(
    blocks: AsyncGenerator[bytes], events: Events, silence: float
) -> AsyncGenerator[bytes]:
    """Yield a relayed stream in the client's dialect.

    Args:
        blocks: What the relay yields; closed with this.
        events: Translates them.
        silence: Seconds after which a client gets a sign of life, though the provider speaks: not
            everything that it says has a translation. 0 for never.

    Raises:
        GatewayError: The provider reported an error, or the relay failed.
    """
    clock = asyncio.get_running_loop().time
    spoke = clock()
    async with aclosing(blocks):
        async for block in blocks:
            said = events.take(block)
            if not said and not events.ended and 0 < silence <= clock() - spoke:
                said = keep_alive(events.client)
            if said:
                spoke = clock()
                yield said
            if events.error is not None:
                raise events.error
    rest = events.end()
    if rest:
        yield rest


class Events:
    """Translates the events of one stream: bytes in, bytes out.

    Args:
        translation: Of the decoded events.
        provider: The dialect they come in.
        client: The dialect they leave in.
    """

    def __init__(self, translation: Stream, provider: Dialect, client: Dialect) -> None:
        self.client = client
        self.ended = False
        """The last event has been written."""
        self.error: GatewayError | None = None
        """What the provider reported in the stream; nothing follows it."""
        self._translation = translation
        self._provider = provider
        self._splitter = Splitter()

    def take(self, chunk: bytes) -> bytes:
        """Take bytes of the provider, torn anywhere; return what the client gets for them.

        Raises:
            UpstreamFailed: An event is too large to be held.
        """
        written = [self._take(one) for one in self._splitter.feed(chunk)]
        if len(self._splitter.rest) > MAX_ANSWER:
            raise UpstreamFailed(f"the provider sent an event of over {MAX_ANSWER // 1024**2} MiB")
        return b"".join(written)

    def end(self) -> bytes:
        """Return the last events, after the provider's stream has come to its proper end."""
        rest = self.take(b"\n\n")  # the last event may lack its blank line; what it says counts
        return rest + (b"" if self._over else self._finish())

    @property
    def _over(self) -> bool:
        return self.ended or self.error is not None

    def _take(self, one: Event) -> bytes:
        data = one.data.strip()
        if self._over:
            return b""
        if not data:
            return keep_alive(self.client) if one.raw.strip() else b""
        if data == DONE:
            return self._finish()
        document = read(data)
        if is_error(data, one.name):
            self.error = reported(document)
        elif not document:  # passed over, a part of the answer would be missing in silence
            self.error = UpstreamFailed("the provider sent an event that is no JSON object")
        if self.error is not None:
            return b""
        kind = document.get("type") if self._provider == "messages" else None
        if kind == "ping":
            return keep_alive(self.client)
        written = self._write(self._translation.take(document))
        return written + self._finish() if kind == "message_stop" else written

    def _finish(self) -> bytes:
        self.ended = True
        return self._write(self._translation.finish()) + (
            event(DONE) if self.client == "chat" else b""
        )

    def _write(self, documents: list[dict[str, Any]]) -> bytes:
        named = self.client != "chat"
        return b"".join(
            event(encode(one), str(one.get("type", "")) if named else "") for one in documents
        )


def _useless(answer: Answer, does: str, error: Answer | None = None) -> AttemptFailed:
    return AttemptFailed(Failure("stream", answer.status), does, error)
