"""Habits that tools do not check."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.architecture.sources import ROOT, functions, python_files, shown, tracked

ROOT_NAMES = {
    ".ci", ".dockerignore", ".editorconfig", ".gitattributes", ".github", ".gitignore",
    "CHANGELOG.md", "CONTRIBUTING.md", "Dockerfile", "LICENSE", "Makefile", "README.md",
    "SECURITY.md", "benchmarks", "configs", "deploy", "docs", "examples", "filters", "mkdocs.yml",
    "plano_filters", "pyproject.toml", "pytest_plano_filters", "tests", "tools",
}  # fmt: skip
MACHINE_PATH = re.compile(r"(?<![\w.\-/{}$:])/(?:work|root|home/\w+|Users/\w+|tmp/v)(?:/|\b(?!\w))")
REGISTRY = re.compile(
    r"(?:--(?:extra-)?index-url|PIP_INDEX_URL|UV_INDEX_URL)[ =]\S*://|"
    r"\b(?:artifactory|nexus|devpi)\.[a-z]"
)
SECRET = re.compile(
    r"\b(?:sk-(?:proj|ant)-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}|ghp_[A-Za-z0-9]{36})"
)


def test_the_root_holds_only_what_belongs_there() -> None:
    """A new name at the root is a decision, not an accident."""
    names = {path.relative_to(ROOT).parts[0] for path in tracked()}

    assert names - ROOT_NAMES == set()


def test_every_test_says_what_is_true() -> None:
    """Each test function has a docstring: the one sentence that it proves."""
    silent = [
        f"{shown(path)}:{function.name}"
        for path in python_files("tests", "examples")
        if path.name.startswith("test_")
        for function in functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]

    assert silent == []


def test_every_public_name_is_documented() -> None:
    """Modules, classes and functions that others may use have a docstring.

    Overridden hooks and protocol methods need none: the base says it.
    """
    sources = python_files("plano_filters", "filters", "examples")

    assert [gap for path in sources for gap in gaps(path)] == []


def gaps(path: Path) -> list[str]:
    """Return what of a file has no docstring and should have one."""
    text = path.read_text(encoding="utf-8")
    if not text.strip():
        return []
    tree = ast.parse(text)
    found = [] if ast.get_docstring(tree) else [shown(path)]
    for node in tree.body:
        kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, kinds) and not node.name.startswith("_"):
            plain_error = isinstance(node, ast.ClassDef) and path.name in ("errors.py", "guards.py")
            if not ast.get_docstring(node) and not plain_error:
                found.append(f"{shown(path)}:{node.name}")
    return found


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    """No absolute paths of a developer's machine, no package index, no secret."""
    found = [
        f"{shown(path)}:{number}: {line.strip()[:120]}"
        for path in tracked()
        if path.suffix not in (".png", ".ico", ".onnx", ".woff2") and path.name != "test_habits.py"
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), 1
        )
        if MACHINE_PATH.search(line) or REGISTRY.search(line) or SECRET.search(line)
    ]

    assert found == []


def test_nothing_waits_by_wait_for() -> None:
    """`asyncio.wait_for` can lose a result or a cancellation; `asyncio.timeout` cannot."""
    sources = python_files("plano_filters", "filters", "tests", "benchmarks", "examples")
    users = [
        shown(path)
        for path in sources
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "asyncio.wait_for"
    ]

    assert users == []


def test_no_test_patches_what_it_could_pass_in() -> None:
    """Fakes are passed in; environment variables and folders may be changed."""
    allowed = {"setenv", "delenv", "chdir", "syspath_prepend"}
    users = [
        f"{shown(path)}:{node.lineno}"
        for path in python_files("tests", "examples")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value) == "monkeypatch"
        and node.attr not in allowed
    ]

    assert users == []


def test_adrs_are_numbered_and_have_their_parts() -> None:
    """Each decision has a number of its own, a context, a decision and its consequences."""
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(path.name[:4]) for path in records]

    assert numbers == list(range(1, len(records) + 1))
    for path in records:
        text = path.read_text(encoding="utf-8").lower()
        assert all(part in text for part in ("context", "decision", "consequences")), path.name
