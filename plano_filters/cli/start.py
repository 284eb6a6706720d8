"""`demo` and `init`: a first answer without a key, and a first configuration."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from plano_filters import demo as demonstration
from plano_filters.cli.app import app
from plano_filters.cli.initial import initial_document
from plano_filters.cli.serve import start, with_port
from plano_filters.config import load_text
from plano_filters.config.env import read_dotenv
from plano_filters.server.process import Options
from plano_filters.telemetry.access_log import configure_logging
from plano_filters.telemetry.console import ConsoleReporter


@app.command()
def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0: any.")] = 12000,
    admin: Annotated[
        str | None,
        typer.Option("--admin", metavar="HOST:PORT", help="Admin listener; default any free port."),
    ] = None,
    printed: Annotated[
        bool, typer.Option("--print", help="Print its configuration, and serve nothing.")
    ] = False,
) -> None:
    """Serve a gateway with made-up models, and print the way of each request."""
    if printed:
        print(demonstration.DOCUMENT, end="")  # noqa: T201
        return
    configure_logging("warning", as_json=False, access=False)
    loaded = with_port(load_text(demonstration.DOCUMENT, name="<demo>", env={}), port)
    options = Options(
        observers=[ConsoleReporter()],
        on_ready=lambda urls, place: _welcome(urls[0], place),
    )
    # A free port by default: a first try must not fail on what else runs on this machine.
    start(loaded, admin or os.environ.get("METRICS_BIND_ADDRESS") or "127.0.0.1:0", options)


def _welcome(url: str, admin: str | None) -> None:
    # `make demo` calls the command by its path, and then no shell finds it by its name.
    known = shutil.which("plano-filters") is not None
    command = "plano-filters" if known else shlex.quote(sys.argv[0])
    print(demonstration.welcome(url, admin, command), flush=True)  # noqa: T201


@app.command()
def init(
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = Path(
        "plano_config.yaml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Write over a file.")] = False,
) -> None:
    """Write a configuration for the providers whose keys are in the environment."""
    if out.exists() and not force:
        print(f"error: {out} is there already; --force writes over it", file=sys.stderr)  # noqa: T201
        raise typer.Exit(2)
    variables = {**read_dotenv(out.parent / ".env"), **os.environ}
    text = initial_document({name for name, value in variables.items() if value})
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"error: cannot write {out}: {error.strerror}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(2) from None
    print(f"wrote {out}; serve it with: plano-filters run {out}")  # noqa: T201
