"""A good answer in pieces, for behaviours that stop, cut or spoil it on the way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from plano_filters.testing.mocked import stream_of
from plano_filters.testing.provider import AsMock, Reply


@dataclass(slots=True)
class PartialAnswer:
    """What the mock says to a request, not yet sent."""

    reply: Reply
    status: int
    media_type: str
    pieces: list[bytes]
    """The events of a stream; a plain body in two halves."""

    @property
    def streamed(self) -> bool:
        """Whether the pieces are events."""
        return self.media_type.startswith("text/event-stream")

    async def begin(self, n: int) -> None:
        """Send the head and the first `n` events; of a plain answer, at most one half."""
        chunked = {"content-type": self.media_type, "transfer-encoding": "chunked"}
        await self.reply.head(self.status, chunked)
        await self.reply.events(self.pieces[: self._count(n)])

    def after(self, n: int) -> bytes:
        """Return what `begin` leaves."""
        return b"".join(self.pieces[self._count(n) :])

    async def finish(self, pause: float = 0.0) -> None:
        """Send all, and end properly.

        Args:
            pause: Seconds before each piece.
        """
        await self.begin(0)
        for piece in self.pieces:
            await asyncio.sleep(pause)
            await self.reply.events([piece])
        await self.reply.end()

    def _count(self, n: int) -> int:
        return n if self.streamed else min(n, 1)


async def prepare(reply: Reply) -> PartialAnswer:
    """Return the mock's answer to a request."""
    answer = await AsMock().answer(reply.request)
    media_type = answer.headers["content-type"]
    if media_type.startswith("text/event-stream"):
        pieces = [piece async for piece in stream_of(answer)]
    else:
        body = await answer.aread()
        pieces = [body[: len(body) // 2], body[len(body) // 2 :]]
    return PartialAnswer(reply, answer.status_code, media_type, pieces)
