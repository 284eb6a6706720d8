"""Binding addresses, and saying what to do when that fails."""

from __future__ import annotations

import resource
import socket
from pathlib import Path

import pytest

from plano_filters.config import Listener, load_text
from plano_filters.errors import ConfigError
from plano_filters.server.sockets import (
    BindError,
    bind,
    bind_admin,
    bind_listeners,
    check_tls,
    connection_limit,
    is_loopback,
    url_of,
)
from tests.framework.server.certificate import self_signed


def listener(port: int, name: str = "egress") -> Listener:
    return Listener(name=name, address="127.0.0.1", port=port)


def test_port_0_takes_a_free_port() -> None:
    """The URL has the port that the system chose."""
    with bind("127.0.0.1", 0, "test", "") as bound:
        assert url_of(bound) == f"http://127.0.0.1:{bound.getsockname()[1]}"
        assert url_of(bound, tls=True).startswith("https://")


def test_a_taken_port_names_the_listener_and_the_remedy() -> None:
    """The error says who wanted which address and how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BindError) as failed:
            bind_listeners((listener(0, "first"), listener(port, "second")))

    assert str(failed.value) == (
        f'listener "second": 127.0.0.1:{port} is taken; '
        "change `port` of the listener, or give --port"
    )


def test_a_taken_admin_port_says_how_to_move_it() -> None:
    """The admin listener's error names its own option."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(BindError, match=r"admin listener: .* is taken; give --admin HOST:PORT"),
    ):
        bind_admin(f"127.0.0.1:{taken.getsockname()[1]}")


@pytest.mark.parametrize("place", ["9901", "here:port", "127.0.0.1:", "127.0.0.1:70000"])
def test_an_admin_address_must_be_one(place: str) -> None:
    """What is not `host:port` is said not to be an address."""
    with pytest.raises(BindError, match="is no address"):
        bind_admin(place)


def test_a_foreign_address_is_told_apart_from_a_taken_one() -> None:
    """The reason is the system's own words."""
    with pytest.raises(BindError, match="failed"):
        bind("192.0.2.1", 0, "test", "")


@pytest.mark.parametrize(("host", "loopback"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_loopback_is_told_apart(host: str, loopback: bool) -> None:
    """Only an address that others cannot reach counts."""
    with bind(host, 0, "test", "") as bound:
        assert is_loopback(bound) is loopback


def test_a_certificate_is_checked_before_anything_listens(tmp_path: Path) -> None:
    """A missing or wrong certificate is a problem of the document, at its line."""
    cert, _ = self_signed(tmp_path)
    text = """
listeners:
  - {type: model, name: one, port: 0, tls: {cert: %s, key: missing.pem}}
model_providers: [{model: mock/fast, default: true}]
"""
    loaded = load_text("version: v0.4.0" + text % cert, name="plano.yaml")

    with pytest.raises(ConfigError) as failed:
        check_tls(loaded)

    assert 'the certificate of listener "one" cannot be used' in str(failed.value)
    assert "plano.yaml:3" in str(failed.value)


def test_a_ca_bundle_is_checked_before_anything_listens(tmp_path: Path) -> None:
    """A bundle that is not there would make every provider unreachable."""
    text = """version: v0.4.0
model_providers: [{model: mock/fast, default: true}]
overrides: {upstream_tls_ca_path: %s}
"""
    loaded = load_text(text % (tmp_path / "missing.pem"), name="plano.yaml")

    with pytest.raises(ConfigError, match=r"the CA bundle .* cannot be used") as failed:
        check_tls(loaded)

    assert "plano.yaml:3" in str(failed.value)


def test_clients_get_half_of_the_files() -> None:
    """The other half is for providers; however few there are, somebody is served."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1048, hard))
        assert connection_limit() == 500
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
