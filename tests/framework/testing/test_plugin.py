"""The pytest plugin, as strangers' test runs see it: in a process and a folder of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

USES_ALL = """\
import asyncio

import httpx
import pytest


class TestFixtures:
    def test_fake_clock(self, fake_clock):
        asyncio.run(fake_clock.sleep(60))
        assert fake_clock.slept == [60]

    def test_make_exchange(self, make_exchange):
        assert make_exchange({"model": "m"}).request.model == "m"

    @pytest.mark.asyncio
    async def test_gateway_chain(self, gateway_chain, fake_clock):
        async with gateway_chain("- alias\\n- upstream") as chain:
            answer = await chain.chat(headers={"x-mock-status": "429,200"})
        assert answer.status == 200
        assert len(fake_clock.slept) == 1

    @pytest.mark.asyncio
    async def test_mock_provider(self, mock_provider, faults):
        mock_provider.script(faults.status(503))
        async with httpx.AsyncClient(trust_env=False, base_url=mock_provider.base_url) as http:
            statuses = [
                (await http.post("/chat/completions", json={"model": "m"})).status_code
                for _ in range(2)
            ]
        assert statuses == [503, 200]
        assert len(mock_provider.requests) == 2
"""
USES_NOTHING = """\
import sys


def test_nothing():
    loaded = {name.partition(".")[0] for name in sys.modules}
    assert "pytest_plano_filters" in loaded
    assert loaded.isdisjoint({"plano_filters", "plano_builtin_filters", "httpx", "opentelemetry"})
"""

LOOPS = ("-o", "asyncio_default_fixture_loop_scope=function")
"""Pytest-asyncio warns until this is set."""


def run_pytest(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on one file, with warnings as errors and no other plugin than pytest-asyncio."""
    (folder / "test_it.py").write_text(code, encoding="utf-8")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    command += ["-p", "no:hypothesispytest", "-p", "no:anyio", *arguments]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_the_fixtures_are_there_without_an_import(tmp_path: Path, mode: str) -> None:
    """Installed is enough, in both modes of pytest-asyncio, and nothing warns."""
    done = run_pytest(tmp_path, USES_ALL, *LOOPS, "-o", f"asyncio_mode={mode}")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


@pytest.mark.parametrize("arguments", [LOOPS, ("-p", "no:asyncio")], ids=["asyncio", "without"])
def test_a_run_that_uses_nothing_pays_nothing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """The gateway is not even imported."""
    done = run_pytest(tmp_path, USES_NOTHING, *arguments)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_checks_are_tests_with_names(tmp_path: Path) -> None:
    """`conformance.tests` makes one test of each check; a failure says what to do."""
    code = """\
from plano_filters import Filter, FilterConfig
from plano_filters.testing import conformance


class Mute(Filter[FilterConfig]):
    pass


test_conformance = conformance.tests(Mute)
"""
    done = run_pytest(tmp_path, code, *LOOPS)

    assert "test_conformance[says_what_it_does]" in done.stdout
    assert "Mute the docstring of Mute does not begin with a sentence" in done.stdout
    assert "1 failed, 14 passed" in done.stdout
