"""What a supervisor tells a worker."""

from __future__ import annotations

import json
from pathlib import Path

from plano_filters.server.worker import Order

TEXT = """
version: v0.4.0
model_providers: [{model: mock/fast, default: true, access_key: $KEY_OF_THE_TEST}]
"""


def order(name: str) -> Order:
    return Order(name, TEXT, "strict", [3, 4], 0.0, "info", "json")


def test_an_order_is_one_line() -> None:
    """It survives the way to the worker, line breaks in the document included."""
    line = order("plano.yaml").to_line()

    assert line.count(b"\n") == 1
    assert Order(**json.loads(line)) == order("plano.yaml")


def test_a_worker_loads_as_its_supervisor_did(tmp_path: Path) -> None:
    """Variables come from the `.env` file beside the document, too."""
    (tmp_path / ".env").write_text("KEY_OF_THE_TEST=secret\n")
    loaded = order(str(tmp_path / "plano.yaml")).load()

    assert loaded.report.errors == []
    key = loaded.document.model_providers[0].access_key
    assert key is not None
    assert key.reveal() == "secret"
