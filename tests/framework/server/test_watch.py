"""Noticing changes of a file."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from plano_filters.server.watch import digests, watch


async def test_a_change_is_noticed_and_a_touch_is_not(tmp_path: Path) -> None:
    """Only another content calls back, also when the file was gone for a moment."""
    file = tmp_path / "config.yaml"
    file.write_text("one")
    changes: asyncio.Queue[str] = asyncio.Queue()

    async def changed() -> None:
        changes.put_nowait(file.read_text())
        raise ValueError("a failing reload does not end the watch")

    read = digests([file])

    def seen() -> dict[Path, str]:
        return read

    watching = asyncio.create_task(watch(seen, changed, every=0.001))
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


async def test_a_file_that_joins_later_is_known_as_it_was_read(tmp_path: Path) -> None:
    """A change between its reading and the first look calls back; the reading itself does not."""
    config, added = tmp_path / "config.yaml", tmp_path / "filter.py"
    config.write_text("one")
    added.write_text("first")
    read = digests([config])
    changes: asyncio.Queue[str] = asyncio.Queue()

    async def changed() -> None:
        changes.put_nowait(added.read_text())

    watching = asyncio.create_task(watch(lambda: read, changed, every=0.001))
    await asyncio.sleep(0)
    read = digests([config, added])
    added.write_text("second")
    async with asyncio.timeout(5):
        assert await changes.get() == "second"
        config.write_text("two")
        await changes.get()
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching

    assert changes.empty()


def test_a_missing_file_has_no_digest(tmp_path: Path) -> None:
    """It is not an error: it may be on its way."""
    assert digests([tmp_path / "nothing"]) == {}
