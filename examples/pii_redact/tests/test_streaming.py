"""Placeholders in streams, however they are torn."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters import Splitter, UpstreamFailed
from plano_filters.sse import event
from plano_filters_pii_redact.finding import Finder
from plano_filters_pii_redact.restoring import restored
from plano_filters_pii_redact.vault import Vault

MAIL = "ann@mail.example"
QUOTED = 'E-"1"\\'
VAULT = Vault()
VAULT.hide(f"{MAIL} and {QUOTED}", Finder(("EMAIL",), {"EMPLOYEE": r'E-"\d"\\'}))


async def stream_of(chunks: Sequence[bytes], failure: Exception | None) -> AsyncIterator[bytes]:
    """Yield chunks, then break off if there is a failure."""
    for chunk in chunks:
        yield chunk
    if failure is not None:
        raise failure


def run(chunks: Sequence[bytes]) -> list[bytes]:
    """Return the chunks that come out of the filter."""

    async def read() -> list[bytes]:
        return [chunk async for chunk in restored(stream_of(chunks, None), VAULT)]

    return asyncio.run(read())


def documents(raw: bytes) -> list[dict[str, Any]]:
    """Return the documents of a stream."""
    return [json.loads(one.data) for one in Splitter().feed(raw) if one.data != b"[DONE]"]


def chat(piece: str, *, finish: str | None = None, index: int = 0) -> bytes:
    """Return a chunk of a chat."""
    choice = {"index": index, "delta": {"content": piece}, "finish_reason": finish}
    return event(json.dumps({"id": "c", "choices": [choice]}).encode())


def chat_call(piece: str) -> bytes:
    """Return a piece of what is passed to a tool."""
    call = {"index": 0, "id": "call_1", "function": {"name": "mail", "arguments": piece}}
    choice = {"index": 0, "delta": {"role": "assistant", "tool_calls": [call]}}
    return event(json.dumps({"choices": [choice]}).encode())


def block(piece: str) -> bytes:
    """Return a delta of Anthropic's."""
    delta = {"type": "text_delta", "text": piece}
    document = {"type": "content_block_delta", "index": 0, "delta": delta}
    return event(json.dumps(document).encode(), "content_block_delta")


def output(piece: str) -> bytes:
    """Return a delta of the Responses API."""
    kind = "response.output_text.delta"
    document = {"type": kind, "item_id": "m", "content_index": 0, "delta": piece}
    return event(json.dumps(document).encode(), kind)


def said(raw: bytes) -> str:
    """Return the text of all deltas of a stream."""
    text = ""
    for document in documents(raw):
        for choice in document.get("choices", ()):
            text += choice["delta"].get("content") or ""
        delta = document.get("delta", "")
        text += delta if isinstance(delta, str) else delta.get("text", "")
    return text


def cut(whole: str | bytes, places: list[int]) -> list[Any]:
    """Cut something at places, wherever they are."""
    borders = sorted({0, len(whole), *(place % (len(whole) + 1) for place in places)})
    return [whole[start:end] for start, end in itertools.pairwise(borders)]


CUTS = st.lists(st.integers(0, 1000), max_size=12)
TEXTS = st.lists(
    st.sampled_from(
        ["[EMAIL_1]", "[EMPLOYEE_1]", "[EMAIL_2]", "[EMAIL", "[", "]", "[[", " x", "é"]
    ),
    min_size=1,
    max_size=8,
).map("".join)


@pytest.mark.parametrize("write", [chat, block, output], ids=["chat", "messages", "responses"])
@given(text=TEXTS, deltas=CUTS, chunks=CUTS)
def test_a_torn_placeholder_is_restored(write: Any, text: str, deltas: list[int],
                                        chunks: list[int]) -> None:  # fmt: skip
    """Whatever the model tears into deltas and the network into chunks, the text is the same."""
    raw = b"".join(write(piece) for piece in cut(text, deltas))

    assert said(b"".join(run(cut(raw, chunks)))) == VAULT.restore(text)


