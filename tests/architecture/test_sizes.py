"""Short files, short functions: a limit that says when to split."""

from __future__ import annotations

import ast

from tests.architecture.sources import functions, python_files, shown

FILE_LINES = 300
FUNCTION_LINES = 50
SOURCES = ("plano_filters", "filters", "pytest_plano_filters", "benchmarks", "tools", "examples")


def test_source_files_are_short() -> None:
    """No source file has more than 300 lines."""
    lengths = {
        shown(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files(*SOURCES)
    }

    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES} == {}


def test_functions_are_short() -> None:
    """No function has more than 50 lines, its docstring and decorators aside."""
    long = {
        f"{shown(path)}:{function.name}": body_lines(function)
        for path in python_files(*SOURCES)
        for function in functions(path)
        if body_lines(function) > FUNCTION_LINES
    }

    assert long == {}


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function without its docstring."""
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring
