"""Commands of other distributions: found by entry point, imported when wanted."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import plano_filters.cli  # noqa: F401 - registers the commands
from plano_filters.cli.app import app
from plano_filters.cli.plugins import PluginCommands

COMMANDS = """\
import typer
app = typer.Typer(help="What acme adds.", add_completion=False)

@app.command()
def hello(name: str = "you") -> None:
    print(f"hello {name}")

@app.command()
def bye() -> None:
    print("bye")
"""


class Installed:
    """Makes distributions that look installed."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch

    def add(self, name: str, command: str, source: str) -> None:
        """Install a distribution with one module and one command."""
        place = self._folder / name
        info = place / f"{name}-1.2.dist-info"
        info.mkdir(parents=True)
        module = f"{name}_commands"
        (place / f"{module}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(
            f"[plano_filters.commands]\n{command} = {module}:app\n"
        )
        self._monkeypatch.syspath_prepend(str(place))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    return Installed(tmp_path, monkeypatch)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_a_distribution_adds_commands(installed: Installed) -> None:
    """They are listed with their help, and run under the entry point's name."""
    installed.add("acme", "acme-tools", COMMANDS)

    assert "acme-tools What acme adds." in " ".join(call("--help").stdout.split())
    assert call("acme-tools", "hello", "--name", "there").stdout == "hello there\n"
    assert call("acme-tools", "bye").stdout == "bye\n"


def test_a_command_is_not_imported_for_another(installed: Installed) -> None:
    """A plugin costs nothing until it is called or listed, and breaks nothing."""
    installed.add("lazyacme", "lazyacme", "raise RuntimeError('out of order')")

    result = call("version")

    assert (result.exit_code, result.stderr) == (0, "")
    assert "lazyacme_commands" not in sys.modules


def test_a_broken_command_is_named_where_commands_are_listed(installed: Installed) -> None:
    """On stderr, with its distribution; all others are listed as ever."""
    installed.add("brokenacme", "brokenacme", "import nothing_like_this")

    result = call("--help")

    assert result.exit_code == 0
    assert 'warning: command "brokenacme" of brokenacme 1.2' in result.stderr
    assert "nothing_like_this" in result.stderr
    assert "validate" in result.stdout
    assert "brokenacme (not available)" in " ".join(result.stdout.split())


@pytest.mark.parametrize("arguments", [(), ("hello", "--name", "x"), ("--help",)])
def test_a_broken_command_says_why_when_it_is_called(
    installed: Installed, arguments: tuple[str, ...]
) -> None:
    """With status 2 and one line, whatever is asked of it."""
    installed.add("brokenacme", "broken-one", "raise RuntimeError('out of order')")

    result = call("broken-one", *arguments)

    assert result.exit_code == 2
    assert result.stderr == (
        'error: command "broken-one" of brokenacme 1.2 (brokenacme_commands:app) cannot be'
        " imported: RuntimeError: out of order\n"
    )


def test_what_is_no_typer_is_no_command(installed: Installed) -> None:
    """The reason names the value of the entry point."""
    installed.add("oddacme", "odd", "app = 7")

    result = call("odd")

    assert result.exit_code == 2
    assert "oddacme_commands:app is no typer.Typer" in result.stderr


def test_a_name_claimed_twice_is_nobodys(installed: Installed) -> None:
    """Both distributions are named, and neither command runs."""
    installed.add("firstacme", "twice", COMMANDS)
    installed.add("secondacme", "twice", COMMANDS)

    result = call("twice", "bye")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert 'two distributions provide a command "twice": firstacme 1.2' in result.stderr
    assert "secondacme 1.2" in result.stderr
    assert 'provide a command "twice"' in call("--help").stderr


def test_one_of_our_own_names_cannot_be_taken_quietly(installed: Installed) -> None:
    """Ours does not win by chance, nor does theirs."""
    installed.add("greedyacme", "version", COMMANDS)

    result = call("version")

    assert result.exit_code == 2
    assert "greedyacme 1.2" in result.stderr
    assert f"plano-filters {version('plano-filters')}" in result.stderr
    assert call("--help").stdout.count("version ") == 1


def test_an_unknown_name_is_still_unknown() -> None:
    """It is a usage error, as without plugins."""
    assert call("no-such-command").exit_code == 2
    with pytest.raises(LookupError):
        PluginCommands([]).load("no-such-command")


def test_listing_commands_imports_nothing_heavy() -> None:
    """Help is for people in a hurry: no numpy, no ONNX Runtime, no tokenizers, no torch."""
    heavy = {"numpy", "onnxruntime", "tokenizers", "torch"}
    code = (
        "import sys\n"
        "from plano_filters.cli import main\n"
        "sys.argv = ['plano-filters', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set(sys.modules) & {heavy!r}), file=sys.stderr)\n"
    )
    for arguments in (["--help"], ["routers", "--help"], ["routers", "eval", "--help"]):
        done = subprocess.run(
            [sys.executable, "-I", "-c", code, *arguments],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert "Usage" in done.stdout
        assert done.stderr == "[]\n"
