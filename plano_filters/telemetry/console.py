"""Printing exchanges for people: the chain, its decisions, the tries, who served."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from plano_filters.exchange import Exchange, Outcome
from plano_filters.telemetry.view import View, view


class ConsoleReporter:
    """An observer that prints each exchange as a few lines.

    Args:
        stream: Where to; stdout unless given. Colours only on a terminal.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._colour = self._stream.isatty()

    def __call__(self, exchange: Exchange, outcome: Outcome) -> None:
        seen = view(exchange, outcome, time.perf_counter())
        print("\n".join(self._lines(exchange, outcome, seen)), file=self._stream, flush=True)

    def _lines(self, exchange: Exchange, outcome: Outcome, seen: View) -> list[str]:
        colour = "32" if seen.status < 400 and not seen.error else "31"
        tries = f"{len(seen.attempts)} attempt{'s' if len(seen.attempts) != 1 else ''}"
        status = self._paint(str(seen.status), colour)
        head = f"{exchange.request.method} {exchange.request.path}  {status}"
        if seen.served:
            head += f"  {self._paint(seen.served, '1')}"
        if seen.attempts:
            head += f"  {tries}"
        head += f"  {_ms(seen.seconds)}"
        if outcome.disconnected:
            head += "  (client left)"
        lines = [head]
        for timing in exchange.timings:
            if timing.phase != "request":
                continue
            texts = [d.text for d in exchange.decisions if d.filter == timing.filter]
            first, *further = texts or [""]
            action = "" if timing.action in ("continue", "respond") else f" [{timing.action}]"
            lines.append(
                f"  {timing.filter:<12}{_ms(timing.seconds):>10}{action}  {first}".rstrip()
            )
            lines += [" " * 26 + text for text in further]
        lines += self._tail(seen)
        return [*lines, ""]

    def _tail(self, seen: View) -> list[str]:
        parts = []
        if seen.first_byte is not None:
            parts.append(f"first byte {_ms(seen.first_byte)}")
        if seen.usage is not None:
            usage = seen.usage
            parts.append(f"tokens {usage.input_tokens or 0} in, {usage.output_tokens or 0} out")
        if seen.error:
            parts.append(self._paint(seen.error, "31"))
        return ["  " + "  ".join(parts)] if parts else []

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def _ms(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.2f} ms"
