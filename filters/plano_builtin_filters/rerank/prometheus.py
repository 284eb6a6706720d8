"""Latencies from Prometheus: one instant query, a row for each model.

Source: `GET /api/v1/query?query=...`; `data.result[].metric.model_name` and `value[1]`. Unit and
aggregation are the query's.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import orjson

from plano_filters.prices.catalog import names, number

LABEL: Final = "model_name"


class Latencies:
    """Latencies by name.

    Args:
        rows: By full name or bare id, as the metric has them.
    """

    def __init__(self, rows: dict[str, float]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, name: str) -> float | None:
        """Return the latency of a declared model, by its full name."""
        return next((self._rows[one] for one in names(name) if one in self._rows), None)


def address(url: str, query: str) -> str:
    """Return where the answer to a query is."""
    return f"{url.rstrip('/')}/api/v1/query?query={quote(query, safe='')}"


def parse(text: bytes) -> Latencies:
    """Read an answer. Rows without the label or without a number are left out.

    Raises:
        ValueError: It is no answer to an instant query, or has no usable row.
    """
    document = orjson.loads(text)
    if not isinstance(document, dict) or document.get("status") != "success":
        raise ValueError("Prometheus did not answer the query")
    data = document.get("data")
    result = data.get("result") if isinstance(data, dict) else None
    rows: dict[str, float] = {}
    for row in result if isinstance(result, list) else ():
        metric, value = (row.get("metric"), row.get("value")) if isinstance(row, dict) else (0, 0)
        name = metric.get(LABEL) if isinstance(metric, dict) else None
        read = number(value[1]) if isinstance(value, list) and len(value) == 2 else None
        if isinstance(name, str) and read is not None:
            rows[name] = read
    if not rows:
        raise ValueError(f"the query has no row with a number and the label {LABEL}")
    return Latencies(rows)
