"""Putting the real values back into a stream whose pieces may tear a placeholder.

Each text of a stream comes in deltas. What ends in the beginning of a placeholder is held back
until the next delta of the same text, or until the text ends; everything else goes on at once.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from plano_filters import Event, Splitter
from plano_filters.sse import DONE
from plano_filters_pii_redact.vault import Vault
from plano_filters_pii_redact.walking import mapped

Text = tuple[object, ...]
"""Which text of a stream: kind, number, and what else tells it from the others."""
_DATA: Final = re.compile(rb"^data:[^\r\n]*(?:\r\n|\n|\r)", re.MULTILINE)
_MESSAGES_DELTAS: Final = {"text_delta": "text", "input_json_delta": "partial_json"}
_ENDS: Final = ("message_delta", "message_stop", "response.completed", "response.incomplete",
                "response.failed", "error")  # fmt: skip
"""Events after which no text goes on."""


async def restored(body: AsyncIterator[bytes], vault: Vault) -> AsyncGenerator[bytes]:
    """Yield a stream of events with the values for their placeholders, each as soon as it can."""
    splitter, stream = Splitter(), Stream(vault)
    try:
        async for chunk in body:
            out = b"".join(b"".join(stream.take(event)) for event in splitter.feed(chunk))
            if out:
                yield out
        rest = b"".join(stream.flush()) + splitter.flush()
        if rest:
            yield rest
    except Exception:
        for late in stream.flush():
            yield late
        raise
    finally:
        close = getattr(body, "aclose", None)
        if close is not None:
            await close()


@dataclass(slots=True)
class _Held:
    """The end of a text that waits for the next delta of it."""

    text: str
    event: Event
    """The last that carried a delta of this text: what is left goes out in one like it."""
    document: dict[str, Any]


@dataclass(slots=True)
class _Delta:
    """A place in an event where a piece of a text stands."""

    text: Text
    inside: dict[str, Any]
    key: str
    in_json: bool = False
    last: bool = False
    """Whether the event says that no more of the text comes."""


@dataclass(slots=True)
class Stream:
    """The events of one answer."""

    vault: Vault
    _held: dict[Text, _Held] = field(default_factory=dict)

    def take(self, event: Event) -> Iterator[bytes]:
        """Yield what goes out when an event has come: mostly its own bytes."""
        document = _decoded(event.data)
        if document is None:
            if event.data == DONE:
                yield from self.flush()
            yield event.raw
            return
        for text in [text for text in self._held if _ended(document, text)]:
            yield from self._release(text)
        deltas = list(_deltas(document))
        texts = [delta.inside[delta.key] for delta in deltas]
        pieces = [self._piece(delta, event, document) for delta in deltas]
        for delta in deltas:
            delta.inside[delta.key] = ""  # restored already, and not twice
        new = mapped(document, self.vault.restore, self._in_json)
        for delta, piece in zip(_deltas(new), pieces, strict=True):
            delta.inside[delta.key] = piece
        changed = new is not document or pieces != texts
        yield _with_data(event, new) if changed else event.raw

    def flush(self) -> Iterator[bytes]:
        """Yield what is held, at the end of the stream."""
        for text in list(self._held):
            yield from self._release(text)

    def _in_json(self, text: str) -> str:
        return self.vault.restore(text, in_json=True)

    def _piece(self, delta: _Delta, event: Event, document: dict[str, Any]) -> str:
        """Return what of a text may go out with a delta of it; hold the rest."""
        held = self._held.pop(delta.text, None)
        text = (held.text if held else "") + delta.inside[delta.key]
        size = 0 if delta.last else self.vault.begun(text)
        if size:
            self._held[delta.text] = _Held(text[-size:], event, document)
            text = text[:-size]
        return self.vault.restore(text, in_json=delta.in_json)

    def _release(self, text: Text) -> Iterator[bytes]:
        """Yield an event for the held end of a text, which was no placeholder after all."""
        held = self._held.pop(text)
        document = copy.deepcopy(held.document)
        for delta in _deltas(document):
            delta.inside[delta.key] = held.text if delta.text == text else ""
        _strip(document)
        yield _with_data(held.event, document)


def _strip(document: dict[str, Any]) -> None:
    """Take out of a chat chunk what must come once: clients add up what chunks say."""
    document.pop("usage", None)
    for choice in _dicts(document.get("choices")):
        delta = choice["delta"] if isinstance(choice.get("delta"), dict) else {}
        choice.pop("logprobs", None)
        delta.pop("role", None)
        for call in _dicts(delta.get("tool_calls")):
            for name in call.keys() - {"index", "function"}:
                del call[name]
            function = call.get("function")
            if isinstance(function, dict):
                function.pop("name", None)


def _deltas(document: dict[str, Any]) -> Iterator[_Delta]:
    """Yield the pieces of texts in an event, of whatever dialect."""
    kind = str(document.get("type", ""))
    for choice in _dicts(document.get("choices")):
        yield from _chat_deltas(choice)
    delta = document.get("delta")
    if kind == "content_block_delta" and isinstance(delta, dict):
        key = _MESSAGES_DELTAS.get(str(delta.get("type")))
        if key is not None and isinstance(delta.get(key), str):
            yield _Delta(("block", document.get("index")), delta, key, key == "partial_json")
    elif kind.startswith("response.") and kind.endswith(".delta") and isinstance(delta, str):
        text = ("response", kind.removesuffix(".delta"), *_place(document))
        yield _Delta(text, document, "delta", "arguments" in kind)


def _chat_deltas(choice: dict[str, Any]) -> Iterator[_Delta]:
    delta, number, last = (choice.get(name) for name in ("delta", "index", "finish_reason"))
    if not isinstance(delta, dict):
        return
    for key, value in delta.items():
        if isinstance(value, str) and key not in ("role", "id", "type"):
            yield _Delta(("choice", number, key), delta, key, last=bool(last))
    for call in _dicts(delta.get("tool_calls")):
        function = call.get("function")
        if isinstance(function, dict) and isinstance(function.get("arguments"), str):
            text = ("choice", number, "call", call.get("index"))
            yield _Delta(text, function, "arguments", in_json=True, last=bool(last))


def _ended(document: dict[str, Any], text: Text) -> bool:
    """Say whether an event is the end of a text, and brings no more of it."""
    kind = str(document.get("type", ""))
    if kind in _ENDS or document.get("error"):
        return True
    if text[0] == "choice":
        ends = [c for c in _dicts(document.get("choices")) if c.get("finish_reason")]
        here = [c for c in ends if c.get("index") == text[1]]
        return any(text not in [delta.text for delta in _chat_deltas(one)] for one in here)
    if text[0] == "block":
        return kind == "content_block_stop" and document.get("index") == text[1]
    return kind == f"{text[1]}.done" and _place(document) == text[2:]


def _place(document: dict[str, Any]) -> Text:
    names = ("item_id", "output_index", "content_index", "summary_index")
    return tuple(document.get(name) for name in names)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _decoded(data: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(data)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _with_data(event: Event, document: dict[str, Any]) -> bytes:
    """Write an event anew with other data; its other lines stay."""
    data = json.dumps(document, separators=(",", ":")).encode()
    head = _DATA.sub(b"", event.raw).rstrip(b"\r\n")
    return (head + b"\n" if head else b"") + b"data: " + data + b"\n\n"
