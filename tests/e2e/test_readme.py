"""What the pages tell a newcomer to type does what they say.

Blocks run from top to bottom in one directory, against a demo on a free port. A block that begins
with `# name` is saved under that name. `...` stands for anything, durations for any duration.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plano_filters import Registry, compile_chain, load_text
from plano_filters.demo import welcome
from tests.support.demo import demo
from tests.support.gateway import COMMAND, environment

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *sorted(
        str(file.relative_to(ROOT))
        for folder in ("docs", "filters")
        for file in (ROOT / folder).rglob("*.md")
    ),
]
VARIABLE = re.compile(r"\$\{?([A-Z_][A-Z0-9_]*)\b(?!:-)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAVED = re.compile(r"# ([\w.]+\.(?:py|yaml))\n")
SHOWN = "127.0.0.1:12000"
"""Where the pages say that the gateway is."""
KEYS = {
    name: f"example-of-{name}" for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "TEAM_A_KEY")
}
NEVER_RUN = ("pip install",)
PYTHON_TEST = """\
import asyncio, {module}
for name, test in vars({module}).items():
    if name.startswith("test_"):
        asyncio.run(test())
"""


@pytest.mark.parametrize(("page", "keys"), [("README.md", KEYS), ("docs/quickstart.md", {})])
def test_every_block_of_a_page_works(page: str, keys: dict[str, str], tmp_path: Path) -> None:
    """Commands print what is shown, and Python runs."""
    if shutil.which("curl") is None and not os.environ.get("CI"):
        pytest.skip("the pages use curl, and it is not installed")
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    assert blocks
    with demo() as running:
        typed = Page(running.url.removeprefix("http://"), tmp_path, keys)
        for language, text in blocks:
            typed.run(language, text)
    printed = "".join(running.printed)
    for language, text in blocks:
        if language == "text":
            assert_shown(f"...{text}...", printed)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Every relative link of a page is a file of the project."""
    file = ROOT / page
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", file.read_text(encoding="utf-8"))
    missing = [link for link in links if not (file.parent / link).exists()]

    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_configurations_on_pages_are_valid(page: str) -> None:
    """A whole document stands as it is; a part of one stands beside a declared model."""
    for language, text in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        if language == "yaml":
            whole = "model_providers:" in text
            document = text if whole else f"model_providers: [{{model: mock/fast}}]\n{text}"
            names = VARIABLE.findall(text)
            loaded = load_text(document, env={name: f"example-of-{name}" for name in names})
            compile_chain(loaded.document, Registry.from_entry_points(), loaded.report)
            errors = [problem.message for problem in loaded.report.errors]

            # a filter of the reader's own is not installed here, and its file is not there
            own = ("cannot be imported", "cannot read")
            assert [e for e in errors if not any(words in e for words in own)] == []


class Page:
    """The blocks of one page.

    Args:
        place: Host and port of the gateway.
        folder: Where commands run.
        keys: Variables that are set.
    """

    def __init__(self, place: str, folder: Path, keys: dict[str, str]) -> None:
        self._place = place
        self._folder = folder
        self._env = environment({**keys, "PYTHONPATH": str(folder), "CURL_HOME": str(folder)})
        self._env["PATH"] = f"{Path(COMMAND).parent}{os.pathsep}{self._env['PATH']}"
        (folder / ".curlrc").write_text("silent\n", encoding="utf-8")  # as it is on a terminal

    def run(self, language: str, text: str) -> None:
        """Run one block."""
        saved = SAVED.match(text)
        if saved:
            (self._folder / saved[1]).write_text(text, encoding="utf-8")
        if language == "python":
            self._python(text, saved[1] if saved else "")
        elif language == "console":
            for command, shown in commands(text):
                self._console(command, shown)

    def _python(self, text: str, name: str) -> None:
        code = text.replace(SHOWN, self._place)
        if name.startswith("test_"):
            code = PYTHON_TEST.format(module=name.removesuffix(".py"))
        self._call([sys.executable, "-c", code], check=True)

    def _console(self, command: str, shown: str) -> None:
        if command.startswith("make "):
            target = command.split()[1]
            assert f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
            if target == "demo":
                assert_shown(shown, welcome(f"http://{SHOWN}", None))
        elif not command.startswith(NEVER_RUN):
            here = command.replace(SHOWN, self._place)
            assert_shown(shown, self._call(["bash", "-c", here]))

    def _call(self, arguments: list[str], *, check: bool = False) -> str:
        done = subprocess.run(
            arguments,
            cwd=self._folder,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stdout
        return done.stdout


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a console block, each with what it is said to print."""
    lines = text.splitlines()
    while lines:
        command = lines.pop(0).removeprefix("$ ")
        while incomplete(command):
            command += "\n" + lines.pop(0)
        shown: list[str] = []
        while lines and not lines[0].startswith("$ "):
            shown.append(lines.pop(0))
        yield command, "\n".join(shown)


def incomplete(command: str) -> bool:
    """Say whether a shell would wait for more."""
    try:
        shlex.split(command)
    except ValueError:
        return True
    return command.endswith("\\")


def assert_shown(shown: str, printed: str) -> None:
    """Check what was printed against what a page shows; a page that shows nothing is content."""
    if not shown:
        return
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    matches = doctest.OutputChecker().check_output(measured(shown), measured(printed), flags)
    assert matches, f"shown:\n{shown}\nprinted:\n{printed}"


def measured(text: str) -> str:
    """Replace every duration by the same one."""
    return re.sub(r"\d+(\.\d+)?(e-\d+)? (ms|s)\b", "1 s", text) + "\n"
