"""Noticing that a file has changed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

WATCH_SECONDS: Final = 2.0
"""Between two looks at the file."""


async def watch(
    path: Path,
    seen: str | None,
    changed: Callable[[], Awaitable[None]],
    *,
    every: float = WATCH_SECONDS,
) -> None:
    """Call back whenever the content of a file has changed. Never returns.

    The content is compared: a ConfigMap swaps a link, and an inotify watch of the file would miss
    that. A file that is not there for a moment has not changed.

    Args:
        path: The file.
        seen: The `digest` of the content that is known already.
        changed: What it raises is dropped; it must log for itself.
        every: Seconds between two looks.
    """
    while True:
        await asyncio.sleep(every)
        now = await asyncio.to_thread(digest, path)
        if now is not None and now != seen:
            seen = now
            with suppress(Exception):
                await changed()


def digest(path: Path) -> str | None:
    """Return the SHA-256 of a file in hex; None if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
