"""`run`: what stops a start, and with which exit status."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.framework.server.running import TEXT, running
from tests.support.commands import plano_filters


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Write a configuration that is right."""
    path = tmp_path / "plano.yaml"
    path.write_text(TEXT)
    return path


def test_a_wrong_file_ends_with_2_before_anything_listens(tmp_path: Path) -> None:
    """Every problem is on stderr, with its place; a taken port is not even noticed."""
    path = tmp_path / "plano.yaml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path.write_text(TEXT.replace("port: 0", f"prot: 1, port: {port}") + "filters: [upstraem]\n")
        done = plano_filters("run", str(path))

    assert done.returncode == 2
    assert 'unknown key "prot"' in done.stderr
    assert "upstraem" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_missing_file_ends_with_2(tmp_path: Path) -> None:
    """It is the caller's mistake, as any other of the configuration."""
    done = plano_filters("run", str(tmp_path / "nothing.yaml"))

    assert done.returncode == 2
    assert "nothing.yaml" in done.stderr


def test_a_taken_port_ends_with_1(config: Path) -> None:
    """The error names the listener and how to move it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = plano_filters("run", str(config), "--port", port, "--admin", "off")

    assert done.returncode == 1
    assert f'error: listener "egress": 127.0.0.1:{port} is taken' in done.stderr


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_taken_admin_port_ends_with_1(config: Path, by_variable: bool) -> None:
    """Wherever its address came from, the error says which option moves it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        if by_variable:
            done = plano_filters("run", str(config), env={"METRICS_BIND_ADDRESS": place})
        else:
            done = plano_filters("run", str(config), "--admin", place)

    assert done.returncode == 1
    assert f"admin listener: {place} is taken; give --admin HOST:PORT" in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_filter_that_does_not_start_ends_with_1(tmp_path: Path, workers: str) -> None:
    """The gateway does not serve half a chain; the reason is on stderr without a traceback."""
    (tmp_path / "broken_start.py").write_text(BROKEN)
    path = tmp_path / "plano.yaml"
    path.write_text(TEXT + 'filters: ["broken_start:Broken", alias, upstream]\n')
    arguments = ("run", str(path), "--admin", "off", "--workers", workers)
    done = plano_filters(*arguments, env={"PYTHONPATH": str(tmp_path)})

    assert done.returncode == 1
    assert "cannot start: the model file is gone" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("workers", "told"), [("1", False), ("2", True)])
def test_workers_that_share_no_conversations_are_told(
    tmp_path: Path, workers: str, told: bool
) -> None:
    """A turn reaches one worker, the next turn another, which does not know of it."""
    (tmp_path / "broken_start.py").write_text(BROKEN)
    path = tmp_path / "plano.yaml"
    chain = 'filters: ["broken_start:Broken", alias, conversation_state, upstream]\n'
    path.write_text(f"{TEXT}state_storage: {{type: memory}}\n{chain}")
    arguments = ("run", str(path), "--admin", "off", "--workers", workers)
    done = plano_filters(*arguments, env={"PYTHONPATH": str(tmp_path)})

    assert ("each of 2 workers has its own" in done.stderr + done.stdout) is told


@pytest.mark.parametrize(
    "arguments",
    [
        ("--compat", "perhaps"),
        ("--workers", "0"),
        ("--drain-delay", "-1"),
        ("--log-level", "loud"),
        ("--log-format", "xml"),
        ("--admin", "nonsense"),
    ],
)
def test_wrong_usage_ends_with_2(config: Path, arguments: tuple[str, str]) -> None:
    """A value that cannot be is refused with the option's name."""
    done = plano_filters("run", str(config), *arguments)

    assert done.returncode == 2
    assert arguments[0] in done.stderr


def test_one_port_cannot_be_given_to_several_listeners(tmp_path: Path) -> None:
    """Which of them would it be?"""
    path = tmp_path / "plano.yaml"
    second = "{type: model, name: second, address: 127.0.0.1, port: 1}"
    path.write_text(TEXT.replace("port: 0}", f"port: 0}}, {second}"))
    done = plano_filters("run", str(path), "--port", "0")

    assert done.returncode == 2
    assert "several listeners" in done.stderr


async def test_an_open_admin_listener_is_warned_of(tmp_path: Path) -> None:
    """It is allowed, but nobody should do it without knowing."""
    async with running(tmp_path, "--admin", "0.0.0.0:0") as gateway:
        await gateway.logged("the admin listener is not on loopback")


BROKEN = """
from contextlib import asynccontextmanager
from plano_filters import Filter, FilterConfig

class Broken(Filter[FilterConfig]):
    @asynccontextmanager
    async def lifespan(self):
        raise OSError("the model file is gone")
        yield
"""
