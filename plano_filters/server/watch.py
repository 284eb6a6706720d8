"""Noticing that a file has changed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

WATCH_SECONDS: Final = 2.0
"""Between two looks at the files."""


async def watch(
    files: Callable[[], Mapping[Path, str]],
    changed: Callable[[], Awaitable[None]],
    *,
    every: float = WATCH_SECONDS,
) -> None:
    """Call back whenever the content of a file has changed. Never returns.

    The content is compared: a ConfigMap swaps a link, and an inotify watch of the file would miss
    that. A file that is not there for a moment has not changed.

    Args:
        files: Returns the files to look at, which may become others, and the `digests` of their
            contents when they were read.
        changed: What it raises is dropped; it must log for itself.
        every: Seconds between two looks.
    """
    known: dict[Path, str] = {}
    while True:
        known = {**files(), **known}
        await asyncio.sleep(every)
        known = {**files(), **known}
        now = await asyncio.to_thread(digests, known)
        different = any(known[file] != digest for file, digest in now.items())
        known.update(now)
        if different:
            with suppress(Exception):
                await changed()


def digests(files: Iterable[Path]) -> dict[Path, str]:
    """Return the SHA-256 of files in hex, less those that cannot be read."""
    found = {}
    for file in files:
        with suppress(OSError):
            found[file] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found
