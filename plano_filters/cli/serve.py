"""`run`: serving; and what the other commands share with it."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from plano_filters.app import check
from plano_filters.cli.app import app
from plano_filters.config import Compat, Loaded, discover, load, zero_config
from plano_filters.errors import ConfigError
from plano_filters.server.options import Options, StartError, at_port
from plano_filters.server.process import serve
from plano_filters.server.sockets import (
    BindError,
    admin_address,
    bind_admin,
    bind_listeners,
    check_tls,
    is_loopback,
)
from plano_filters.server.supervisor import supervise
from plano_filters.server.watch import WATCH_SECONDS
from plano_filters.telemetry.access_log import configure_logging
from plano_filters.telemetry.console import ConsoleReporter

log = logging.getLogger(__name__)

DEFAULT_ADMIN = "127.0.0.1:9901"
DEV_SECONDS = 0.25
"""Between two looks at the files, for somebody who has just saved one."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
File = Annotated[Path | None, typer.Argument(help="The configuration; else config.yaml here.")]
AdminOption = Annotated[
    str | None,
    typer.Option("--admin", metavar="HOST:PORT", help=f"Admin listener; default {DEFAULT_ADMIN}."),
]
CompatOption = Annotated[
    str, typer.Option("--compat", help="strict, or warn to ignore unsupported keys of Plano.")
]


@app.command()
def run(
    file: File = None,
    *,
    admin: AdminOption = None,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Processes that serve.")] = 1,
    watch: Annotated[
        bool, typer.Option("--watch", help="Reload when the file, or a filter's file, changes.")
    ] = False,
    dev: Annotated[
        bool,
        typer.Option("--dev", help="For writing filters: --watch closely, print each request."),
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="N", help="Port of the one listener.")
    ] = None,
    drain_delay: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="SECONDS",
            envvar="PLANO_FILTERS_DRAIN_DELAY",
            help="Seconds between telling /readyz and closing the listeners.",
        ),
    ] = 0.0,
    compat: CompatOption = "strict",
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    log_format: Annotated[
        str | None, typer.Option(help="json or text; default json, with --dev text.")
    ] = None,
) -> None:
    """Serve the gateway in the foreground until SIGTERM or SIGINT."""
    one_of(log_level, ("debug", "info", "warning", "error"), "--log-level")
    log_format = log_format or ("text" if dev else "json")
    one_of(log_format, ("json", "text"), "--log-format")
    if dev and workers > 1:
        raise typer.BadParameter("serves in one process", param_hint="--dev")
    configure_logging(log_level, as_json=log_format == "json", access=not dev)
    loaded, path = read(file, compat)
    loaded = with_port(loaded, port)
    options = Options(
        path=path,
        compat=compat_of(compat),
        port=port,
        watch=DEV_SECONDS if dev else WATCH_SECONDS if watch else None,
        drain_delay=drain_delay,
        log_level=log_level,
        log_format=log_format,
        observers=[ConsoleReporter()] if dev else (),
    )
    start(loaded, admin, options, workers=workers)


def read(file: Path | None, compat: str) -> tuple[Loaded, Path | None]:
    """Load the document that was asked for, or was found, or none at all."""
    path = discover(file)
    loaded = load(path, compat=compat_of(compat)) if path else zero_config(os.environ)
    for warning in loaded.report.sorted(loaded.report.warnings):
        print(warning.render(), file=sys.stderr)  # noqa: T201
    return loaded, path


def compat_of(text: str) -> Compat:
    """Check the value of `--compat`."""
    one_of(text, ("strict", "warn"), "--compat")
    return "warn" if text == "warn" else "strict"


def one_of(text: str, allowed: Sequence[str], option: str) -> None:
    """Check an option that takes one of a few words.

    Raises:
        typer.BadParameter: It is none of them.
    """
    if text not in allowed:
        raise typer.BadParameter(f"must be one of {', '.join(allowed)}", param_hint=option)


def with_port(loaded: Loaded, port: int | None) -> Loaded:
    """Move the one listener of a document to another port."""
    if port is not None and len(loaded.document.listeners) != 1:
        raise typer.BadParameter("there are several listeners", param_hint="--port")
    return at_port(loaded, port)


def start(loaded: Loaded, admin: str | None, options: Options, *, workers: int = 1) -> None:
    """Check, bind and serve. Exit status 2 for a wrong document, 1 for a start that failed."""
    check(loaded)
    check_tls(loaded)
    place = admin or os.environ.get("METRICS_BIND_ADDRESS") or DEFAULT_ADMIN
    try:
        if place != "off":
            admin_address(place)
    except BindError as error:
        raise typer.BadParameter(str(error), param_hint="--admin") from None
    try:
        sockets = bind_listeners(loaded.document.listeners)
        bound = bind_admin(place) if place != "off" else None
        if bound is not None and not is_loopback(bound):
            log.warning("the admin listener is not on loopback: %s", place)
        if workers > 1:
            storage = loaded.document.state_storage
            if storage is not None and storage.type == "memory":
                log.warning(
                    "state_storage is memory, and each of %d workers has its own: a response can be"
                    " continued by chance only; use type redis",
                    workers,
                )
            supervise(loaded, sockets, bound, options, workers)
        else:
            serve(loaded, sockets, bound, options)
    except (BindError, StartError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(1) from None


def as_json(value: Any) -> str:
    """Write what `--json` prints."""
    return json.dumps(value, indent=2, ensure_ascii=False)


__all__ = ["ConfigError", "as_json", "check", "compat_of", "read", "start", "with_port"]
