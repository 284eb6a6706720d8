"""The HTTP client towards providers: httpx's interface over aiohttp's engine, one per process.

See docs/adr/0001: httpx's own engine loses pool slots when requests are cancelled.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

import aiohttp
import certifi
import httpx
from aiohttp.abc import AbstractCookieJar
from httpx_aiohttp import AiohttpTransport

KEEP_ALIVE: Final = 45.0
"""Seconds to keep an idle connection; providers close theirs after 60 or more."""
DNS_CACHE: Final = 10
"""Seconds; providers move addresses while a sidecar runs for weeks."""
MAX_HEADER: Final = 64 * 1024
"""Bytes of one header line of a provider's answer."""


class UpstreamTransport(httpx.AsyncBaseTransport):
    """A transport that opens its session at the first request; close it with `aclose`.

    No proxies from the environment, no cookies, no redirects, no decompression: what goes out is
    what the caller made, what comes back is what the provider sent.

    Args:
        ca_file: CA bundle to trust instead of the system's, PEM.
    """

    def __init__(self, ca_file: str | None = None) -> None:
        self._ssl = trust(ca_file)
        self._inner = AiohttpTransport(verify=self._ssl, trust_env=False, client=self._session)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0,  # as many as there are clients; limits of the gateway come before
            keepalive_timeout=KEEP_ALIVE,
            ttl_dns_cache=DNS_CACHE,
            ssl=self._ssl,
        )
        jar: AbstractCookieJar = aiohttp.DummyCookieJar()
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=jar,
            trust_env=False,
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
        )


def trust(ca_file: str | None) -> ssl.SSLContext:
    """Return a client's context that trusts a bundle, or the system's, or certifi's.

    Raises:
        OSError: The bundle cannot be read, or holds no certificate.
    """
    paths = ssl.get_default_verify_paths()
    folder = Path(paths.capath) if paths.capath else None
    system = paths.cafile is not None or (folder is not None and any(folder.iterdir()))
    if ca_file is None and not system:
        ca_file = certifi.where()  # a slim image, or Python's own installer on macOS
    return ssl.create_default_context(cafile=ca_file)
