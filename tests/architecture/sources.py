"""The files of the project, as the architecture tests see them."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
BUILTINS: Final = ROOT / "filters" / "plano_builtin_filters"


@cache
def tracked() -> tuple[Path, ...]:
    """Return the files of the project: what git tracks or would, else what is there."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.splitlines()  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        hidden = (".", "__pycache__", "node_modules", "dist", "build")
        found = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
        listed = [str(p) for p in found if not any(part.startswith(hidden) for part in p.parts)]
    return tuple(path for name in listed if (path := ROOT / name).is_file())


def python_files(*folders: str) -> list[Path]:
    """Return the project's Python files below some top-level folders."""
    return [
        path
        for path in tracked()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders
    ]


def shown(path: Path) -> str:
    """Return a path as the messages write it."""
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return every function of a file, methods and nested ones included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]
