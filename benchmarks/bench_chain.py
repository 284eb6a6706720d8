"""What a filter costs: microseconds for each hook of the chain, without server and network.

python -m benchmarks.bench_chain
"""

from __future__ import annotations

import asyncio
import json
import time
from statistics import median

import uvloop

from benchmarks.machine import description
from plano_filters import Chain, Exchange, Filter, FilterConfig, Outcome, Response
from plano_filters.chain import link
from plano_filters.testing import Answer, make_context, make_exchange

EXCHANGES = 5_000
ROUNDS = 7
FILTERS = 10
BODY = {"model": "gpt", "messages": [{"role": "user", "content": "Hello"}]}


class Quiet(Filter[FilterConfig]):
    """Has all three hooks, and they do nothing."""

    async def on_request(self, exchange: Exchange) -> None:
        """Do nothing."""

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        """Do nothing."""

    async def on_complete(self, exchange: Exchange, outcome: Outcome) -> None:
        """Do nothing."""


def chain_of(filters: int) -> Chain:
    """Return a chain of so many filters that do nothing, and a terminal that answers."""
    quiet = Quiet(FilterConfig(), make_context())
    links = [link(quiet, id=f"quiet-{number}", name="quiet") for number in range(filters)]
    return Chain([*links, link(Answer(), id="answer", name="answer")])


async def microseconds(chain: Chain) -> float:
    """Return the time of one exchange, the median of some rounds."""
    rounds = []
    for _ in range(ROUNDS):
        exchanges = [make_exchange(BODY) for _ in range(EXCHANGES)]
        started = time.perf_counter()
        for exchange in exchanges:
            response = await chain.run(exchange)
            await chain.complete(exchange, Outcome(response.status))
        rounds.append((time.perf_counter() - started) / EXCHANGES * 1e6)
    return median(rounds)


async def main() -> None:
    """Measure and print."""
    empty, full = await microseconds(chain_of(0)), await microseconds(chain_of(FILTERS))
    figures = {
        "terminal_only_us": round(empty, 2),
        f"with_{FILTERS}_filters_us": round(full, 2),
        "per_filter_of_three_hooks_us": round((full - empty) / FILTERS, 2),
        "per_hook_us": round((full - empty) / FILTERS / 3, 2),
    }
    await asyncio.to_thread(print, json.dumps({**description(), **figures}, indent=1))


if __name__ == "__main__":
    uvloop.run(main())
