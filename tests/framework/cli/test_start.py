"""`demo` and `init`."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
from pathlib import Path

import httpx
from typer.testing import CliRunner, Result

import plano_filters.cli  # noqa: F401 - registers the commands
from plano_filters import load
from plano_filters.cli.app import app
from plano_filters.demo import welcome
from tests.support.demo import demo
from tests.support.gateway import COMMAND, environment

HELLO = {"model": "fast-model", "messages": [{"role": "user", "content": "Hello"}]}
KEYS = {"OPENAI_API_KEY": "sk-not-to-be-written", "ANTHROPIC_API_KEY": ""}


def ask(url: str, **headers: str) -> httpx.Response:
    """Ask a demo gateway for a chat completion."""
    given = {"x-mock-delay-ms": "0", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return httpx.post(f"{url}/v1/chat/completions", json=HELLO, headers=given, timeout=20)


def test_the_demo_answers_and_prints_the_way_of_each_request() -> None:
    """Filters, decisions, tries and the model that served are printed for every request."""
    with demo() as running:
        plain = ask(running.url)
        failing = ask(running.url, x_mock_status="429", x_mock_model="fast")
    printed = "".join(running.printed)

    assert "I am fast" in plain.json()["choices"][0]["message"]["content"]
    assert failing.headers["x-plano-model"] == "mock/smart"
    assert failing.headers["x-plano-attempts"] == "3"
    assert "fast-model -> mock/fast" in printed
    assert "mock/fast answered 429" in printed
    assert "served by mock/smart" in printed
    assert running.status == 0


def test_the_welcome_shows_how_a_request_is_explained(tmp_path: Path) -> None:
    """Its commands print the way of a prompt through the demo's own chain, by name or by path."""
    by_name, by_path = welcome("http://x", None), welcome("http://x", None, shlex.quote(COMMAND))
    env = environment({"PATH": f"{Path(COMMAND).parent}{os.pathsep}{os.environ['PATH']}"})
    for text in (by_name, by_path):
        typed = "\n".join(re.findall(r"^  (\S+ (?:demo --print|explain) .*)$", text, re.MULTILINE))
        done = subprocess.run(
            ["bash", "-e", "-c", typed],
            cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip

        assert "would ask  mock/writer" in done.stdout
        assert "route      creative writing" in done.stdout


def test_a_taken_port_is_named_with_the_way_out() -> None:
    """The demo does not start, and says which option moves it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(app, ["demo", "--port", str(port), "--admin", "off"])

    assert result.exit_code == 1
    assert f"127.0.0.1:{port} is taken" in result.stderr
    assert "--port" in result.stderr


def test_init_refers_to_keys_and_never_writes_them(tmp_path: Path) -> None:
    """The file names the variable; an empty variable is no key."""
    result = init(tmp_path / "plano.yaml")
    text = (tmp_path / "plano.yaml").read_text(encoding="utf-8")

    assert result.exit_code == 0
    assert "$OPENAI_API_KEY" in text
    assert "sk-not-to-be-written" not in text
    assert "ANTHROPIC" not in text


def test_init_reads_the_dotenv_beside_the_file(tmp_path: Path) -> None:
    """`run` will read it too, so its keys count."""
    file = tmp_path / "plano.yaml"
    (tmp_path / ".env").write_text("GROQ_API_KEY=gsk-x\n", encoding="utf-8")

    init(file)

    assert "groq/*" in {entry.model for entry in load(file, env=KEYS).document.model_providers}


def test_init_writes_over_a_file_only_when_told_to(tmp_path: Path) -> None:
    """What is there stays, with exit status 2, unless `--force` is given."""
    file = tmp_path / "mine.yaml"
    file.write_text("# mine\n", encoding="utf-8")

    refused = init(file)
    kept = file.read_text(encoding="utf-8")
    forced = init(file, "--force")

    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert kept == "# mine\n"
    assert forced.exit_code == 0
    assert "model_providers" in file.read_text(encoding="utf-8")


def test_init_says_why_it_cannot_write(tmp_path: Path) -> None:
    """A directory that is not there is an error, not a traceback."""
    result = init(tmp_path / "nowhere" / "plano.yaml")

    assert result.exit_code == 2
    assert "cannot write" in result.stderr


def init(file: Path, *options: str) -> Result:
    """Run `init`, with one key that is set and one that is empty."""
    return CliRunner(env=KEYS).invoke(app, ["init", "--out", str(file), *options])