def test_only_what_may_begin_a_placeholder_waits() -> None:
    """Each event goes out as it comes; of its text, the tail that may be a placeholder's waits."""
    pieces = ["Dear [EM", "AIL", "_1", "], a [", "list", "] of [EMAIL_9", "]"]
    out = run([chat(piece) for piece in pieces])

    assert [said(chunk) for chunk in out] == [
        "Dear ", "", "", f"{MAIL}, a ", "[list", "] of [EMAIL_9", "]",
    ]  # fmt: skip


def test_what_waits_comes_before_the_end() -> None:
    """A text that ends in the beginning of a placeholder loses nothing."""
    done = event(b"[DONE]")
    finish = event(b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}')
    out = Splitter().feed(b"".join(run([chat("see [EMAIL"), finish, done])))

    assert [said(one.raw) for one in out[:2]] == ["see ", "[EMAIL"]
    assert [one.raw for one in out[2:]] == [finish, done]
    assert said(b"".join(run([chat("see "), chat("[EMA", finish="length")]))) == "see [EMA"
    assert said(b"".join(run([chat("cut off [EMA")]))) == "cut off [EMA"


async def test_a_stream_that_breaks_loses_nothing() -> None:
    """What waits goes out before the failure does."""
    body = restored(stream_of([chat("see [EM")], UpstreamFailed("gone")), VAULT)
    out = await anext(body) + await anext(body)
    with pytest.raises(UpstreamFailed):
        await anext(body)

    assert said(out) == "see [EM"


def test_what_comes_once_comes_once() -> None:
    """Clients add chunks up: the event for what was held has no id, name and role again."""
    out = documents(b"".join(run([chat_call('{"to": "[EMA')])))
    delta = out[1]["choices"][0]["delta"]

    assert delta == {"tool_calls": [{"index": 0, "function": {"arguments": "[EMA"}}]}


def test_choices_do_not_mix() -> None:
    """Two texts that are told in turns are put together each by itself."""
    raw = [chat("[EMA", index=0), chat("[EMPL", index=1), chat("IL_1]", index=0),
           chat("OYEE_1]", index=1)]  # fmt: skip
    texts = {0: "", 1: ""}
    for document in documents(b"".join(run(raw))):
        for choice in document["choices"]:
            texts[choice["index"]] += choice["delta"]["content"]

    assert texts == {0: MAIL, 1: QUOTED}


def test_arguments_stay_json() -> None:
    """What is put into the arguments of a tool is escaped as JSON wants it."""
    out = run([chat_call('{"id": "[EMPLO'), chat_call('YEE_1]"}')])
    arguments = "".join(
        document["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"]
        for document in documents(b"".join(out))
    )

    assert json.loads(arguments) == {"id": QUOTED}


def test_whole_texts_of_a_stream_are_restored_too() -> None:
    """The Responses API repeats every text at its end."""
    text = {"type": "response.output_text.done", "item_id": "m", "content_index": 0,
            "text": "to [EMAIL_1]"}  # fmt: skip
    out = documents(b"".join(run([output("to [EMAIL"), event(json.dumps(text).encode())])))

    assert [one.get("delta", one.get("text")) for one in out] == ["to ", "[EMAIL", f"to {MAIL}"]


def test_other_events_keep_every_byte() -> None:
    """Comments, pings, what is no JSON, and thinking, which its provider has signed."""
    thought = b'{"type": "thinking_delta", "thinking": "[EMAIL_1]"}'
    signed = b'{"type": "content_block_delta",  "delta": ' + thought + b"}"
    raw = [b": keep-alive\n\n", b"event: ping\ndata: {}\n\n", b"data: [EMAIL_1]\r\n\r\n",
           event(signed), chat("hello [sic]"), b"data: cut o"]  # fmt: skip

    assert b"".join(run(raw)) == b"".join(raw)
