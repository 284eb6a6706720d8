"""What sessions are worth: agentic loops over a fleet of gateways, with and without `affinity`.

python -m benchmarks.sim_affinity

The filter is the real one, and so are the bundled prices. Simulated are the router, which changes
its mind now and then, the providers, which keep prompts in a cache, and time. The same loops run
in every mode.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from benchmarks.loops import MODELS, SESSION, Call, Parameters, Providers, Router, Serve, loop
from benchmarks.machine import ROOT, description
from plano_builtin_filters.affinity import Affinity, AffinityConfig
from plano_filters import Candidates, Chain, FactoryContext, Outcome, load_text
from plano_filters.chain import link
from plano_filters.prices import book
from plano_filters.shared import Shared
from plano_filters.testing import FakeClock, make_exchange

RESULTS = ROOT / "benchmarks" / "results"
DOCUMENT = "version: v0.4.0\nmodel_providers:\n" + "".join(
    f"  - {{model: {model}, access_key: none}}\n" for model in MODELS
)
MODES: Final = {
    "none": None,
    "pin": "",
    "turns": "routing: {route_on_user_only: true}",
    "budget 25 %": "routing: {routing_budget: {max_switch_spend_pct: 25}}",
    "budget 100 %": "routing: {routing_budget: {max_switch_spend_pct: 100}}",
}
"""What is under `routing:` in each; None: a chain without `affinity`."""


@dataclass(slots=True)
class Fleet:
    """Gateways behind one address."""

    clock: FakeClock
    chains: list[Chain]
    router: Router

    async def ask(self, session: str, call: Call) -> None:
        """Send one call to the gateway that the load balancer chooses."""
        await self.clock.sleep(call.seconds)
        newest = (
            {"role": "user", "content": "Next, please."}
            if call.of_user
            else {"role": "tool", "tool_call_id": "1", "content": "done"}
        )
        messages = [{"role": "system", "content": "You are an agent."}, {"role": "user",
                    "content": session}, newest]  # fmt: skip
        exchange = make_exchange(
            {"messages": messages},
            headers={SESSION: session},
            facts=[Candidates(MODELS, "auto", explicit=False), call],
        )
        chain = self.chains[int(call.chance * len(self.chains))]
        response = await chain.run(exchange)
        await chain.complete(exchange, Outcome(response.status))


async def simulate(
    mode: str, replicas: int, shared: bool, loops: Sequence[Sequence[Call]]
) -> dict[str, Any]:
    """Run all sessions in one mode.

    Args:
        mode: A key of `MODES`.
        replicas: How many gateways.
        shared: Whether they have one store; else each has its own.
        loops: The calls of each session.

    Returns:
        A row of the results.
    """
    clock, stores, router = FakeClock(), Shared(), Router()
    routing = MODES[mode]
    document = load_text(f"{DOCUMENT}{routing or ''}\n", env={}).document
    async with AsyncExitStack() as stack:
        context = FactoryContext("prices", document, clock=clock)
        providers = Providers(clock, await stack.enter_async_context(book(context)))
        chains = []
        for _ in range(replicas):
            own = stores if shared else Shared()
            links = [link(router, id="router", name="router")]
            if routing is not None:
                made = FactoryContext("affinity", document, clock=clock, shared=own)
                affinity = Affinity(AffinityConfig(), made)
                links.insert(0, link(affinity, id="affinity", name="affinity"))
            chain = Chain([*links, link(Serve(providers), id="serve", name="serve")])
            await stack.enter_async_context(chain.lifespan())
            chains.append(chain)
        fleet = Fleet(clock, chains, router)
        for number, calls in enumerate(loops):
            for call in calls:
                await fleet.ask(f"session {number}", call)
    tally, sessions = providers.tally, len(loops)
    return {
        "mode": mode,
        "store": "" if routing is None else "shared" if shared else "memory",
        "replicas": replicas,
        "switches_per_session": round(tally.switches / sessions, 2),
        "cached_share": round(tally.cached_tokens / tally.prompt_tokens, 4),
        "prompt_usd_per_session": round(tally.usd / sessions, 4),
        "off_route_share": round(tally.off_route / tally.calls, 4),
        "router_asked_per_session": round(router.asked / sessions, 2),
    }


def cases() -> Iterator[tuple[str, int, bool]]:
    """Yield modes, replicas and whether their store is shared; each that differs from the others.

    Without sessions the number of replicas does not matter, and one replica shares with nobody.
    """
    for mode, routing in MODES.items():
        yield mode, 1, False
        for replicas in (2, 4) if routing is not None else ():
            yield mode, replicas, False
            yield mode, replicas, True


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Write the results as Markdown."""
    lines = [
        "| mode | replicas | store | switches | cached | prompt USD | off route | router asked |",
        "| --- | --: | --- | --: | --: | --: | --: | --: |",
    ]
    lines += [
        f"| {row['mode']} | {row['replicas']} | {row['store']} "
        f"| {row['switches_per_session']:.2f} | {row['cached_share']:.1%} "
        f"| {row['prompt_usd_per_session']:.3f} | {row['off_route_share']:.1%} "
        f"| {row['router_asked_per_session']:.1f} |"
        for row in rows
    ]
    return "\n".join(lines)


async def rates() -> dict[str, Any]:
    """Return the prices that counted."""
    async with book(FactoryContext("prices")) as prices:
        found = {model: prices.rates(model) for model in MODELS}
    return {model: asdict(quote.rates) for model, quote in found.items() if quote is not None}


async def main(wanted: Parameters, keep: bool) -> None:
    """Simulate, print and keep the results."""
    draw = random.Random(wanted.seed)
    loops = [list(loop(draw, wanted)) for _ in range(wanted.sessions)]
    rows = [await simulate(*case, loops) for case in cases()]
    print(table(rows))
    if keep:
        told = {**description(), "parameters": asdict(wanted), "rates": await rates(), "rows": rows}
        path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}-affinity.json"
        path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=500)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", action="store_true", help="write a file into results/")
    given = parser.parse_args()
    asyncio.run(main(Parameters(seed=given.seed, sessions=given.sessions), given.keep))
