"""A real Prometheus on a free port, and a small exporter that it scrapes."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.support.gateway import free_port
from tests.support.provider import FakeProvider, Reply

PROGRAM = shutil.which("prometheus")
"""None where it is not installed."""
SECONDS = 60.0
"""For its start, and for a scrape."""
CONFIG = """\
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
scrape_configs:
  - job_name: models
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@dataclass(slots=True)
class Prometheus:
    """A running Prometheus and the gauge that it scrapes."""

    url: str
    metric: str
    process: asyncio.subprocess.Process
    values: dict[str, float] = field(default_factory=dict)
    """What the exporter says, by `model_name`."""

    async def query(self, client: httpx.AsyncClient) -> dict[str, float]:
        """Return what Prometheus knows now."""
        answer = await client.get(f"{self.url}/api/v1/query", params={"query": self.metric})
        rows = answer.json()["data"]["result"]
        return {row["metric"]["model_name"]: float(row["value"][1]) for row in rows}

    async def scraped(self) -> None:
        """Wait until Prometheus knows what the exporter says."""
        async with asyncio.timeout(SECONDS), httpx.AsyncClient(trust_env=False) as client:
            while True:
                try:
                    if await self.query(client) == self.values:
                        return
                except (httpx.TransportError, KeyError, ValueError):
                    pass  # it is starting
                await asyncio.sleep(0.05)


@asynccontextmanager
async def run_prometheus(
    folder: Path, values: Mapping[str, float], metric: str = "model_latency_p95_seconds"
) -> AsyncGenerator[Prometheus]:
    """Start an exporter and a Prometheus that has scraped it; stop both at the end."""
    port = free_port()
    told = dict(values)

    async def exporter(reply: Reply) -> None:
        rows = [f'{metric}{{model_name="{name}"}} {one}' for name, one in told.items()]
        text = "\n".join([f"# TYPE {metric} gauge", *rows, ""]).encode()
        await reply.whole(200, text, {"content-type": "text/plain; version=0.0.4"})

    async with FakeProvider().serve() as exporting:
        exporting.default = exporter
        config = folder / "prometheus.yml"
        config.write_text(CONFIG.format(port=exporting.port), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            PROGRAM or "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
            stdin=asyncio.subprocess.DEVNULL,
        )
        running = Prometheus(f"http://127.0.0.1:{port}", metric, process, told)
        try:
            await running.scraped()
            yield running
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
