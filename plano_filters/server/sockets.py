"""Binding the addresses a gateway listens on, with errors that say what to do."""

from __future__ import annotations

import errno
import ipaddress
import resource
import socket
import ssl
from contextlib import suppress
from typing import Final

from plano_filters.config import Loaded
from plano_filters.config.document import Listener
from plano_filters.transport import trust

SPARE_FILES: Final = 48
"""File descriptors for what is neither a client nor a provider: files, sockets of exporters."""
MOST_CONNECTIONS: Final = 100_000
ADMIN_REMEDY: Final = "give --admin HOST:PORT, or --admin off"


class BindError(Exception):
    """An address cannot be listened on."""


def bind(host: str, port: int, what: str, remedy: str) -> socket.socket:
    """Return a socket bound to an address; port 0 takes a free one.

    Args:
        host: Address or name.
        port: Port.
        what: For the error: who wants to listen.
        remedy: For the error: how to listen elsewhere.

    Raises:
        BindError: The address is taken, or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"failed: {error.strerror}"
        raise BindError(f"{what}: {host}:{port} {reason}; {remedy}") from None
    made.setblocking(False)
    return made


def bind_listeners(listeners: tuple[Listener, ...]) -> list[tuple[Listener, socket.socket]]:
    """Bind every listener of a document.

    Raises:
        BindError: One of them cannot be bound; the others are closed again.
    """
    bound: list[tuple[Listener, socket.socket]] = []
    try:
        for listener in listeners:
            what = f'listener "{listener.name}"'
            remedy = "change `port` of the listener, or give --port"
            bound.append((listener, bind(listener.address, listener.port, what, remedy)))
    except BindError:
        for _, one in bound:
            one.close()
        raise
    return bound


def admin_address(place: str) -> tuple[str, int]:
    """Read `host:port`; without a host it is loopback.

    Raises:
        BindError: The text is no address.
    """
    host, colon, port = place.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise BindError(f"admin listener: {place} is no address; {ADMIN_REMEDY}")
    return host.strip("[]") or "127.0.0.1", int(port)


def bind_admin(place: str) -> socket.socket:
    """Bind the admin listener to `host:port`.

    Raises:
        BindError: The text is no address, or the address cannot be bound.
    """
    return bind(*admin_address(place), "admin listener", ADMIN_REMEDY)


def check_tls(loaded: Loaded) -> None:
    """Check the files that TLS needs, for clients and towards providers.

    Raises:
        ConfigError: With every certificate, key or bundle that cannot be used.
    """
    bundle = loaded.document.overrides.upstream_tls_ca_path
    try:
        trust(bundle)
    except OSError as error:  # ssl.SSLError is one
        loaded.report.error(
            ("overrides", "upstream_tls_ca_path"),
            f"the CA bundle {bundle} cannot be used: {error.strerror or error}",
        )
    for index, listener in enumerate(loaded.document.listeners):
        if listener.tls is None:
            continue
        try:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(listener.tls.cert, listener.tls.key)
        except OSError as error:
            loaded.report.error(
                ("listeners", index, "tls"),
                f'the certificate of listener "{listener.name}" cannot be used: '
                f"{error.strerror or error}",
            )
    loaded.report.raise_errors()


def is_loopback(listening: socket.socket) -> bool:
    """Say whether only this machine can reach a socket."""
    return ipaddress.ip_address(listening.getsockname()[0]).is_loopback


def url_of(listening: socket.socket, *, tls: bool = False) -> str:
    """Return the URL that a socket is reached at from this machine."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - not bound here
    return f"{'https' if tls else 'http'}://{host}:{port}"


def raise_file_limit() -> None:
    """Allow as many sockets as the system lets us: a stream takes two."""
    with suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connection_limit() -> int:
    """Return how many clients may be connected: half of the file descriptors, but for a few.

    The other half is for the connections towards providers.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        MOST_CONNECTIONS if soft < 0 else max(8, min(MOST_CONNECTIONS, (soft - SPARE_FILES) // 2))
    )
