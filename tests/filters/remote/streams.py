"""Reading streams whose end is an error."""

from __future__ import annotations

from collections.abc import AsyncIterable


async def read_into(seen: list[bytes], stream: AsyncIterable[bytes]) -> None:
    """Read a stream to its end; what came before an error is in the list."""
    async for part in stream:
        seen.append(part)  # noqa: PERF401 - an extended list would lose what came before the error
