"""Seeing what code touches: Python's audit events, calls of `time.sleep`, tasks and threads."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Final

BLOCKING: Final = frozenset(
    {
        "open",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "sqlite3.connect",
        "subprocess.Popen",
        "os.system",
        "os.posix_spawn",
        "os.listdir",
        "os.scandir",
    }
)
"""Events of calls that make the caller wait."""
TOUCHING: Final = BLOCKING | {
    "socket.__new__",
    "socket.bind",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "_thread.start_new_thread",
    "_thread.start_joinable_thread",
}
"""Events of whatever reaches out of the object itself."""


@dataclass(slots=True)
class _Listener:
    events: frozenset[str]
    thread: int
    seen: list[str] = field(default_factory=list)


_listening: ContextVar[_Listener | None] = ContextVar("_listening", default=None)
_installed = threading.Lock()
"""Taken for good when the hook is there: an audit hook cannot be removed."""


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    listener = _listening.get()
    if listener is None or event not in listener.events:
        return
    if threading.get_ident() != listener.thread:
        return  # in a thread of its own it may wait
    first = arguments[0] if arguments else None
    if event == "open" and str(first).endswith((".py", ".pyc")):
        return  # an import, or a traceback being written
    if event == "socket.connect" and arguments[0].gettimeout() == 0:
        return  # a connection that does not block
    shown = f" {first!r}" if isinstance(first, str | float | int) else ""
    listener.seen.append(f"{event}{shown}")


@contextmanager
def watching(events: frozenset[str]) -> Iterator[list[str]]:
    """Collect audit events of this context that happen in this thread."""
    if _installed.acquire(blocking=False):
        sys.addaudithook(_hook)
    listener = _Listener(events, threading.get_ident())

    def profile(frame: FrameType, event: str, called: object) -> None:
        if event == "c_call" and called is time.sleep:  # which has no audit event before 3.13
            listener.seen.append("time.sleep")

    token, profiling = _listening.set(listener), sys.getprofile()
    sys.setprofile(profile)
    try:
        yield listener.seen
    finally:
        sys.setprofile(profiling)
        _listening.reset(token)


@contextmanager
def leftovers() -> Iterator[list[str]]:
    """Collect the tasks and threads that were started in the block and still run after it."""
    found: list[str] = []
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    yield found
    found += running_since(tasks)
    found += [
        f"the thread {thread.name}"
        for thread in set(threading.enumerate()) - threads
        if not thread.name.startswith("asyncio_")  # of the loop's own executor
    ]


def running_since(tasks: set[asyncio.Task[Any]]) -> list[str]:
    """Name the tasks that run now and are not among these."""
    return [f"the task {task.get_name()}" for task in asyncio.all_tasks() - tasks]
