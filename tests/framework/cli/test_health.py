"""`health`: whom it asks, and what it says of the answer."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest

from plano_filters.cli.health import readiness_url
from tests.framework.server.running import running
from tests.support.commands import plano_filters


async def test_health_asks_a_running_gateway(tmp_path: Path) -> None:
    """It answers 0 for a gateway that is ready; a container engine needs no curl."""
    async with running(tmp_path) as gateway:
        done = plano_filters("health", f"{gateway.admin}/readyz")
        place = gateway.admin.removeprefix("http://")
        found = plano_filters("health", env={"METRICS_BIND_ADDRESS": place})

    assert (done.returncode, found.returncode) == (0, 0)
    assert '"ready"' in done.stdout


async def test_health_goes_past_a_proxy(tmp_path: Path) -> None:
    """A proxy is for the world outside; it cannot reach this machine's loopback."""
    async with running(tmp_path) as gateway:
        env = {"http_proxy": "http://127.0.0.1:1", "no_proxy": ""}
        done = plano_filters("health", f"{gateway.admin}/readyz", env=env)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("127.0.0.1:9901", "http://127.0.0.1:9901/readyz"),
        (":9901", "http://127.0.0.1:9901/readyz"),
        ("0.0.0.0:9901", "http://127.0.0.1:9901/readyz"),
        ("[::]:9901", "http://[::1]:9901/readyz"),
        ("[fd00::1]:9901", "http://[fd00::1]:9901/readyz"),
        ("10.0.0.0:9901", "http://10.0.0.0:9901/readyz"),
    ],
)
def test_health_asks_where_the_admin_listener_is(place: str, url: str) -> None:
    """By whichever address this machine reaches what was bound."""
    assert readiness_url(place) == url


@pytest.mark.parametrize("place", ["off", "nonsense"])
def test_health_needs_somebody_to_ask(place: str) -> None:
    """Without an admin listener nobody can be asked."""
    done = plano_filters("health", env={"METRICS_BIND_ADDRESS": place})

    assert done.returncode == 1
    assert place in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_health_tells_when_nobody_answers(option: tuple[str, ...]) -> None:
    """The exit status is 1, the reason on stderr, and for a program on stdout."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = plano_filters("health", f"http://127.0.0.1:{port}/readyz", *option)

    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr
    if option:
        assert json.loads(done.stdout)["status"] == "unreachable"


async def test_health_of_a_gateway_that_is_not_ready_has_its_details(tmp_path: Path) -> None:
    """While it drains, it says so itself."""
    async with running(tmp_path, "--drain-delay", "20") as gateway:
        gateway.signal(signal.SIGTERM)
        done = plano_filters("health", f"{gateway.admin}/readyz", "--json")
        gateway.signal(signal.SIGTERM)

    assert done.returncode == 1
    assert json.loads(done.stdout)["status"] == "draining"
