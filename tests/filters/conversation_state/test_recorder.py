"""Reading an answer on its way: torn anywhere, named, and never held back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from plano_builtin_filters.conversation_state.core import OURS
from plano_builtin_filters.conversation_state.recorder import LARGEST_EVENT, Recorder
from tests.filters.conversation_state.stand import events_of
from tests.support.answers import response_document

KEPT = {**response_document("m"), "store": True}
"""By its provider."""


class Shelf:
    """Takes what is to be kept."""

    def __init__(self) -> None:
        self.names: list[tuple[str, bool]] = []
        self.answers: list[Mapping[str, Any]] = []

    async def keep(self, name: str, answer: Mapping[str, Any], provider_keeps: bool) -> bool:
        """Keep everything."""
        self.names.append((name, provider_keeps))
        self.answers.append(answer)
        return True


async def chunks_of(*chunks: bytes) -> AsyncIterator[bytes]:
    """Return a body."""
    for chunk in chunks:
        yield chunk


async def play(*chunks: bytes, native: bool = True) -> tuple[list[bytes], Shelf]:
    """Let a stream through; returns what comes out, and what was kept."""
    shelf = Shelf()
    recorder = Recorder(None, native=native, keep=shelf.keep)
    return [chunk async for chunk in recorder.stream(chunks_of(*chunks))], shelf


async def test_a_stream_torn_anywhere_is_read() -> None:
    """At every byte; what a provider keeps comes out as it went in."""
    whole = b": hello\n\n" + b"".join(events_of(KEPT)).replace(b"\n", b"\r\n")
    for at in range(len(whole) + 1):
        out, shelf = await play(whole[:at], whole[at:])
        assert b"".join(out) == whole
        assert shelf.answers == [KEPT]
    out, shelf = await play(*(whole[at : at + 1] for at in range(len(whole))))
    assert b"".join(out) == whole
    assert shelf.names == [("resp_1", True)]


async def test_a_last_event_without_its_blank_line_counts() -> None:
    """Some servers close the connection instead."""
    whole = b"".join(events_of(KEPT)).rstrip(b"\n")
    out, shelf = await play(whole)
    assert b"".join(out) == whole
    assert len(shelf.answers) == 1


async def test_events_come_out_as_they_come() -> None:
    """None waits for a later one."""
    shelf, out = Shelf(), []
    events = events_of(response_document("m"))
    given: list[bytes] = []

    async def provider() -> AsyncIterator[bytes]:
        for one in events:
            given.append(one)
            yield one

    recorder = Recorder(None, native=False, keep=shelf.keep)
    async for chunk in recorder.stream(provider()):
        out.append(chunk)
        assert len(out) == len(given)


async def test_the_answer_is_kept_before_its_end_is_told() -> None:
    """The next request may come at once; what came with the end goes on before that."""
    shelf = Shelf()
    recorder = Recorder(None, native=False, keep=shelf.keep)
    stream = recorder.stream(chunks_of(b"".join(events_of(response_document("m")))))
    seen = [len(shelf.answers) async for _ in stream]

    assert seen == [0, 0, 1]


@pytest.mark.parametrize("native", [False, True])
async def test_an_id_of_the_gateways_own_is_in_every_event(native: bool) -> None:
    """Where the provider's says nothing to anybody; nothing else is changed."""
    document = response_document("m")
    out, shelf = await play(*events_of(document), native=native)
    events = [json.loads(one.partition(b"data: ")[2]) for one in out]
    [(name, provider_keeps)] = shelf.names

    assert name.startswith(OURS)
    assert not provider_keeps
    assert [one.partition(b"\n")[0] for one in out] == [
        b"event: response.created",
        b"event: response.output_text.delta",
        b"event: response.completed",
    ]
    given = {"id": name, "previous_response_id": None, "store": True}
    assert events[2] == {
        "type": "response.completed", "sequence_number": 2, "response": {**document, **given},
    }  # fmt: skip
    assert events[0]["response"]["id"] == name
    assert out[1] == events_of(document)[1]


async def test_a_stream_without_keeping_has_the_providers_word_only_if_it_speaks_responses() -> (
    None
):
    """A translator repeats the client's `store: true`; behind it nobody keeps anything."""
    _, shelf = await play(*events_of(KEPT), native=False)
    [(name, provider_keeps)] = shelf.names

    assert name.startswith(OURS)
    assert not provider_keeps


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b'{"object": "chat.completion", "id": "x", "output": []}',
        b'{"object": "response", "id": 7, "output": [], "status": "completed"}',
        b'{"object": "response", "id": "x", "output": {}, "status": "completed"}',
        b'{"object": "response", "id": "x", "output": [], "status": "queued"}',
        b'{"error": {"message": "response.completed"}}',
    ],
)
async def test_what_is_no_answer_passes_untouched(body: bytes) -> None:
    """Whole, or as the data of an event."""
    shelf = Shelf()
    assert await Recorder(None, native=True, keep=shelf.keep).whole(body) == body
    one = b'data: {"type":"response.completed","response":' + (body or b"null") + b"}\n\n"
    out, streamed = await play(one)

    assert b"".join(out) == one or streamed.answers
    assert shelf.answers == []


async def test_an_event_that_is_too_large_goes_on_unread() -> None:
    """Memory is bounded, and the client's stream is whole."""
    piece = b"x" * (1024 * 1024)
    chunks = [b"data: ", *([piece] * (LARGEST_EVENT // len(piece) + 1)), b"\n\n"]
    chunks += events_of(KEPT)
    out, shelf = await play(*chunks)

    assert b"".join(out) == b"".join(chunks)
    assert len(shelf.answers) == 1
