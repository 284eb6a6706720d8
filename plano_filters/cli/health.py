"""`health`: asking a running gateway whether it serves."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from typing import Annotated, Final

import typer

from plano_filters.cli.app import app
from plano_filters.cli.serve import DEFAULT_ADMIN, Json, as_json
from plano_filters.server.sockets import BindError, admin_address

SECONDS: Final = 3.0
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked, not bound


@app.command()
def health(
    url: Annotated[str, typer.Argument(help="What to ask.")] = "", json: Json = False
) -> None:
    """Ask a running gateway whether it is ready; exit status 0 or 1."""
    place = os.environ.get("METRICS_BIND_ADDRESS") or DEFAULT_ADMIN
    try:
        target = url or readiness_url(place)
        ready, answer = _ask(target)
    except (BindError, OSError, ValueError) as error:
        print(f"{url or place}: {error}", file=sys.stderr)  # noqa: T201
        if json:
            print(as_json({"status": "unreachable", "error": str(error)}))  # noqa: T201
        raise typer.Exit(1) from None
    if ready or json:
        print(answer)  # noqa: T201
    if not ready:
        print(f"{target}: not ready: {answer}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(1)


def readiness_url(place: str) -> str:
    """Return where this machine asks an admin listener that was bound to `host:port`.

    Raises:
        BindError: The text is no address.
    """
    host, port = admin_address(place)
    host = _EVERYWHERE.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/readyz"


def _ask(target: str) -> tuple[bool, str]:
    """Ask past every proxy: it could not reach this machine's loopback."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(target, timeout=SECONDS) as answer:
            return True, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return False, refusal.read().decode("utf-8", "replace")
