"""What a transport's exceptions mean."""

from __future__ import annotations

import socket
import ssl

import aiohttp
import httpx
import pytest
from aiohttp.client_reqrep import ConnectionKey

from plano_builtin_filters.upstream.attempt import classify, describe

KEY = ConnectionKey("h", 443, True, True, None, None, None, None)


def caused(error: Exception, cause: Exception) -> Exception:
    """Return an error as the transport raises it: with what aiohttp said as its cause."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (caused(httpx.ConnectError(""), aiohttp.ClientConnectorDNSError(KEY, OSError())), "dns"),
        (caused(httpx.ConnectError(""), socket.gaierror(-2, "unknown")), "dns"),
        (caused(httpx.ConnectError(""), aiohttp.ClientConnectorSSLError(KEY, OSError())), "tls"),
        (caused(httpx.ConnectError(""), ssl.SSLCertVerificationError(1, "expired")), "tls"),
        (caused(httpx.ConnectError(""), aiohttp.ClientConnectorError(KEY, OSError())), "connect"),
        (ConnectionRefusedError(), "connect"),
        (httpx.ConnectError("refused"), "connect"),
        (caused(httpx.TimeoutException(""), aiohttp.ConnectionTimeoutError()), "timeout"),
        (httpx.ReadTimeout(""), "timeout"),
        (TimeoutError(), "timeout"),
        # aiohttp's transport calls every other connection error a connect time-out
        (caused(httpx.ConnectTimeout(""), aiohttp.ServerDisconnectedError()), "reset"),
        (caused(httpx.ConnectTimeout(""), aiohttp.ClientOSError(32, "Broken pipe")), "reset"),
        (caused(httpx.ReadError(""), aiohttp.ClientPayloadError("short")), "reset"),
        (ConnectionResetError(), "reset"),
        (httpx.ReadError(""), "reset"),
        (httpx.RemoteProtocolError(""), "reset"),
        (ValueError(), "reset"),
    ],
)
def test_classify(error: Exception, kind: str) -> None:
    """The cause decides, however the layers above it call the failure."""
    assert classify(error) == kind


def test_describe_names_no_address() -> None:
    """Internal names do not reach clients or logs."""
    error = caused(httpx.ConnectError("10.0.0.1"), ConnectionRefusedError("10.0.0.1:443"))

    assert describe(error) == "refused the connection"
