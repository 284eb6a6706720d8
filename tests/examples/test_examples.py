"""The examples, each installed as a distribution of its own, pass their tests and serve."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.commands import plano_filters
from tests.support.distributions import install, installed_env
from tests.support.surface import MODULES, public

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/pyproject.toml"))


@pytest.fixture(scope="module", params=NAMES)
def example(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str]]:
    """Install an example; returns its folder, and the variables that make it visible."""
    source = EXAMPLES / request.param
    return source, installed_env(install(source, tmp_path_factory.mktemp(request.param)))


def test_there_are_three() -> None:
    """Each in a folder of the filter's name."""
    assert NAMES == ["ab_split", "pii_redact", "prompt_cache"]


def test_its_own_tests_pass(example: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """Conformance among them, in a folder without its source: what is tested is what is built."""
    source, env = example
    shutil.copytree(
        source / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(source / "pyproject.toml", tmp_path)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path, env={**inherited, **env},
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    tests = "\n".join(path.read_text(encoding="utf-8") for path in source.glob("tests/*.py"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
    assert "conformance.tests(" in tests


def test_it_uses_only_public_names(example: tuple[Path, dict[str, str]]) -> None:
    """Of the framework, source and tests import what stands in an `__all__`."""
    source, _ = example
    private = [
        f"{path.name}: {node.module}.{alias.name}"
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "plano_filters"
        for alias in node.names
        if node.module not in MODULES or alias.name not in public(node.module)
    ]

    assert private == []


def test_its_chain_is_valid(example: tuple[Path, dict[str, str]]) -> None:
    """The example configuration compiles, with the filter in it."""
    source, env = example
    done = plano_filters("validate", str(source / "chain.yaml"), env=env)

    assert done.returncode == 0, done.stderr
    assert source.name in done.stdout


def test_it_is_listed(example: tuple[Path, dict[str, str]]) -> None:
    """Under its name, with its distribution, and a description of every option."""
    source, env = example
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = json.loads(plano_filters("filters", "--json", env=env).stdout)
    row = next(row for row in listed if row["name"] == source.name)
    page = (source / "README.md").read_text(encoding="utf-8")

    assert (row["distribution"], row["version"]) == (project["name"], project["version"])
    assert [option for option in row["config"] if f"| `{option}` |" not in page] == []
