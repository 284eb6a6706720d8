"""`filters` and `version`: what is installed."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of

import typer

from plano_filters.cli.app import app
from plano_filters.cli.serve import Json, as_json
from plano_filters.registry import Registry


@app.command()
def filters(json: Json = False) -> None:
    """List the installed filters: where they come from, what they need and provide."""
    try:
        found = Registry.from_entry_points().describe()
    except LookupError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(2) from None
    rows = [
        {
            "name": info.name,
            "distribution": info.distribution,
            "version": info.version,
            "summary": info.summary,
            "requires": [fact.__name__ for fact in info.filter.requires],
            "provides": [fact.__name__ for fact in info.filter.provides],
            "config": sorted(info.filter.config_type.model_fields),
        }
        for info in found
    ]
    if json:
        print(as_json(rows))  # noqa: T201
        return
    for row in rows:
        print(f"{row['name']:<14}{row['distribution']} {row['version']}")  # noqa: T201
        print(f"{'':<14}{row['summary']}")  # noqa: T201
        for key in ("requires", "provides"):
            if row[key]:
                print(f"{'':<14}{key} {', '.join(row[key])}")  # noqa: T201


@app.command()
def version(json: Json = False) -> None:
    """Print the version."""
    number = version_of("plano-filters")
    print(as_json({"version": number}) if json else number)  # noqa: T201
