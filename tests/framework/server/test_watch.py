"""Noticing changes of a file."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from plano_filters.server.watch import digest, watch


async def test_a_change_is_noticed_and_a_touch_is_not(tmp_path: Path) -> None:
    """Only another content calls back, also when the file was gone for a moment."""
    file = tmp_path / "config.yaml"
    file.write_text("one")
    changes: asyncio.Queue[str] = asyncio.Queue()

    async def changed() -> None:
        changes.put_nowait(file.read_text())
        raise ValueError("a failing reload does not end the watch")

    watching = asyncio.create_task(watch(file, digest(file), changed, every=0.001))
    file.touch()
    file.unlink()
    async with asyncio.timeout(5):
        file.write_text("two")
        assert await changes.get() == "two"
        (tmp_path / "next").write_text("three")
        (tmp_path / "next").replace(file)
        assert await changes.get() == "three"
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching

    assert changes.empty()


def test_a_missing_file_has_no_digest(tmp_path: Path) -> None:
    """It is not an error: it may be on its way."""
    assert digest(tmp_path / "nothing") is None
