"""One try in another dialect, with a translator that is small enough to be seen through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest

from plano_builtin_filters.upstream import translated
from plano_builtin_filters.upstream.attempt import Answer, AttemptFailed
from plano_builtin_filters.upstream.translated import Events, Untranslatable
from plano_filters import BadRequest, GatewayError, UpstreamFailed
from plano_filters.dialect import Dialect
from plano_filters.sse import Splitter
from plano_filters.translation import Outgoing, Traits

SPLIT_TEXT = "été 🌍"


class Shout:
    """Gives each event back in capitals, two for one that is `twice`."""

    def __init__(self) -> None:
        self.finished = 0

    def take(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        said = str(event.get("say", "")).upper()
        if not said:
            return []
        count = 2 if event.get("twice") else 1
        return [{"type": "shout", "text": said}] * count

    def finish(self) -> list[dict[str, Any]]:
        self.finished += 1
        return [{"type": "silence"}]


class Loud:
    """Answers in capitals."""

    def whole(self, document: Mapping[str, Any]) -> dict[str, Any]:
        return {"text": str(document.get("say", "")).upper()}

    def stream(self) -> Shout:
        return Shout()


def sse(*documents: object, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return b"".join(
        f"{head}data: {json.dumps(one, ensure_ascii=False)}\n\n".encode() for one in documents
    )


DONE = b"data: [DONE]\n\n"
STOP = sse({"type": "message_stop"}, name="message_stop")
SPOKEN = sse({"say": "a"}, {"say": SPLIT_TEXT, "twice": True}, {"quiet": 1})


def events(provider: Dialect = "chat", client: Dialect = "messages") -> Events:
    return Events(Shout(), provider, client)


def names(raw: bytes) -> list[str]:
    return [one.name for one in Splitter().feed(raw)]


def texts(raw: bytes) -> list[str]:
    found = [one.data for one in Splitter().feed(raw)]
    documents = [json.loads(data) for data in found if data.startswith(b"{")]
    return [one["text"] for one in documents if "text" in one]


@pytest.mark.parametrize(("client", "end"), [("chat", DONE), ("messages", b""), ("responses", b"")])
def test_events_are_framed_as_the_clients_dialect_has_it(client: Dialect, end: bytes) -> None:
    """Named for messages and responses, without a name and with `[DONE]` for chat."""
    raw = events("messages", client).take(SPOKEN + STOP)

    named = ["shout", "shout", "shout", "silence"]
    assert names(raw) == ([""] * 5 if client == "chat" else named)
    assert raw.endswith(b'"silence"}\n\n' + end)
    assert texts(raw) == ["A", SPLIT_TEXT.upper(), SPLIT_TEXT.upper()]


@pytest.mark.parametrize(("provider", "end"), [("chat", DONE), ("messages", STOP)])
def test_a_stream_torn_anywhere_is_the_same_stream(provider: Dialect, end: bytes) -> None:
    """Inside a code point, a field name or a line end, and byte by byte."""
    raw = SPOKEN + b": comment\r\n\r\n" + end
    whole = events(provider).take(raw)
    for cut in range(len(raw) + 1):
        torn = events(provider)
        assert torn.take(raw[:cut]) + torn.take(raw[cut:]) == whole
    single = events(provider)
    assert b"".join(single.take(raw[i : i + 1]) for i in range(len(raw))) == whole


@pytest.mark.parametrize(
    ("provider", "sign"),
    [("chat", b": OPENROUTER PROCESSING\n\n"), ("messages", sse({"type": "ping"}, name="ping"))],
)
@pytest.mark.parametrize(
    ("client", "said"),
    [
        ("chat", b": keep-alive\n\n"),
        ("responses", b": keep-alive\n\n"),
        ("messages", b'event: ping\ndata: {"type": "ping"}\n\n'),
    ],
)
def test_a_sign_of_life_is_one_of_the_clients_dialect(
    provider: Dialect, sign: bytes, client: Dialect, said: bytes
) -> None:
    """A comment is the only one that OpenAI's clients bear; Anthropic's have an event."""
    assert events(provider, client).take(sign) == said


def test_what_comes_behind_the_end_is_not_translated() -> None:
    """A client that has been served hears nothing more."""
    shouting = events()
    shouting.take(SPOKEN + DONE)

    assert shouting.ended
    assert shouting.take(SPOKEN + b": comment\n\n" + DONE) == b""
    assert shouting.end() == b""


def test_a_stream_without_its_mark_is_ended_by_its_end() -> None:
    """Some chat providers never say `[DONE]`, and the last event may lack its blank line."""
    shouting = events()
    first = shouting.take(SPOKEN.removesuffix(b"\n\n") + b"\n\n" + b'data: {"say": "last"}')
    last = shouting.end()

    assert texts(first + last)[-1] == "LAST"
    assert names(last) == ["shout", "silence"]


@pytest.mark.parametrize(
    ("provider", "raw", "status", "code"),
    [
        (
            "messages",
            sse(
                {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}},
                name="error",
            ),
            529,
            "overloaded_error",
        ),
        ("chat", sse({"error": {"message": "busy", "code": "rate_limit_exceeded"}}), 429,
         "rate_limit_exceeded"),
    ],
)  # fmt: skip
def test_an_error_in_a_stream_is_kept_and_nothing_follows(
    provider: Dialect, raw: bytes, status: int, code: str
) -> None:
    """With the provider's message and code; what came before it has been translated."""
    shouting = events(provider)
    said = shouting.take(sse({"say": "a"}) + raw + sse({"say": "b"}) + DONE + STOP)

    assert texts(said) == ["A"]
    assert names(said) == ["shout"]
    assert shouting.error is not None
    assert (shouting.error.detail, shouting.error.status) == ("busy", status)
    assert shouting.error.code == code
    assert not shouting.ended


