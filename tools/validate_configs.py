"""Validate every example configuration, with made-up values for its variables.

A file that needs `--compat warn` says so in its first line.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from plano_filters import ConfigError, Registry, compile_chain, load
from plano_filters.config import Compat

CONFIGS = Path(__file__).parent.parent / "configs"
WITHOUT_DEFAULT = re.compile(r"\$\{?([A-Z_][A-Z0-9_]*)\b(?!:-)")


def problem_of(file: Path) -> str:
    """Return what is wrong with a configuration; empty if nothing is."""
    text = file.read_text(encoding="utf-8")
    values = {name: f"example-of-{name}" for name in WITHOUT_DEFAULT.findall(text)}
    compat: Compat = "warn" if "--compat warn" in text.partition("\n")[0] else "strict"
    try:
        loaded = load(file, env=values, compat=compat)
        compile_chain(loaded.document, Registry.from_entry_points(), loaded.report)
        loaded.report.raise_errors()
    except ConfigError as error:
        return str(error)
    return ""


def main() -> int:
    """Print each wrong configuration; return the exit status."""
    files = sorted(CONFIGS.rglob("*.yaml"))
    problems = [text for file in files if (text := problem_of(file))]
    count = f"{len(files) - len(problems)} of {len(files)} example configurations are valid"
    print("\n".join([*problems, count]))  # noqa: T201 - its purpose
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
