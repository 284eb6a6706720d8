"""What is public, what is shipped, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import plano_filters
from plano_filters import testing
from tests.architecture.sources import ROOT


def test_the_public_names_are_sorted_and_there() -> None:
    """`__all__` of the package and of its kit is sorted, and every name exists."""
    for module in (plano_filters, testing):
        names = module.__all__

        assert list(names) == sorted(set(names))
        assert [name for name in names if not hasattr(module, name)] == []


@pytest.mark.parametrize(
    "module", ["plano_filters", "plano_filters.app", "plano_filters.cli", "plano_filters.testing"]
)
def test_importing_is_cheap(module: str) -> None:
    """No provider's SDK, no web framework for tests, no OTLP exporter comes with an import."""
    heavy = {"openai", "anthropic", "httpx2", "pytest", "requests", "numpy", "onnxruntime"}
    code = f"import sys, {module}; print(*sorted(set(sys.modules) & {heavy!r}))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.split() == []


def test_the_wheel_holds_its_packages_and_nothing_else(tmp_path: Path) -> None:
    """Built as released: the packages with their data and types, no tests, no `filters`."""
    code = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = zipfile.ZipFile(tmp_path / done.stdout.split()[-1]).namelist()
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}

    assert tops == {"plano_filters", "plano_builtin_filters", "pytest_plano_filters"}
    for needed in (
        "plano_filters/py.typed",
        "plano_builtin_filters/py.typed",
        "plano_filters/models.json",
        "plano_filters/prices/prices.json",
    ):
        assert needed in names
