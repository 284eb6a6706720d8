"""The command-line application; the modules beside this one add their commands to it."""

from __future__ import annotations

import typer

from plano_filters.cli.plugins import CommandGroup

app = typer.Typer(
    name="plano-filters",
    cls=CommandGroup,
    help="An LLM gateway assembled from filters in YAML.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
