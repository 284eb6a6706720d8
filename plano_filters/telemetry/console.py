"""Printing exchanges for people: the chain, its decisions, the tries, who served."""

from __future__ import annotations

import sys
import time
from typing import Final, TextIO

from plano_filters.exchange import Exchange, Outcome
from plano_filters.telemetry.view import View, view

SMALLEST: Final = 1e-8
"""USD; the last decimal that is shown."""


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
            parts.append(f"cost {_cost(seen)}")
        if seen.error:
            parts.append(self._paint(seen.error, "31"))
        return ["  " + "  ".join(parts)] if parts else []

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def _cost(seen: View) -> str:
    least = "at least " if seen.cost is not None and not seen.cost.whole else ""
    return least + dollars(seen.cost.usd if seen.cost is not None else None)


def dollars(usd: float | None) -> str:
    """Write an amount with the digits that say something; a dash for none and for an unknown one.

    Source: the formatting of Plano's `obs` console.
    """
    if not usd:
        return "\N{EM DASH}"
    if usd < SMALLEST / 2:
        return f"<${SMALLEST:.8f}"
    if usd < 0.01:
        return f"${usd:.{8 if usd < 0.0001 else 6}f}".rstrip("0").rstrip(".")
    return f"${usd:.4f}" if usd < 1 else f"${usd:,.2f}"


def _ms(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.2f} ms"
