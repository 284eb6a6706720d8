"""Reading a document again and again, and only if it changed."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Final, Protocol

import httpx

from plano_filters.filter import TransportFactory

CONNECT_SECONDS: Final = 5.0
MAX_BYTES: Final = 16 * 1024 * 1024
"""Largest document. The largest catalogue known has 3 MB."""
_VALIDATORS: Final = {"etag": "if-none-match", "last-modified": "if-modified-since"}


class Place(Protocol):
    """Where a document is."""

    async def read(self) -> bytes | None:
        """Return the document; None if it is the one that was accepted last."""

    def accept(self) -> None:
        """Say that what was read last could be used."""


class Page:
    """A document at an address.

    Args:
        url: Its address. Redirects are not followed.
        transport: How to reach it.
        max_bytes: What is larger is refused while it comes in.
    """

    def __init__(self, url: str, transport: TransportFactory, max_bytes: int = MAX_BYTES) -> None:
        self._url = url
        self._transport = transport
        self._max_bytes = max_bytes
        self._accepted: dict[str, str] = {}
        self._read: dict[str, str] = {}

    async def read(self) -> bytes | None:
        """Return the document; None if the server says that it is the one accepted last.

        Raises:
            ValueError: It is too large, or the server answers anything but a document.
        """
        headers = {"accept": "application/json", "accept-encoding": "identity", **self._accepted}
        timeout = {"connect": CONNECT_SECONDS}
        request = httpx.Request("GET", self._url, headers=headers, extensions={"timeout": timeout})
        response = await self._transport().handle_async_request(request)
        try:
            if response.status_code == 304 and self._accepted:
                return None
            if response.status_code != 200:
                raise ValueError(f"answered {response.status_code}")
            body = await self._body(response)
        finally:
            with contextlib.suppress(Exception):
                await response.aclose()
        self._read = {
            theirs: response.headers[name]
            for name, theirs in _VALIDATORS.items()
            if name in response.headers
        }
        return body

    def accept(self) -> None:
        """Ask only for another document from now on."""
        self._accepted = self._read

    async def _body(self, response: httpx.Response) -> bytes:
        announced = response.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_bytes:
            raise ValueError(f"larger than {self._max_bytes} bytes")
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.stream:  # type: ignore[union-attr]
            size += len(chunk)
            if size > self._max_bytes:
                raise ValueError(f"larger than {self._max_bytes} bytes")
            chunks.append(chunk)
        return b"".join(chunks)


class OnDisk:
    """A document in a file.

    Args:
        path: Of the file; `file:` may stand in front.
        max_bytes: A larger file is not read.
    """

    def __init__(self, path: str, max_bytes: int = MAX_BYTES) -> None:
        self._path = Path("/" + path[5:].lstrip("/") if path.startswith("file:/") else path)
        self._max_bytes = max_bytes
        self._accepted: tuple[int, int] | None = None
        self._read: tuple[int, int] | None = None

    async def read(self) -> bytes | None:
        """Return the text; None if neither its time nor its size changed.

        Raises:
            ValueError: It is too large.
            OSError: It cannot be read.
        """
        return await asyncio.to_thread(self._load)

    def accept(self) -> None:
        """Read only another version from now on."""
        self._accepted = self._read

    def _load(self) -> bytes | None:
        about = self._path.stat()
        version = (about.st_mtime_ns, about.st_size)
        if version == self._accepted:
            return None
        with self._path.open("rb") as file:
            text = file.read(self._max_bytes + 1)
        if len(text) > self._max_bytes:
            raise ValueError(f"larger than {self._max_bytes} bytes")
        self._read = version
        return text
