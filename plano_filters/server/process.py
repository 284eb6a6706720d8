"""The life of one serving process: bind, start, serve, reload, drain."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from plano_filters.app import Service
from plano_filters.config import Loaded, load
from plano_filters.config.document import Listener
from plano_filters.config.unsupported import Compat
from plano_filters.errors import ConfigError
from plano_filters.server.admin import admin_app
from plano_filters.server.guards import Guard
from plano_filters.server.hypercorn import Server
from plano_filters.server.sockets import raise_file_limit, url_of
from plano_filters.telemetry import Observer

log = logging.getLogger(__name__)

WATCH_SECONDS: Final = 2.0
"""Between two looks at the file. Its content is compared: a ConfigMap swaps a link, and an
inotify watch of the file would miss that."""
DRAIN_DELAY: Final = "PLANO_FILTERS_DRAIN_DELAY"
"""Variable: seconds between telling `/readyz` and closing the listeners, for load balancers."""


@dataclass(slots=True)
class Options:
    """How to serve. What a document says stands in the document."""

    path: Path | None = None
    """The file, for reloads; None if there is none."""
    compat: Compat = "strict"
    watch: bool = False
    observers: Sequence[Observer] = field(default_factory=tuple)
    on_ready: Callable[[list[str], str | None], None] = lambda urls, admin: None
    """Called once with the URLs of the listeners and of the admin listener."""


class Process:
    """Serves one gateway in this process.

    Args:
        loaded: The document.
        sockets: Its listeners, bound.
        admin: The admin listener, bound; None for none.
        options: How to serve.

    Raises:
        ConfigError: The document, or its chain, has errors.
    """

    def __init__(
        self,
        loaded: Loaded,
        sockets: Sequence[tuple[Listener, socket.socket]],
        admin: socket.socket | None,
        options: Options,
    ) -> None:
        self._service = Service(loaded, observers=options.observers)
        self._sockets = sockets
        self._admin_socket = admin
        self._options = options
        self._stop = asyncio.Event()
        self._state = "starting"
        self._reloading = asyncio.Lock()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain. A second signal leaves at once."""
        self._handle_signals()
        raise_file_limit()
        servers = [self._server(listener, bound) for listener, bound in self._sockets]
        async with contextlib.AsyncExitStack() as stack:
            admin = self._admin()
            if admin is not None:
                await admin.start()
                stack.push_async_callback(admin.drain, 0)
            await stack.enter_async_context(self._service.lifespan())
            for server in servers:
                await server.start()
            self._state = "ready"
            gc.collect()
            gc.freeze()  # what is there now stays; collections need not look at it again
            gc.set_threshold(100_000, 50, 50)
            watcher = self._start_watch()
            self._announce()
            await self._stop.wait()
            if watcher is not None:
                watcher.cancel()
            self._state = "draining"
            await asyncio.sleep(float(os.environ.get(DRAIN_DELAY, "0") or 0))
            seconds = self._service.loaded.document.limits.drain
            await asyncio.gather(*(server.drain(seconds) for server in servers))

    async def reload(self) -> None:
        """Load the file anew and serve new exchanges by it.

        Raises:
            ConfigError: The file has errors; the old chain stays.
        """
        path = self._options.path
        if path is None:
            raise RuntimeError("this gateway runs without a file")
        async with self._reloading:
            try:
                await self._service.reload(load(path, compat=self._options.compat))
            except ConfigError as error:
                log.error("the configuration was not reloaded:\n%s", error)  # noqa: TRY400
                raise
            except Exception:
                log.exception("the configuration was not reloaded")
                raise
            log.info("reloaded %s, generation %d", path, self._service.generation)

    def _server(self, listener: Listener, bound: socket.socket) -> Server:
        service, tls = self._service, listener.tls
        guard = Guard(
            service.app,
            service.loaded.document.limits,
            lambda: service.gateway.in_flight,
            tls=tls is not None,
        )
        return Server(guard, bound, (tls.cert, tls.key) if tls else None)

    def _admin(self) -> Server | None:
        if self._admin_socket is None:
            return None
        app = admin_app(self._service, self._readiness, self.reload)
        guard = Guard(app, self._service.loaded.document.limits, lambda: 0, tls=False)
        return Server(guard, self._admin_socket, None)

    def _readiness(self) -> tuple[bool, dict[str, Any]]:
        service = self._service
        return self._state == "ready", {
            "status": self._state,
            "in_flight": service.gateway.in_flight,
            "generation": service.generation,
            "reload_error": service.reload_error,
        }

    def _announce(self) -> None:
        urls = [url_of(bound, tls=one.tls is not None) for one, bound in self._sockets]
        admin = url_of(self._admin_socket) if self._admin_socket is not None else None
        log.info("serving %s by %s", ", ".join(urls), self._service.gateway.chain)
        self._options.on_ready(urls, admin)

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)

    def _signalled(self) -> None:
        if self._stop.is_set():
            os._exit(0)
        self._stop.set()

    def _reload_soon(self) -> None:
        task = asyncio.ensure_future(self.reload())
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _start_watch(self) -> asyncio.Task[None] | None:
        if not self._options.watch or self._options.path is None:
            return None
        return asyncio.create_task(self._watch(self._options.path), name="watch-config")

    async def _watch(self, path: Path) -> None:
        seen = await asyncio.to_thread(_digest, path)
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            now = await asyncio.to_thread(_digest, path)
            if now is not None and now != seen:
                seen = now
                with contextlib.suppress(Exception):  # logged by reload
                    await self.reload()


def _digest(path: Path) -> bytes | None:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return None


def serve(
    loaded: Loaded,
    sockets: Sequence[tuple[Listener, socket.socket]],
    admin: socket.socket | None,
    options: Options,
) -> None:
    """Serve until a signal; on uvloop where it is installed.

    Raises:
        ConfigError: The document, or its chain, has errors.
    """

    async def main() -> None:
        await Process(loaded, sockets, admin, options).run()

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - the extra `fast`
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
