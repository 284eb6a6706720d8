"""A demo gateway in a process of its own, as a newcomer starts it."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from tests.support.gateway import COMMAND, environment

READY = re.compile(r"(http://127\.0\.0\.1:\d+)/v1 answers")


@dataclass
class Demo:
    """A running demo."""

    url: str
    """Of the gateway, without `/v1`."""
    printed: list[str] = field(default_factory=list)
    """Its output, complete once the demo has ended."""
    status: int | None = None
    """Its exit status, once it has ended."""


@contextmanager
def demo() -> Iterator[Demo]:
    """Run the demo on a free port; it is told to end when the block ends."""
    arguments = [COMMAND, "demo", "--port", "0", "--admin", "off"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment())
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = READY.search(first)
        assert found, f"the demo printed: {first}"
        running = Demo(found[1], [first])
        try:
            yield running
        finally:
            process.send_signal(signal.SIGTERM)
            running.printed += _rest(process.stdout)
            running.status = process.wait(timeout=20)
    finally:
        process.kill()
        process.wait()


def _rest(stream: IO[str]) -> list[str]:
    with stream:
        return stream.readlines()
