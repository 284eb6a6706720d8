"""Filters of one file: found beside the configuration, imported anew when they change."""

from __future__ import annotations

from pathlib import Path

import pytest

from plano_filters import local
from plano_filters.app import check
from plano_filters.config import load
from plano_filters.config.shapes import local_files
from plano_filters.errors import ConfigError
from plano_filters.registry import Registry

FILTER = """\
from __future__ import annotations

from dataclasses import dataclass

from plano_filters import Exchange, Filter, FilterConfig, Response


@dataclass(frozen=True)
class Stamp:
    text: str


class StampConfig(FilterConfig):
    text: str = "stamped"


class Stamper(Filter[StampConfig]):
    \"\"\"Stamps every answer.\"\"\"

    config_type = StampConfig

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        response.headers["x-stamp"] = Stamp(self.config.text).text
"""
DOCUMENT = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers: [{model: mock/gpt-mock, default: true}]
filters:
  - alias
  - ./stamper.py:Stamper: {text: seen}
  - upstream
"""


def test_a_file_is_a_filter(tmp_path: Path) -> None:
    """Its path counts from the configuration; it is called as the file is."""
    (tmp_path / "stamper.py").write_text(FILTER)
    (tmp_path / "plano.yaml").write_text(DOCUMENT)

    chain = check(load(tmp_path / "plano.yaml"))

    assert str(chain) == "alias -> stamper -> upstream"
    assert chain.configs["stamper"].model_dump() == {"text": "seen"}


def test_a_wrong_config_of_a_file_is_located(tmp_path: Path) -> None:
    """The same errors as for an installed filter: line, column, suggestion."""
    (tmp_path / "stamper.py").write_text(FILTER)
    (tmp_path / "plano.yaml").write_text(DOCUMENT.replace("text: seen", "txet: seen"))

    with pytest.raises(ConfigError) as raised:
        check(load(tmp_path / "plano.yaml"))

    assert "plano.yaml:6:" in str(raised.value)
    assert 'did you mean "text"?' in str(raised.value)


def test_the_same_content_is_imported_once_and_another_anew(tmp_path: Path) -> None:
    """So a reload that changes nothing keeps the classes, and a change is never missed."""
    file = tmp_path / "stamper.py"
    file.write_text(FILTER)
    first = local.module_of(file)
    assert local.module_of(file) is first

    file.write_text(FILTER.replace('"stamped"', '"changed"'))
    second = local.module_of(file)

    assert second is not first
    assert second.StampConfig().text == "changed"
    assert first.StampConfig().text == "stamped"


@pytest.mark.parametrize(
    ("text", "use", "says"),
    [
        (None, "./stamper.py:Stamper", "cannot read .*stamper.py: No such file"),
        ("x = (", "./stamper.py:Stamper", "SyntaxError at line 1: '\\(' was never closed"),
        ("x = 1\ny = x / 0\n", "./stamper.py:Stamper", "ZeroDivisionError at line 2"),
        ("import no_such_module\n", "./stamper.py:Stamper", "ModuleNotFoundError at line 1"),
        (FILTER, "./stamper.py:Stampr", 'has no class "Stampr"; did you mean "Stamper"'),
        (FILTER, "./stamper.py:Stamp", "is no subclass of Filter"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    tmp_path: Path, text: str | None, use: str, says: str
) -> None:
    """The file, the line and the reason, so that one look mends it."""
    if text is not None:
        (tmp_path / "stamper.py").write_text(text)

    with pytest.raises(LookupError, match=says):
        Registry().load(use, tmp_path)


def test_a_failed_import_leaves_nothing_behind(tmp_path: Path) -> None:
    """The mended file, or the same one when what it needs is there, is imported again."""
    file = tmp_path / "stamper.py"
    file.write_text("raise RuntimeError('not yet')\n")

    for _ in range(2):
        with pytest.raises(LookupError, match="not yet"):
            Registry().load("./stamper.py:Stamper", tmp_path)


def test_the_files_of_a_chain_are_known(tmp_path: Path) -> None:
    """In every form, nested ones included: a reload watches them."""
    nested = {"use": "upstream", "config": {"filters": ["./a.py:A", {"./b.py:B": None}]}}
    entries = ["alias", {"use": "c.py:C"}, nested, "acme.filters:Guard"]

    found = local_files(entries, tmp_path)

    assert sorted(file.name for file in found) == ["a.py", "b.py", "c.py"]
    assert {file.parent for file in found} == {tmp_path}
