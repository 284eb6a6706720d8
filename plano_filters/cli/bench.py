"""`bench-filter`: what the hooks of a filter cost."""

from __future__ import annotations

import asyncio
import os
import statistics
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import yaml
from starlette.datastructures import MutableHeaders

from plano_filters import local
from plano_filters.chain import Chain, Link
from plano_filters.cli.app import app
from plano_filters.cli.serve import Json, as_json
from plano_filters.compile import Services, compile_chain
from plano_filters.config import Problem, load, load_text
from plano_filters.dialect import operation_for
from plano_filters.errors import ConfigError
from plano_filters.exchange import Exchange, Outcome
from plano_filters.messages import Request
from plano_filters.registry import HOOKS, Registry

PATH: Final = "/v1/chat/completions"
BODY: Final = b'{"model":"mock/fast","messages":[{"role":"user","content":"Write a haiku."}]}'
MEMORY_REQUESTS: Final = 50
"""Requests for which allocations are traced, which makes them several times slower."""


@app.command("bench-filter")
def bench_filter(
    name: Annotated[str, typer.Argument(help="An installed filter, or ./file.py:Class.")],
    *,
    config: Annotated[str, typer.Option("--config", help="Its options, as YAML.")] = "{}",
    file: Annotated[
        Path | None, typer.Option("--file", help="A configuration whose chain has the filter.")
    ] = None,
    body: Annotated[Path | None, typer.Option("--body", help="A request body to send.")] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", help="A request header, NAME:VALUE.")
    ] = None,
    requests: Annotated[int, typer.Option(min=10, help="How many.")] = 2000,
    json: Json = False,
) -> None:
    """Measure the hooks of a filter in its chain: microseconds, and memory they take at their peak.

    Without `--file` the filter stands behind those it needs and in front of the mock provider.
    """
    chain = _chain_of_file(file) if file else _chain_around(name, config)
    wanted = local.name_of(name)
    if wanted not in {entry.id for entry in chain.links}:
        raise typer.BadParameter(f'"{wanted}" is not in the chain {chain}', param_hint="NAME")
    load = _Load(chain, _headers(header or []), body.read_bytes() if body else BODY)
    rows = asyncio.run(_measure(load, wanted, requests))
    statuses = dict(load.statuses)
    if json:
        told = {"filter": wanted, "chain": str(chain), "statuses": statuses, "hooks": rows}
        print(as_json(told))  # noqa: T201
        return
    answers = ", ".join(f"{count} x {status}" for status, count in statuses.items())
    print(f"{chain}: {answers}")  # noqa: T201
    print(f"{'hook':<14}{'median':>10}{'p95':>10}{'memory':>10}")  # noqa: T201
    for row in rows:
        print(  # noqa: T201
            f"{row['hook']:<14}{row['median_us']:>7.1f} us{row['p95_us']:>7.1f} us"
            f"{row['peak_bytes']:>8} B"
        )


def _chain_of_file(file: Path) -> Chain:
    loaded = load(file)
    return _compiled(loaded)


def _chain_around(name: str, config: str) -> Chain:
    """Return the smallest chain in which a filter can work."""
    registry = Registry.from_entry_points()
    try:
        kind = registry.load(name)
        options = yaml.safe_load(config)
    except (LookupError, yaml.YAMLError) as error:
        raise ConfigError([Problem("error", str(error))]) from None
    needs = {"alias"} | {
        info.name
        for info in registry.describe()
        for fact in kind.requires
        if fact in info.filter.provides
    }
    before = sorted(needs - {name, "upstream"})
    entry = {"use": name, "config": options}
    after = [] if name == "upstream" else ["upstream"]
    document = {
        "version": "v0.4.0",
        "listeners": [{"type": "model", "name": "bench", "port": 12000}],
        "model_providers": [{"model": "mock/fast", "default": True}, {"model": "mock/smart"}],
        "filters": [*before, *([] if name in before else [entry]), *after],
    }
    return _compiled(load_text(yaml.safe_dump(document), name="bench.yaml", env=os.environ))


def _compiled(loaded: Any) -> Chain:
    chain = compile_chain(loaded.document, Registry.from_entry_points(), loaded.report, Services())
    loaded.report.raise_errors()
    return chain


def _headers(given: Iterable[str]) -> dict[str, str]:
    """Read `NAME:VALUE`; the mock provider does not pause between its events here."""
    found = {"content-type": "application/json", "x-mock-delay-ms": "0"}
    for header in given:
        name, colon, value = header.partition(":")
        if not colon:
            raise typer.BadParameter("must be NAME:VALUE", param_hint="--header")
        found[name.strip().lower()] = value.strip()
    return found


@dataclass(slots=True)
class _Load:
    """Sends the same request again and again."""

    chain: Chain
    headers: dict[str, str]
    body: bytes
    statuses: Counter[int] = field(default_factory=Counter)

    async def send(self, chain: Chain | None = None) -> Exchange:
        """Take one request through the chain, or through another one."""
        chain = chain or self.chain
        request = Request("POST", PATH, MutableHeaders(self.headers), self.body)
        exchange = Exchange("bench", request, operation_for(PATH, request.headers))
        response = await chain.run(exchange)
        if not isinstance(response.body, bytes):
            async for _ in response.body:
                pass
        await chain.complete(exchange, Outcome(response.status))
        self.statuses[response.status] += 1
        return exchange


async def _measure(load: _Load, wanted: str, count: int) -> list[dict[str, Any]]:
    """Send requests through a chain; return one row for each hook that ran."""
    times: dict[str, list[float]] = defaultdict(list)
    peaks: dict[str, list[int]] = defaultdict(list)
    async with load.chain.lifespan():
        for number in range(count + count // 10):
            exchange = await load.send()
            if number >= count // 10:  # the first ones warm up
                for timing in exchange.timings:
                    if timing.filter == wanted:
                        times[f"on_{timing.phase}"].append(timing.seconds * 1e6)
        traced = Chain([_traced(entry, wanted, peaks) for entry in load.chain.links])
        tracemalloc.start()
        try:
            for _ in range(MEMORY_REQUESTS):
                await load.send(traced)
        finally:
            tracemalloc.stop()
    return [
        {
            "hook": hook,
            "median_us": round(statistics.median(values), 2),
            "p95_us": round(sorted(values)[int(len(values) * 0.95)], 2),
            "peak_bytes": round(statistics.median(peaks[hook])),
        }
        for hook, values in times.items()
    ]


def _traced(entry: Link, wanted: str, peaks: dict[str, list[int]]) -> Link:
    """Let the hooks of one filter tell how much memory they took at their peak."""
    if entry.id != wanted:
        return entry

    def traced(hook: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def measured(*arguments: Any) -> Any:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            try:
                return await call(*arguments)
            finally:
                peaks[hook].append(tracemalloc.get_traced_memory()[1] - before)

        return measured

    changed = {h: traced(h, call) for h in HOOKS if (call := getattr(entry, h)) is not None}
    return replace(entry, **changed)  # type: ignore[arg-type]  # names of hooks
