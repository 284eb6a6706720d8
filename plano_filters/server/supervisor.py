"""Several worker processes on the same sockets, and one admin listener for them.

Hypercorn's own supervisor cuts every stream as soon as the first worker has stopped, so this one is
ours. Each worker accepts on the sockets that the supervisor bound, and drains for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from plano_filters.app import check
from plano_filters.config import Loaded
from plano_filters.config.document import Listener
from plano_filters.errors import ConfigError, Unavailable
from plano_filters.guards import Guard
from plano_filters.messages import Request
from plano_filters.meter import Meter
from plano_filters.server.admin import Current, admin_app
from plano_filters.server.child import STABLE_SECONDS, Child, restart_delay
from plano_filters.server.hypercorn import Server
from plano_filters.server.options import Options, StartError
from plano_filters.server.process import ADMIN_DRAIN, announce, handle_signals, urls_of
from plano_filters.server.sockets import raise_file_limit, url_of
from plano_filters.server.watch import watch
from plano_filters.server.worker import Order

log = logging.getLogger(__name__)

KILL_AFTER: Final = 5.0
"""Seconds after the end of the drain; a worker that still lives then is killed."""
RELOADS: Final = "plano_config_reloads"


class Supervisor:
    """Keeps a number of workers serving.

    Args:
        loaded: The document.
        sockets: Its listeners, bound.
        admin: The admin listener, bound; None for none.
        options: How to serve.
        count: Of workers.

    Raises:
        ConfigError: The document, or its chain, has errors.
    """

    def __init__(
        self,
        loaded: Loaded,
        sockets: Sequence[tuple[Listener, socket.socket]],
        admin: socket.socket | None,
        options: Options,
        count: int,
    ) -> None:
        self._current = Current(loaded, check(loaded), 1, None)
        self._sockets = sockets
        self._urls = urls_of(sockets)
        self._admin_socket = admin
        self._options = options
        self._children: list[Child | None] = [None] * count
        self._stop = asyncio.Event()
        self._failed: str | None = None
        self._state = "starting"
        self._reloading = asyncio.Lock()
        options.uses(loaded)
        self._meter = Meter()
        self._reloads = self._meter.counter(RELOADS, "Reloads of the configuration.", ("result",))
        self._restarts = self._meter.counter("plano_worker_restarts", "Workers started anew.")
        self._folder = ""

    async def run(self) -> None:
        """Serve until `stop` is called, then let every worker drain.

        Raises:
            StartError: A worker could not start.
        """
        raise_file_limit()
        async with contextlib.AsyncExitStack() as stack:
            self._folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="plano-filters-", ignore_cleanup_errors=True)
            )
            if self._admin_socket is not None:
                limits = self._current.loaded.document.limits
                admin = Server(Guard(admin_app(self), limits), self._admin_socket, None)
                await admin.start()
                stack.push_async_callback(admin.drain, ADMIN_DRAIN)
            keepers = [asyncio.create_task(self._keep(n)) for n in range(len(self._children))]
            options = self._options
            if options.watch is not None:
                looking = watch(lambda: options.files, self.reload, every=options.watch)
                stack.callback(asyncio.create_task(looking).cancel)
            await self._stop.wait()
            self._state = "draining"
            await self._drain(keepers)
        if self._failed is not None:
            raise StartError(self._failed)

    def stop(self) -> bool:
        """Begin the drain; say whether it had begun already."""
        before = self._stop.is_set()
        self._stop.set()
        return before

    def kill(self) -> None:
        """End every worker at once."""
        for child in self._running():
            child.kill()

    async def reload(self) -> None:
        """Load the file anew and let every worker serve by it.

        Raises what keeps it from being used; the old chain then stays.
        """
        async with self._reloading:
            try:
                loaded = await asyncio.to_thread(self._options.load)
                chain = check(loaded)
                running = [child for child in self._running() if child.ready.is_set()]
                await asyncio.gather(*(child.reload(loaded.text) for child in running))
            except Exception as error:
                before = self._current
                self._current = Current(before.loaded, before.chain, before.generation, str(error))
                self._reloads.labels("failed").inc()
                expected = isinstance(error, ConfigError | LookupError | RuntimeError)
                log.error("not reloaded:\n%s", error, exc_info=None if expected else error)  # noqa: TRY400
                raise
            self._current = Current(loaded, chain, self._current.generation + 1, None)
            self._reloads.labels("done").inc()

    async def explain(self, request: Request) -> dict[str, Any]:
        """Let a worker say what it would do with a request.

        Raises:
            Unavailable: None is ready, or it did not answer.
        """
        for child in self._running():
            if child.ready.is_set():
                return await child.explain(request)
        raise Unavailable("no worker is ready")

    async def sources(self) -> dict[str, Any]:
        """Return what the filters of every worker go by: each reads its sources for itself."""
        return {"workers": await asyncio.gather(*(c.sources() for c in self._running()))}

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Say whether requests should come here, and the details."""
        workers = [{"pid": c.pid, "ready": c.ready.is_set()} for c in self._running()]
        ready = self._state == "ready" and any(worker["ready"] for worker in workers)
        return ready, {
            "status": self._state,
            "workers": workers,
            "generation": self._current.generation,
            "reload_error": self._current.reload_error,
        }

    def current(self) -> Current:
        """Return what is served."""
        return self._current

    def metrics(self) -> tuple[bytes, str]:
        """Return the metrics of all workers together, and the supervisor's own."""
        registry = CollectorRegistry()
        registry.register(_Workers(self._folder))
        return generate_latest(self._meter.registry) + generate_latest(
            registry
        ), CONTENT_TYPE_LATEST

    def _running(self) -> list[Child]:
        return [child for child in self._children if child is not None]

    async def _keep(self, slot: int) -> None:
        """Keep one worker running until the drain."""
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._stop.is_set():
            started = loop.time()
            child = await Child.start(self._order(), {"PROMETHEUS_MULTIPROC_DIR": self._folder})
            self._children[slot] = child
            watching = asyncio.create_task(self._see_ready(child))
            status = await child.wait()
            watching.cancel()
            self._children[slot] = None
            mark_process_dead(child.pid, self._folder)  # type: ignore[no-untyped-call]
            if self._stop.is_set():
                return
            if self._state == "starting":
                self._failed = f"a worker could not start (status {status}); see its messages above"
                self._stop.set()
                return
            failures = 1 if loop.time() - started > STABLE_SECONDS else failures + 1
            delay = restart_delay(failures)
            log.error("worker %d ended with status %d; next in %g s", child.pid, status, delay)
            self._restarts.inc()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stop.wait()

    async def _see_ready(self, child: Child) -> None:
        """Notice that a worker serves; with the last of the first ones, the gateway does."""
        await child.ready.wait()
        running = self._running()
        complete = len(running) == len(self._children) and all(c.ready.is_set() for c in running)
        if complete and self._state == "starting" and not self._stop.is_set():
            self._state = "ready"
            admin = url_of(self._admin_socket) if self._admin_socket is not None else None
            announce(self._urls, admin, self._current.chain)
            self._options.on_ready(self._urls, admin)

    async def _drain(self, keepers: Sequence[asyncio.Task[None]]) -> None:
        for _, bound in self._sockets:
            bound.close()  # the workers have theirs; the last one to close refuses new clients
        for child in self._running():
            child.terminate()
        seconds = self._current.loaded.document.limits.drain + self._options.drain_delay
        _, late = await asyncio.wait(keepers, timeout=seconds + KILL_AFTER)
        if late:
            log.warning("%d workers did not end in time and are killed", len(late))
            self.kill()
            await asyncio.wait(late)

    def _order(self) -> Order:
        loaded, options = self._current.loaded, self._options
        return Order(
            name=loaded.name,
            text=loaded.text,
            compat=options.compat,
            sockets=[bound.fileno() for _, bound in self._sockets],
            drain_delay=options.drain_delay,
            log_level=options.log_level,
            log_format=options.log_format,
        )


class _Workers(Collector):
    """The metrics of all workers, but for those that the supervisor counts itself."""

    def __init__(self, folder: str) -> None:
        self._collector = MultiProcessCollector(None, folder)  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        for family in self._collector.collect():  # type: ignore[no-untyped-call]
            if family.name != RELOADS:
                yield family


def supervise(
    loaded: Loaded,
    sockets: Sequence[tuple[Listener, socket.socket]],
    admin: socket.socket | None,
    options: Options,
    workers: int,
) -> None:
    """Serve with several processes until a signal.

    Raises:
        ConfigError: The document, or its chain, has errors.
        StartError: A worker could not start.
    """

    async def main() -> None:
        supervisor = Supervisor(loaded, sockets, admin, options, workers)
        handle_signals(supervisor)
        await supervisor.run()

    asyncio.run(main())
