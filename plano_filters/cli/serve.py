"""`run` and `health`: serving, and asking whether it serves."""

from __future__ import annotations

import json
import logging
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any

import typer

from plano_filters.cli.app import app
from plano_filters.config import Compat, Loaded, discover, load, zero_config
from plano_filters.errors import ConfigError
from plano_filters.server.process import Options, serve
from plano_filters.server.sockets import BindError, bind_admin, bind_listeners
from plano_filters.telemetry.access_log import configure_logging

DEFAULT_ADMIN = "127.0.0.1:9901"

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
    admin: AdminOption = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that serve.")] = 1,
    watch: Annotated[bool, typer.Option("--watch", help="Reload when the file changes.")] = False,
    port: Annotated[int | None, typer.Option(help="Port of the one listener.")] = None,
    compat: CompatOption = "strict",
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    log_format: Annotated[str, typer.Option(help="json or text.")] = "json",
) -> None:
    """Serve the gateway in the foreground until SIGTERM or SIGINT."""
    configure_logging(log_level, as_json=log_format == "json")
    loaded, path = read(file, compat)
    loaded = with_port(loaded, port)
    options = Options(path=path, compat=compat_of(compat), watch=watch)
    start(loaded, admin, options, workers=workers)


@app.command()
def health(
    url: Annotated[str, typer.Argument(help="What to ask.")] = "",
) -> None:
    """Ask a running gateway whether it is ready; exit status 0 or 1."""
    place = os.environ.get("METRICS_BIND_ADDRESS") or DEFAULT_ADMIN
    target = url or f"http://{place.replace('0.0.0.0', '127.0.0.1')}/readyz"  # noqa: S104
    try:
        with urllib.request.urlopen(target, timeout=3) as answer:  # noqa: S310 - the user's own
            print(answer.read().decode())  # noqa: T201
    except (urllib.error.URLError, OSError, ValueError) as error:
        print(f"{target}: {error}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(1) from None


def read(file: Path | None, compat: str) -> tuple[Loaded, Path | None]:
    """Load the document that was asked for, or was found, or none at all."""
    path = discover(file)
    loaded = load(path, compat=compat_of(compat)) if path else zero_config(os.environ)
    for warning in loaded.report.sorted(loaded.report.warnings):
        print(warning.render(), file=sys.stderr)  # noqa: T201
    return loaded, path


def compat_of(text: str) -> Compat:
    """Check the value of `--compat`."""
    if text == "strict":
        return "strict"
    if text == "warn":
        return "warn"
    raise typer.BadParameter("must be strict or warn", param_hint="--compat")


def with_port(loaded: Loaded, port: int | None) -> Loaded:
    """Move the one listener of a document to another port."""
    if port is None:
        return loaded
    document = loaded.document
    if len(document.listeners) != 1:
        raise typer.BadParameter("there are several listeners", param_hint="--port")
    listener = document.listeners[0].model_copy(update={"port": port})
    changed = document.model_copy(update={"listeners": (listener,)})
    return Loaded(changed, loaded.report, loaded.name, loaded.text)


def start(loaded: Loaded, admin: str | None, options: Options, *, workers: int = 1) -> None:
    """Check, bind and serve. Exit status 2 for a wrong document, 1 for a taken address."""
    place = admin or os.environ.get("METRICS_BIND_ADDRESS") or DEFAULT_ADMIN
    try:
        check(loaded)
        sockets = bind_listeners(loaded.document.listeners)
        bound = bind_admin(place) if place != "off" else None
    except BindError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(1) from None
    if bound is not None and not place.startswith(("127.", "localhost:", "[::1]", ":")):
        logging.getLogger(__name__).warning("the admin listener is not on loopback: %s", place)
    if workers > 1:
        from plano_filters.server.supervisor import supervise  # noqa: PLC0415 - rarely wanted

        raise typer.Exit(supervise(loaded, sockets, bound, options, workers))
    serve(loaded, sockets, bound, options)


def check(loaded: Loaded) -> None:
    """Compile the chain, so that nothing listens when something is wrong.

    Raises:
        ConfigError: With every problem.
    """
    from plano_filters.app import load_middleware  # noqa: PLC0415 - shared with validate
    from plano_filters.compile import compile_chain  # noqa: PLC0415
    from plano_filters.registry import Registry  # noqa: PLC0415

    compile_chain(loaded.document, Registry.from_entry_points(), loaded.report)
    load_middleware(loaded.document, loaded.report)
    loaded.report.raise_errors()


def as_json(value: Any) -> str:
    """Write what `--json` prints."""
    return json.dumps(value, indent=2, ensure_ascii=False)


__all__ = ["ConfigError", "as_json", "check", "compat_of", "read", "start", "with_port"]
