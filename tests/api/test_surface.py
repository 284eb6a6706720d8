"""The public names: documented, typed, and made of nothing that is not public."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from plano_filters import API_VERSION, Filter
from tests.support.surface import MODULES, exposed, members, parts, public

PLUGIN = Path(__file__).with_name("plugin.py")
DOCUMENT = "plano_filters.config."
"""The parts of a `Document` are the YAML's, and described with it; nobody imports them."""
KNOWN = {id(value) for module in MODULES for value in public(module).values()}


@pytest.mark.parametrize("module", MODULES)
def test_names_are_sorted_and_documented(module: str) -> None:
    """Each class and function says what it is."""
    names = public(module)
    silent = [
        name
        for name, value in names.items()
        if (isinstance(value, type) or callable(value)) and not vars_doc(value)
    ]

    assert list(names) == sorted(names)
    assert silent == []


def vars_doc(value: object) -> str:
    """Return the docstring of a class or function, not an inherited one."""
    return str(getattr(value, "__dict__", {}).get("__doc__") or getattr(value, "__doc__", ""))


@pytest.mark.parametrize("module", MODULES)
def test_public_names_show_only_public_types(module: str) -> None:
    """In signatures, fields and members: whoever uses a name can name what it gives."""
    hidden = [
        f"{name}.{where}: {part.__module__}.{part.__name__}"
        for name, value in public(module).items()
        for where, hint in exposed(value)
        for part in parts(hint)
        if part.__module__.startswith(("plano_filters", "plano_builtin_filters"))
        and not part.__module__.startswith(DOCUMENT)
        and id(part) not in KNOWN
    ]

    assert hidden == []


def test_a_plugin_that_uses_every_name_is_typed() -> None:
    """`plugin.py` is checked by mypy with everything else, strictly; it leaves no name out."""
    tree = ast.parse(PLUGIN.read_text(encoding="utf-8"))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "plano_filters"
        for alias in node.names
    }
    loads = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}

    assert imported & loads == set(public())


def test_the_version_is_what_filters_begin_with() -> None:
    """A filter that says nothing needs the first version of this major one."""
    assert re.fullmatch(r"[1-9]\d*\.\d+", API_VERSION)
    assert Filter.api == f"{API_VERSION.split('.')[0]}.0"


def test_members_are_those_of_the_class() -> None:
    """What the other tests look at: fields, properties and methods, without private ones."""
    assert {"api", "config_type", "on_request", "lifespan"} <= members(Filter).keys()
    assert not any(name.startswith("_") for name in members(Filter))
