"""A stranger's first filter: begin it, install it, test it, run it, ask it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.gateway import COMMAND, environment, run_gateway

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "writing-filters.md"
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment(env), capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_one_file(tmp_path: Path) -> None:
    """Begun and served by two commands; the first answer has its header."""
    run(COMMAND, "new-filter", "hello", "--local", cwd=tmp_path)
    text = (tmp_path / "hello.yaml").read_text().replace("./hello.py", f"{tmp_path}/hello.py")

    async with run_gateway(text) as gateway, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{gateway.url}/v1/chat/completions", json=HELLO)

    assert answer.status_code == 200
    assert answer.headers["x-hello"] == "hello"


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment of its own that sees what is installed here."""
    folder = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", folder / ".venv", cwd=folder)
    inside = next((folder / ".venv" / "lib").iterdir()) / "site-packages"
    seen = [path for path in sys.path if path.endswith("-packages")]
    seen += [str(ROOT), str(ROOT / "filters")]
    (inside / "outside.pth").write_text("\n".join(seen) + "\n")
    return folder / ".venv" / "bin"


async def test_a_distribution(tmp_path: Path, venv: Path) -> None:
    """Its own tests are green at once, its example is valid, and it is a filter like any other."""
    run(COMMAND, "new-filter", "hello_world", cwd=tmp_path)
    project = tmp_path / "plano-filters-hello-world"
    # --no-deps: plano-filters itself is what is tested here, and not on any index
    run(venv / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
        "--disable-pip-version-check", ".", cwd=project)  # fmt: skip
    printed = run(venv / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    assert re.search(r"\d+ passed", printed)
    assert "failed" not in printed
    installed = {"PYTHONPATH": str(next((venv.parent / "lib").iterdir()) / "site-packages")}
    listed = run(COMMAND, "filters", cwd=project, env=installed)
    assert re.search(r"hello_world\s+plano-filters-hello-world 0\.1\.0", listed)
    text = (project / "chain.yaml").read_text()
    async with (
        run_gateway(text, installed) as gateway,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        answer = await http.post(f"{gateway.url}/v1/chat/completions", json=HELLO)
    assert (answer.status_code, answer.headers["x-hello-world"]) == (200, "hello")


def test_the_figures_on_the_page_are_counted(tmp_path: Path) -> None:
    """Files, lines and commands beside those of other gateways are not claimed, but counted."""
    run(COMMAND, "new-filter", "hello", "--local", cwd=tmp_path)
    code = (tmp_path / "hello.py").read_text().splitlines()
    lines = len([line for line in code if line.strip()])
    page = PAGE.read_text(encoding="utf-8")
    table = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("|")]
    rows = {cells[0].strip(): cells[1].strip() for cells in table}

    assert rows["Files to touch"] == "1 + YAML"
    assert rows["Lines, hello world"] == str(lines)
    assert rows["Commands to the first response"] == "2"
    assert len(list(tmp_path.iterdir())) == 2
