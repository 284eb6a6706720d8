"""The page about testing filters: its examples run, its tables are complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from plano_filters.testing import conformance, faults

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "testing-filters.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?:python|toml)\n# ([\w.]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_examples_pass(tmp_path: Path) -> None:
    """Saved under their names and run by pytest, warnings as errors, every one passes."""
    for name, text in BLOCK.findall(PAGE):
        (tmp_path / name).write_text(text, encoding="utf-8")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    files = {path.name for path in tmp_path.glob("test_*.py")}
    assert files == {
        "test_one.py", "test_chain.py", "test_faults.py", "test_own_fault.py",
        "test_conformance.py", "test_fixtures.py",
    }  # fmt: skip


def test_every_block_of_python_is_one_of_them() -> None:
    """None stands there untested."""
    assert len(re.findall(r"^```python$", PAGE, re.MULTILINE)) == sum(
        name.endswith(".py") for name, _ in BLOCK.findall(PAGE)
    )


def test_every_check_and_every_fault_is_on_the_page() -> None:
    """By its name."""
    kinds = {str(fault).partition("(")[0] for fault in faults.ZOO}

    assert [name for name in conformance.CHECKS if f"| `{name}` |" not in PAGE] == []
    assert [name for name in kinds if f"`{name}(" not in PAGE] == []


def test_the_extra_has_what_the_page_says() -> None:
    """Pytest and pytest-asyncio, and nothing that the gateway itself depends on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = {re.split(r"[^\w-]", one)[0] for one in project["optional-dependencies"]["testing"]}
    runtime = {re.split(r"[^\w-]", one)[0] for one in project["dependencies"]}

    assert extra == {"pytest", "pytest-asyncio"}
    assert extra.isdisjoint(runtime)
