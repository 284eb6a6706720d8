"""Validate every example configuration, with made-up values for its variables."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from plano_filters import ConfigError, Registry, compile_chain, load

CONFIGS = Path(__file__).parent.parent / "configs"
VARIABLE = re.compile(r"\$\{?([A-Z_][A-Z0-9_]*)")


def problem_of(file: Path) -> str:
    """Return what is wrong with a configuration; empty if nothing is."""
    names = VARIABLE.findall(file.read_text(encoding="utf-8"))
    try:
        loaded = load(file, env={name: f"example-of-{name}" for name in names})
        compile_chain(loaded.document, Registry.from_entry_points(), loaded.report)
        loaded.report.raise_errors()
    except ConfigError as error:
        return str(error)
    return ""


def main() -> int:
    """Print each wrong configuration; return the exit status."""
    files = sorted(CONFIGS.rglob("*.yaml"))
    problems = [text for file in files if (text := problem_of(file))]
    print("\n".join([*problems, f"{len(files) - len(problems)} of {len(files)} configs are valid"]))  # noqa: T201
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
