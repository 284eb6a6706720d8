"""The life of one serving process: bind, start, serve, reload, drain."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from plano_filters.app import Service
from plano_filters.config import Loaded
from plano_filters.config.document import Listener
from plano_filters.errors import ConfigError, Unavailable
from plano_filters.guards import Guard
from plano_filters.messages import Request
from plano_filters.server.admin import Current, admin_app
from plano_filters.server.hypercorn import Server
from plano_filters.server.options import Options, StartError
from plano_filters.server.sockets import raise_file_limit, url_of
from plano_filters.server.watch import watch
from plano_filters.telemetry import render_metrics

log = logging.getLogger(__name__)

ADMIN_DRAIN: Final = 1.0
"""Seconds for a last answer of the admin listener."""


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
        options.uses(loaded)

    async def run(self) -> None:
        """Serve until `stop` is called, then drain.

        Raises:
            StartError: A filter could not start.
        """
        raise_file_limit()
        servers = [self._server(listener, bound) for listener, bound in self._sockets]
        async with contextlib.AsyncExitStack() as stack:
            if self._admin_socket is not None:
                guard = Guard(admin_app(self), self._service.loaded.document.limits)
                admin = Server(guard, self._admin_socket, None)
                await admin.start()
                stack.push_async_callback(admin.drain, ADMIN_DRAIN)
            await self._start_service(stack)
            for server in servers:
                await server.start()
            self._state = "ready"
            _settle_memory()
            options = self._options
            if options.watch is not None:
                looking = watch(lambda: options.files, self.reload, every=options.watch)
                stack.callback(asyncio.create_task(looking).cancel)
            self._announce()
            await self._stop.wait()
            self._state = "draining"
            await asyncio.sleep(self._options.drain_delay)
            seconds = self._service.loaded.document.limits.drain
            await asyncio.gather(*(server.drain(seconds) for server in servers))

    def stop(self) -> bool:
        """Begin the drain; say whether it had begun already."""
        before = self._stop.is_set()
        self._service.draining = True
        self._stop.set()
        return before

    def kill(self) -> None:
        """Do nothing more: this process has no children."""

    async def reload(self) -> None:
        """Load the file anew and serve new exchanges by it.

        Raises what keeps it from being used; the old chain then stays.
        """
        await self.reload_from(self._options.load)

    async def reload_from(self, load: Callable[[], Loaded]) -> None:
        """Serve new exchanges by a document. Raises as `reload`."""
        async with self._reloading:
            try:
                await self._service.reload(load)
            except (ConfigError, LookupError) as error:
                log.error("the configuration was not reloaded:\n%s", error)  # noqa: TRY400
                raise
            except Exception:
                log.exception("the configuration was not reloaded")
                raise
            log.info("reloaded the configuration, generation %d", self._service.generation)

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Say whether requests should come here, and the details."""
        service = self._service
        return self._state == "ready", {
            "status": self._state,
            "in_flight": service.gateway.in_flight,
            "generation": service.generation,
            "reload_error": service.reload_error,
        }

    def current(self) -> Current:
        """Return what is served."""
        service = self._service
        chain = service.gateway.chain
        return Current(service.loaded, chain, service.generation, service.reload_error)

    def metrics(self) -> tuple[bytes, str]:
        """Return the metrics of this process."""
        return render_metrics(self._service.meter)

    async def sources(self) -> dict[str, Any]:
        """Return what the filters go by."""
        return {"sources": self.current().chain.reports()}

    async def explain(self, request: Request) -> dict[str, Any]:
        """Say what would be done with a request.

        Raises:
            Unavailable: The filters have not started yet.
        """
        if self._state == "starting":
            raise Unavailable("the gateway is starting")
        return (await self._service.explain(request)).to_dict()

    async def _start_service(self, stack: contextlib.AsyncExitStack) -> None:
        try:
            await stack.enter_async_context(self._service.lifespan())
        except Exception as error:
            log.debug("the start failed", exc_info=True)
            reason = str(error) or type(error).__name__
            raise StartError(f"the gateway cannot start: {reason}") from error

    def _server(self, listener: Listener, bound: socket.socket) -> Server:
        service, tls = self._service, listener.tls
        return Server(service.app, bound, (tls.cert, tls.key) if tls else None)

    def _announce(self) -> None:
        urls = urls_of(self._sockets)
        admin = url_of(self._admin_socket) if self._admin_socket is not None else None
        if self._options.announce:
            announce(urls, admin, self._service.gateway.chain)
        self._options.on_ready(urls, admin)


class Stoppable(Protocol):
    """What signals act upon."""

    def stop(self) -> bool: ...

    def kill(self) -> None: ...

    async def reload(self) -> None: ...


def handle_signals(running: Stoppable) -> None:
    """Let SIGTERM and SIGINT drain, and a second one leave at once; let SIGHUP reload."""
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def end() -> None:
        if running.stop():
            log.warning("a second signal: what still runs is cut")
            running.kill()
            os._exit(1)

    async def reload() -> None:
        with contextlib.suppress(Exception):  # logged where it happened
            await running.reload()

    def hang_up() -> None:
        task = asyncio.create_task(reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGTERM, end)
    loop.add_signal_handler(signal.SIGINT, end)
    loop.add_signal_handler(signal.SIGHUP, hang_up)


def serve(
    loaded: Loaded,
    sockets: Sequence[tuple[Listener, socket.socket]],
    admin: socket.socket | None,
    options: Options,
) -> None:
    """Serve until a signal.

    Raises:
        ConfigError: The document, or its chain, has errors.
        StartError: A filter could not start.
    """

    async def main() -> None:
        process = Process(loaded, sockets, admin, options)
        handle_signals(process)
        await process.run()

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main())


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory where it is installed; None for the loop of Python."""
    try:
        import uvloop  # noqa: PLC0415 - the extra `fast`
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def urls_of(sockets: Sequence[tuple[Listener, socket.socket]]) -> list[str]:
    """Return the URLs of listeners, as this machine reaches them."""
    return [url_of(bound, tls=listener.tls is not None) for listener, bound in sockets]


def announce(urls: Sequence[str], admin: str | None, chain: object) -> None:
    """Log where the gateway serves."""
    fields = {"urls": list(urls), "admin": admin, "chain": str(chain)}
    log.info("serving %s by %s", ", ".join(urls), chain, extra={"fields": fields})


def _settle_memory() -> None:
    """Keep the collector from looking again and again at what stays for good."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


__all__ = ["Options", "Process", "StartError", "announce", "handle_signals", "serve"]
