"""`test`: the tests that a configuration carries."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from plano_filters.cli.app import app
from plano_filters.cli.serve import CompatOption, File, Json, as_json, compat_of
from plano_filters.config import discover, load
from plano_filters.config.env import names_in, read_dotenv
from plano_filters.telemetry.access_log import configure_logging


@app.command("test")
def run_tests(
    file: File = None,
    *,
    case: Annotated[str, typer.Option("--case", help="Only cases whose names contain this.")] = "",
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML here.")] = None,
    compat: CompatOption = "strict",
    json: Json = False,
) -> None:
    """Run the tests of a configuration, offline. Exit status 1 if one fails, 2 if none can run."""
    from plano_filters.cases.results import as_dict, as_junit, as_text  # noqa: PLC0415
    from plano_filters.cases.run import run_cases  # noqa: PLC0415 - the test kit is not for serving

    configure_logging("error", as_json=False, access=False)
    path = discover(file)
    if path is None:
        raise _stop("there is no configuration here")
    known = {**read_dotenv(path.parent / ".env"), **os.environ}
    text = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    # Providers are played, so a key that is not there is not missed.
    env = {name: f"value-of-{name}" for name in names_in(text)} | known
    loaded = load(path, env=env, compat=compat_of(compat))
    results, coverage = asyncio.run(run_cases(loaded, case))
    if not results:
        raise _stop(f"{path} has no tests" if not case else f'no test has "{case}" in its name')
    print(as_json(as_dict(results, coverage)) if json else as_text(results, coverage))  # noqa: T201
    if junit is not None:
        try:
            junit.write_text(as_junit(results, str(path)), encoding="utf-8")
        except OSError as error:
            raise _stop(f"cannot write {junit}: {error.strerror}") from None
    if not all(result.passed for result in results):
        raise typer.Exit(1)


def _stop(text: str) -> typer.Exit:
    print(f"error: {text}", file=sys.stderr)  # noqa: T201
    return typer.Exit(2)
