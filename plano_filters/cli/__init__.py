"""The command line. Each module holds one group of commands; see `plano-filters --help`."""

from __future__ import annotations

import sys

from plano_filters.cli import (  # noqa: F401 - registers the commands
    bench,
    cases,
    config,
    explain,
    filters,
    graph,
    health,
    scaffold,
    serve,
    start,
)
from plano_filters.cli.app import app
from plano_filters.errors import ConfigError


def main() -> None:
    """Run the command line. Exit code 2 for a wrong configuration or wrong usage."""
    try:
        app()
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command line's own output
        raise SystemExit(2) from None
