"""What the command line adds to a document."""

from __future__ import annotations

from pathlib import Path

import pytest

from plano_filters.server.options import Options

TEXT = """
version: v0.4.0
listeners: [{type: model, name: one, address: 127.0.0.1, port: 12000}]
model_providers: [{model: mock/fast, default: true}]
"""


def test_a_reload_keeps_the_port_of_the_command_line(tmp_path: Path) -> None:
    """`--port` holds for as long as the gateway runs."""
    file = tmp_path / "plano.yaml"
    file.write_text(TEXT)

    assert Options(file, port=0).load().document.listeners[0].port == 0
    assert Options(file).load().document.listeners[0].port == 12000


def test_without_a_file_there_is_nothing_to_reload() -> None:
    """A gateway without a file says so."""
    with pytest.raises(LookupError, match="without a file"):
        Options().load()