@pytest.mark.parametrize("data", [b'{"say": "a', b"[]", b"words", b"{}"])
def test_an_event_that_cannot_be_read_is_an_error(data: bytes) -> None:
    """Passed over, it would leave a gap that nobody sees."""
    shouting = events()
    said = shouting.take(sse({"say": "a"}) + b"data: " + data + b"\n\n" + DONE)

    assert texts(said) == ["A"]
    assert shouting.error is not None
    assert "no JSON object" in shouting.error.detail


def test_half_of_an_emoji_is_translated() -> None:
    """Models write by tokens, some providers by UTF-16, and a pair may fall apart."""
    said = events().take(b'data: {"say": "\\ud83c"}\n\n')

    assert b'"text":"\\ud83c"' in said


async def played(*blocks: bytes | Exception) -> AsyncGenerator[bytes]:
    for block in blocks:
        if isinstance(block, Exception):
            raise block
        yield block


async def gathered(stream: AsyncGenerator[bytes]) -> tuple[bytes, GatewayError | None]:
    said = []
    try:
        async for block in stream:
            said.append(block)  # noqa: PERF401 - an error must not lose what came before it
    except GatewayError as error:
        return b"".join(said), error
    return b"".join(said), None


async def test_a_stream_that_ends_well() -> None:
    """Everything is translated, and the end is written once."""
    said, error = await gathered(translated.stream(played(SPOKEN, DONE), events(), 0))

    assert error is None
    assert names(said) == ["shout"] * 3 + ["silence"]


async def test_a_cut_is_no_end() -> None:
    """What the relay raises goes on, and no last event is written."""
    cut = UpstreamFailed("broke off")
    said, error = await gathered(translated.stream(played(SPOKEN, cut), events(), 0))

    assert error is cut
    assert "silence" not in names(said)


async def test_an_error_of_the_provider_is_raised_behind_what_it_said() -> None:
    """The gateway's edge writes it, in the client's dialect."""
    broken = sse({"say": "a"}) + sse({"error": {"message": "busy"}})
    said, error = await gathered(translated.stream(played(broken), events(), 0))

    assert texts(said) == ["A"]
    assert error is not None
    assert error.detail == "busy"


async def test_a_client_hears_something_while_nothing_can_be_translated() -> None:
    """A model that thinks for minutes speaks, though not to this client."""
    quiet = sse({"quiet": 1})
    said, _ = await gathered(translated.stream(played(quiet, quiet, DONE), events(), 1e-9))

    assert names(said) == ["ping", "ping", "silence"]


async def test_a_stream_that_is_closed_closes_what_it_reads() -> None:
    """So that the provider's connection is closed when the client leaves."""
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes]:
        try:
            while True:
                yield sse({"say": "a"})
        finally:
            closed.set()

    stream = translated.stream(endless(), events(), 0)
    await anext(stream)
    await stream.aclose()

    assert closed.is_set()


def answer(body: bytes, *headers: tuple[bytes, bytes], stream: bool = False) -> Answer:
    return Answer(200, list(headers), body, played() if stream else None)


@pytest.mark.parametrize(
    ("given", "stream", "does"),
    [
        (answer(b"\x1f\x8b", (b"Content-Encoding", b"gzip")), False, "compressed"),
        (answer(b"[]"), False, "no JSON object"),
        (answer(b"words"), False, "no JSON object"),
        (answer(b'{"error": {"message": "no"}}'), False, "with an error"),
        (answer(b'{"error": {"message": "no"}}'), True, "with an error"),
        (answer(b"{}"), True, "a whole answer"),
        (answer(b"", stream=True), False, "a stream"),
    ],
)
def test_what_cannot_be_translated_is_no_answer(given: Answer, stream: bool, does: str) -> None:
    """The next try may give one."""
    with pytest.raises(AttemptFailed, match=does):
        translated.check(given, stream=stream)


@pytest.mark.parametrize(
    ("given", "stream"),
    [
        (answer(b'{"a": 1, "error": null}', (b"content-encoding", b"identity")), False),
        (answer(b"", stream=True), True),
    ],
)
def test_what_can_be_translated(given: Answer, stream: bool) -> None:
    """A whole answer and a stream, each where it was asked for."""
    translated.check(given, stream=stream)


def test_a_whole_answer() -> None:
    """It is what the translator says, as JSON."""
    outgoing = Outgoing({}, Loud())

    assert translated.whole(outgoing, b'{"say": "hi"}') == b'{"text":"HI"}'


def test_what_a_translator_refuses_is_refused() -> None:
    """With its message, its code and the parameter at fault."""

    def refuse(payload: Mapping[str, Any], traits: Traits) -> Outgoing:
        raise BadRequest("one choice only", param="n")

    with pytest.raises(Untranslatable, match="one choice only") as raised:
        translated.request(refuse, {}, Traits())

    assert (raised.value.param, raised.value.code) == ("n", "bad_request")
