"""The pages of the API: complete, as the code says, with examples that run."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from plano_filters import API_VERSION
from plano_filters import testing as kit
from tests.support.surface import public
from tools.api_pages import HEADING, PAGES, page

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = sorted(PAGES.glob("*.md"))
TEXTS = {file.name: file.read_text(encoding="utf-8") for file in FILES}


@pytest.fixture
def module(request: pytest.FixtureRequest) -> Iterator[types.ModuleType]:
    """Make an empty module that is there while the test runs, as dataclasses want it."""
    made = types.ModuleType(f"example_{request.node.name.partition('[')[2][:-4]}")
    sys.modules[made.__name__] = made
    yield made
    del sys.modules[made.__name__]


def test_every_name_has_its_place() -> None:
    """Once, on one page; and no page describes what is not public."""
    wanted = [*public(), *(f"sse.{name}" for name in public("plano_filters.sse"))]
    wanted += [f"prices.{name}" for name in public("plano_filters.prices")]

    assert sorted(name for text in TEXTS.values() for name in HEADING.findall(text)) == sorted(
        wanted
    )


def test_every_name_of_the_kit_is_on_its_page() -> None:
    """In an example, or in a table."""
    text = (PAGES.parent / "testing-filters.md").read_text(encoding="utf-8")

    assert [name for name in kit.__all__ if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("name", TEXTS)
def test_the_page_says_what_the_code_says(name: str) -> None:
    """Signatures, docstrings and members; `python tools/api_pages.py` brings it up to date."""
    assert page(TEXTS[name]) == TEXTS[name]


@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if BLOCK.search(text)])
def test_the_examples_run(
    name: str, module: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of a page, one after the other, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    code = "\n".join(BLOCK.findall(TEXTS[name]))
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compiled = compile(code, name, "exec", flags=flags, dont_inherit=True)
    running = eval(compiled, vars(module))
    if inspect.iscoroutine(running):
        asyncio.run(running)


def test_every_name_is_used_in_an_example() -> None:
    """Of `plano_filters` itself, on any page."""
    code = "\n".join(block for text in TEXTS.values() for block in BLOCK.findall(text))
    tree = ast.parse(code)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {node.value.id for node in ast.walk(tree)
             if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)}  # fmt: skip

    assert sorted(public().keys() - used) == []


def test_the_index_tells_the_version() -> None:
    """That of the code, in its examples."""
    assert f'"{API_VERSION}"' in TEXTS["index.md"]
