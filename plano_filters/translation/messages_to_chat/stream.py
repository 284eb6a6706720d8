"""A stream of chat chunks becomes a stream of Anthropic's events.

Anthropic's blocks come one after the other, each closed before the next begins; chat chunks may
mix the deltas of several tool calls. What belongs to a later block waits until the open one is
complete.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from plano_filters.translation import heard
from plano_filters.translation.base import Document
from plano_filters.translation.messages_to_chat.calls import Calls
from plano_filters.translation.messages_to_chat.names import Names
from plano_filters.translation.messages_to_chat.outcome import (
    ending,
    message_id,
    stop_reason,
    usage_of,
)
from plano_filters.translation.messages_to_chat.pieces import Call, Piece, Said


class ChatStream:
    """Translates one stream; the arguments are those of `ChatAnswers`."""

    def __init__(self, model: str, names: Names, *, thoughts: bool) -> None:
        self._model = model
        self._thoughts = thoughts
        self._calls = Calls(names)
        self._started = False
        self._called = False
        self._index = -1
        self._open: Piece | None = None
        self._waiting: deque[Piece] = deque()
        self._finish_reason: object = None
        self._refusal = ""
        self._usage: object = None

    def take(self, event: Mapping[str, Any]) -> list[Document]:
        """Take a chunk. What cannot be read is passed over."""
        if event.get("usage"):
            self._usage = event["usage"]
        choice = heard.first_choice(event)
        if not choice:
            return []
        out = [] if self._started else [self._start(event)]
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        delta = choice.get("delta")
        if isinstance(delta, Mapping):
            self._delta(delta, out)
        return out

    def finish(self) -> list[Document]:
        """Close what is open, and say how it ended: only now the usage is known."""
        out = [] if self._started else [self._start({})]
        self._drain(out, last=True)
        reason = stop_reason(self._finish_reason, called=self._called, refused=bool(self._refusal))
        delta = ending(reason, self._refusal)
        out.append({"type": "message_delta", "delta": delta, "usage": usage_of(self._usage)})
        out.append({"type": "message_stop"})
        return out

    def _start(self, event: Mapping[str, Any]) -> Document:
        self._started = True
        model = event.get("model")
        message: Document = {
            "id": message_id(event.get("id")),
            "type": "message",
            "role": "assistant",
            "model": model if isinstance(model, str) and model else self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_of(self._usage),
        }
        return {"type": "message_start", "message": message}

    def _delta(self, delta: Mapping[str, Any], out: list[Document]) -> None:
        if self._thoughts and (thought := heard.thought(delta)):
            self._say("thinking", thought, out)
        if text := heard.said(delta.get("content")):
            self._say("text", text, out)
        if refusal := heard.said(delta.get("refusal")):
            self._refusal += refusal
            self._say("text", refusal, out)
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, Mapping):
                self._call(call, out)

    def _say(self, kind: str, text: str, out: list[Document]) -> None:
        newest = self._waiting[-1] if self._waiting else self._open
        if isinstance(newest, Said) and newest.kind == kind:
            self._add(newest, text, out)
            return
        self._waiting.append(piece := Said(kind))
        piece.add(text)
        self._drain(out)

    def _call(self, delta: Mapping[str, Any], out: list[Document]) -> None:
        call, arguments, is_new = self._calls.take(delta)
        if is_new:
            self._waiting.append(call)
        self._add(call, arguments, out)

    def _add(self, piece: Piece, text: str, out: list[Document]) -> None:
        """Emit what belongs to the open block; keep what belongs to a later one."""
        piece.add(text)
        if piece is self._open:
            self._flush(piece, out)
        if self._waiting:
            self._drain(out)

    def _drain(self, out: list[Document], *, last: bool = False) -> None:
        """Open the blocks that wait, as far as those before them are complete.

        Args:
            last: Nothing more will come, so everything is complete.
        """
        while True:
            if self._open is not None:
                if not last and not (self._waiting and self._open.complete()):
                    return
                self._close(self._open, out)
            while last and self._waiting and not self._waiting[0].ready():
                self._waiting.popleft()  # a call that never got a name
            if not self._waiting or not self._waiting[0].ready():
                return
            self._begin(self._waiting.popleft(), out)

    def _begin(self, piece: Piece, out: list[Document]) -> None:
        self._open = piece
        self._called |= isinstance(piece, Call)
        self._index += 1
        out.append({
            "type": "content_block_start",
            "index": self._index,
            "content_block": piece.begin(),
        })  # fmt: skip
        self._flush(piece, out)

    def _close(self, piece: Piece, out: list[Document]) -> None:
        piece.end()
        self._flush(piece, out)
        out.append({"type": "content_block_stop", "index": self._index})
        self._open = None

    def _flush(self, piece: Piece, out: list[Document]) -> None:
        if text := piece.take():
            out.append({
                "type": "content_block_delta",
                "index": self._index,
                "delta": piece.delta(text),
            })  # fmt: skip
