"""`graph`: the chain drawn, as text and as a picture."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

import plano_filters.cli  # noqa: F401 - registers the commands
from plano_filters.cli.app import app
from plano_filters.cli.drawing import Row, as_svg

DOCUMENT = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers: [{model: mock/fast}, {model: mock/smart}]
filters:
  - alias
  - {use: affinity, on_error: skip, timeout: 1s}
  - upstream: {filters: ["./stamper.py:Stamper"]}
"""
FILTER = """\
from plano_filters import Exchange, Filter, FilterConfig

class Stamper(Filter[FilterConfig]):
    async def on_request(self, exchange: Exchange) -> None: ...
"""


@pytest.fixture
def document(tmp_path: Path) -> Path:
    (tmp_path / "stamper.py").write_text(FILTER)
    path = tmp_path / "plano.yaml"
    path.write_text(DOCUMENT)
    return path


def test_the_way_of_a_request_is_drawn_with_letters(document: Path) -> None:
    """In order, each filter with the hooks it has, its facts and its envelope; then the models."""
    result = CliRunner().invoke(app, ["graph", str(document)])

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "egress 127.0.0.1:12000"
    places = [lines.index(line) for name in ("alias", "affinity", "upstream", "stamper")
              for line in lines if f" {name} " in line]  # fmt: skip
    assert places == sorted(places)
    assert "v...  leaves Candidates" in lines[places[0]]
    assert "v>^o  needs Candidates; timeout 1 s; on error: skip" in lines[places[1]]
    assert lines[places[3]].startswith("  |-    ")
    assert "  +-> mock/smart" in lines


def test_a_picture_is_written(document: Path) -> None:
    """It is well-formed SVG with a box for each filter."""
    picture = document.with_name("chain.svg")

    result = CliRunner().invoke(app, ["graph", str(document), "--svg", str(picture)])

    assert result.exit_code == 0, result.output
    root = ElementTree.fromstring(picture.read_text())
    boxes = list(root.iter("{http://www.w3.org/2000/svg}rect"))
    names = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert len(boxes) == 4
    assert {"alias", "affinity", "upstream", "stamper", "→ mock/fast"} <= set(names)


def test_a_name_cannot_break_the_picture() -> None:
    """Ids are the user's; they are escaped."""
    row = Row("<script>&", "X", ["on_request"], [], [], ['"'], terminal=False)

    assert "<script>" not in as_svg([row], "<a>", ["<b>"])
    ElementTree.fromstring(as_svg([row], "<a>", ["<b>"]))


def test_a_picture_that_cannot_be_written_is_an_error(document: Path) -> None:
    """Status 2, and the reason."""
    result = CliRunner().invoke(app, ["graph", str(document), "--svg", "/no/such/place.svg"])

    assert result.exit_code == 2
    assert "cannot write /no/such/place.svg" in result.stderr
