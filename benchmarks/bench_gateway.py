"""Requests per second and added latency: direct, by a bare proxy, by our gateway, in one run.

python -m benchmarks.bench_gateway [--quick] [--no-save]
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import ROOT, description

RESULTS = ROOT / "benchmarks" / "results"
DOCUMENT = """\
version: v0.4.0
listeners: [{type: model, name: bench, address: 127.0.0.1, port: %d}]
model_providers:
  - {model: openai/bench, access_key: sk-bench, base_url: "http://127.0.0.1:%d/v1", default: true}
filters: [alias, upstream]
"""
Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load."""

    name: str
    connections: int
    kind: str


@dataclass(frozen=True, slots=True)
class Target:
    """What is loaded; the provider itself has no process of its own here."""

    name: str
    port: int
    pid: int | None


SCENARIOS = (
    Scenario("json c1", 1, "json"),
    Scenario("json c16", 16, "json"),
    Scenario("json c64", 64, "json"),
    Scenario("stream c1", 1, "stream"),
    Scenario("stream c16", 16, "stream"),
)


def main() -> None:
    """Measure, print a table, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about 25 seconds; noisy")
    parser.add_argument("--no-save", action="store_true", help="write no file")
    options = parser.parse_args()
    rounds, seconds = (1, 1.5) if options.quick else (3, 4.0)
    with ExitStack() as stack:
        targets = start(stack)
        measured = measure(targets, rounds, seconds)
    summary = summarise(measured)
    print(table(summary))
    if not options.no_save:
        about = {**description(), "rounds": rounds, "seconds": seconds, "quick": options.quick}
        stamp = time.strftime("%Y-%m-%d-%H%M%S", time.gmtime())
        path = RESULTS / f"{stamp}-gateway.json"
        path.write_text(
            json.dumps({**about, "summary": summary, "rounds_raw": measured}, indent=1) + "\n",
            encoding="utf-8",
        )
        print(f"\nwritten: {path.relative_to(ROOT)}")


def start(stack: ExitStack) -> list[Target]:
    """Start provider, bare proxy and gateway; each has the core it needs, if there are two."""
    ports = [free_port() for _ in range(3)]
    provider, bare, ours = ports
    stack.enter_context(process([sys.executable, "-m", "benchmarks.upstream", str(provider)], 1))
    url = f"http://127.0.0.1:{provider}"
    arguments = [sys.executable, "-m", "benchmarks.bare_proxy", str(bare), url]
    bare_process = stack.enter_context(process(arguments, 0))
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    path = Path(folder, "config.yaml")
    path.write_text(DOCUMENT % (ours, provider), encoding="utf-8")
    command = str(Path(sys.executable).with_name("plano-filters"))
    arguments = [command, "run", str(path), "--admin", "off"]
    our_process = stack.enter_context(process(arguments, 0))
    for port in ports:
        wait_for(port)
    return [
        Target("direct", provider, None),
        Target("bare", bare, bare_process.pid),
        Target("plano-filters", ours, our_process.pid),
    ]


def measure(
    targets: Sequence[Target], rounds: int, seconds: float
) -> dict[str, dict[str, list[Figures]]]:
    """Load the targets in turn, so that what disturbs a round disturbs all of them."""
    measured: dict[str, dict[str, list[Figures]]] = {
        scenario.name: {target.name: [] for target in targets} for scenario in SCENARIOS
    }
    for _ in range(rounds):
        for scenario in SCENARIOS:
            for target in targets:
                measured[scenario.name][target.name].append(load(scenario, target, seconds))
    return measured


def load(scenario: Scenario, target: Target, seconds: float) -> Figures:
    """Run the load generator in a process of its own; add what the target's CPU did."""
    before = cpu_seconds(target.pid)
    arguments = map(str, [target.port, scenario.connections, seconds, scenario.kind])
    with on_core(1):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.load", *arguments],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
    figures: Figures = json.loads(done.stdout)
    if figures["errors"] or not figures["count"]:
        raise SystemExit(f"{target.name}, {scenario.name}: {figures}")
    spent = cpu_seconds(target.pid) - before
    # The warm-up is in the CPU time, so it is in the count that divides it.
    whole = figures["per_second"] * seconds
    return {**figures, "cpu_us": spent / whole * 1e6 if target.pid and whole else 0.0}


def summarise(measured: dict[str, dict[str, list[Figures]]]) -> dict[str, dict[str, Figures]]:
    """Take medians over the rounds; added latency is over direct, ratios are to the bare proxy."""
    summary: dict[str, dict[str, Figures]] = {}
    for scenario, targets in measured.items():
        medians = {
            name: {key: median(run[key] for run in runs) for key in runs[0]}
            for name, runs in targets.items()
        }
        direct, bare = medians["direct"], medians["bare"]
        for figures in medians.values():
            figures["added_p50_us"] = figures["p50_us"] - direct["p50_us"]
            figures["added_p99_us"] = figures["p99_us"] - direct["p99_us"]
            figures["times_bare"] = figures["per_second"] / bare["per_second"]
        summary[scenario] = medians
    return summary


def table(summary: dict[str, dict[str, Figures]]) -> str:
    """Write the figures as a Markdown table."""
    lines = [
        "| load | target | per s | x bare | p50 us | p99 us | added p50 | added p99 | CPU us |",
        "| --- | --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for scenario, targets in summary.items():
        for name, figures in targets.items():
            cells: list[Any] = [f"{figures['per_second']:,.0f}", f"{figures['times_bare']:.2f}"]
            cells += [
                f"{figures[key]:,.0f}"
                for key in ("p50_us", "p99_us", "added_p50_us", "added_p99_us", "cpu_us")
            ]
            lines.append(f"| {scenario} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


@contextmanager
def process(arguments: Sequence[str], core: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program on one core until the block ends."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    with on_core(core):
        running = subprocess.Popen(
            arguments,
            cwd=ROOT,
            env=kept,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Keep what is started in the block on one core, where there are several; it inherits that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(cores)[core % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def cpu_seconds(pid: int | None) -> float:
    """Return the CPU time a process has used; 0 where that cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def wait_for(port: int, seconds: float = 20.0) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"nothing listens on port {port}")


if __name__ == "__main__":
    main()
