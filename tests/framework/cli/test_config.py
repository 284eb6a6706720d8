"""`validate`, `show`, `schema` and `migrate`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

import plano_filters.cli  # noqa: F401 - registers the commands
from plano_filters.cli.app import app
from plano_filters.errors import ConfigError

CHAIN = "alias -> affinity -> classify -> rerank -> upstream"
GOOD = """\
version: v0.4.0
model_providers:
  - {model: openai/gpt-4o, access_key: $OPENAI_API_KEY, default: true}
"""
BAD = """\
version: v0.4.0
model_providers:
  - {model: openai/gpt-4o, access_key: topsecret, defualt: true}
filters:
  - alias: {fallbak: []}
  - upstream: {attempts: 99}
  - alais
"""
OLD = """\
version: v0.3.0
llm_providers: # ours
  - {model: openai/gpt-4o}
"""
ENV = {"OPENAI_API_KEY": "a-key"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plano.yaml"


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(part) for part in arguments], env=ENV)


def test_a_right_file_is_ok(file: Path) -> None:
    """The chain is printed, and the status is 0."""
    file.write_text(GOOD)

    result = call("validate", file)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"ok: {CHAIN}\n"


def test_a_wrong_file_has_all_its_errors_at_once(file: Path) -> None:
    """Those of the document, of the filters' configs and of the chain, in the order of the file."""
    file.write_text(BAD)

    result = call("validate", file)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "topsecret" not in result.stderr
    assert [line for line in result.stderr.splitlines() if "-->" in line] == [
        f"  --> {file}:{place}" for place in ("3:51", "5:13", "6:26", "7:5")
    ]
    assert 'did you mean "default"?' in result.stderr
    assert 'did you mean "fallback"?' in result.stderr
    assert "filters[1].config.attempts must be at most 10" in result.stderr
    assert 'no filter "alais" is installed' in result.stderr
    assert result.stderr.endswith("4 errors\n")


def test_a_certificate_that_is_not_there_is_told(file: Path) -> None:
    """What `run` refuses is refused here, beside everything else that is wrong."""
    listener = "listeners: [{name: a, tls: {cert: nothing.pem, key: nothing.pem}}]\n"
    file.write_text(GOOD.replace("model_providers", "llm_providers") + listener)

    result = call("validate", file)

    assert result.exit_code == 2
    assert 'the certificate of listener "a" cannot be used: No such file' in result.stderr
    assert "llm_providers is deprecated" in result.stderr


def test_problems_as_json(file: Path) -> None:
    """For editors and scripts; the status is the same."""
    file.write_text(BAD)

    result = call("validate", file, "--json")

    told = json.loads(result.stdout)
    assert result.exit_code == 2
    assert (told["ok"], told["chain"]) == (False, None)
    assert [problem["line"] for problem in told["problems"]] == [3, 5, 6, 7]
    assert told["problems"][0]["hint"] == 'did you mean "default"?'

    file.write_text(GOOD)
    assert json.loads(call("validate", file, "--json").stdout) == {
        "ok": True,
        "chain": CHAIN,
        "problems": [],
    }


def test_a_syntax_error_is_told_like_any_other(file: Path) -> None:
    """With place and status, also as JSON."""
    file.write_text("a: [1\nb: 2\n")

    assert call("validate", file).exit_code == 2
    told = json.loads(call("validate", file, "--json").stdout)
    assert told["problems"][0]["line"] == 2


def test_the_order_of_the_chain_is_checked(file: Path) -> None:
    """A filter that needs what a later one provides is told which line to move."""
    file.write_text(GOOD + "filters: [upstream, alias]\n")

    result = call("validate", file)

    assert result.exit_code == 2
    assert 'move "alias" above "upstream"' in result.stderr


def test_unsupported_keys_can_be_ignored(file: Path) -> None:
    """`--compat warn` turns the error into a warning."""
    file.write_text(GOOD + "agents: [{id: a, url: 'http://a'}]\n")

    assert call("validate", file).exit_code == 2
    result = call("validate", file, "--compat", "warn")
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: agents are not supported: ignored")


def test_nothing_is_needed_where_there_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then every known provider is there; a file of the usual name is found."""
    monkeypatch.chdir(tmp_path)
    assert call("validate").stdout == f"ok: {CHAIN}\n"

    (tmp_path / "config.yaml").write_text(BAD)
    assert call("validate").exit_code == 2


def test_show_prints_what_is_in_effect(file: Path) -> None:
    """Defaults filled in, keys as references, the chain in front."""
    file.write_text(GOOD)

    result = call("show", file)

    assert result.stdout.startswith(f"# chain: {CHAIN}\n")
    shown = yaml.safe_load(result.stdout)
    assert shown["model_providers"][0]["access_key"] == "$OPENAI_API_KEY"
    assert shown["listeners"][0]["port"] == 12000
    assert "a-key" not in result.stdout
    assert shown["filters"][-1]["config"]["retry_after_cap"] == "2s"
    told = json.loads(call("show", file, "--json").stdout)
    assert (told["chain"], told["document"]) == (CHAIN, shown)


def test_show_tells_warnings_beside(file: Path) -> None:
    """They are on stderr, so that what is shown can be piped."""
    file.write_text(GOOD.replace("model_providers", "llm_providers"))

    result = call("show", file, "--json")

    assert json.loads(result.stdout)["chain"] == CHAIN
    assert "llm_providers is deprecated" in result.stderr


def test_show_does_not_show_a_wrong_file(file: Path) -> None:
    """What would be shown is not what would run."""
    file.write_text(BAD)

    result = call("show", file)

    assert isinstance(result.exception, ConfigError)
    assert result.stdout == ""


def test_schema_knows_the_installed_filters() -> None:
    """Their configs are part of it."""
    schema = json.loads(call("schema").stdout)

    titles = [form.get("title") for form in schema["$defs"]["FilterEntry"]["anyOf"]]
    assert {"alias", "auth", "upstream"} <= set(titles)
    assert json.loads(call("schema", "--json").stdout) == schema  # as the other commands take it


def test_migrate_prints_or_writes(file: Path) -> None:
    """Line ends and comments are kept, the rest of the file as it was; twice changes nothing."""
    file.write_bytes(OLD.replace("\n", "\r\n").encode())
    file.chmod(0o640)
    wanted = OLD.replace("v0.3.0", "v0.4.0").replace("llm_", "model_")

    assert call("migrate", file).stdout.replace("\r\n", "\n") == wanted
    assert "v0.3.0" in file.read_text()

    written = call("migrate", file, "--write")
    assert written.stderr == f"rewrote {file}\n"
    assert file.read_bytes() == wanted.replace("\n", "\r\n").encode()
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert call("migrate", file, "--write").stderr == f"{file} is v0.4.0 already\n"


LOSSY = """\
version: v0.3.0
model_providers:
  - {model: openai/a, routing_preferences: [{name: code, description: writing}]}
  - model: openai/b
    routing_preferences: [{name: code, description: reading}, {name: talk, description: chat}]
routing_preferences: [{name: talk, description: chatting, models: [openai/a]}]
"""


def test_migrate_tells_what_it_leaves_out(file: Path) -> None:
    """Of two descriptions one is kept; whoever wrote the other one is told."""
    file.write_text(LOSSY)

    result = call("migrate", file, "--write")

    assert 'routing preference "code" has another description elsewhere' in result.stderr
    assert 'routing preference "talk" is declared at the top too' in result.stderr
    assert f"{file}:5:" in result.stderr
    assert "deprecated" not in result.stderr
    assert result.stderr.endswith(f"rewrote {file}\n")


@pytest.mark.parametrize("comment", ["", " # ours"])
def test_migrate_tells_that_comments_are_lost(file: Path, comment: str) -> None:
    """A layout that cannot be edited is written anew; that is said if it had any."""
    file.write_text(f"{{version: v0.3.0, listeners: {{egress_traffic: {{port: 1}}}}}}{comment}\n")

    result = call("migrate", file)

    assert yaml.safe_load(result.stdout)["version"] == "v0.4.0"
    assert ("a comment could not be kept" in result.stderr) is bool(comment)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xfa", b"a: ["])
def test_what_cannot_be_migrated_stays(file: Path, content: bytes | None) -> None:
    """A file that is missing or no YAML is an error, not a traceback."""
    if content is not None:
        file.write_bytes(content)

    result = call("migrate", file, "--write")

    assert isinstance(result.exception, ConfigError)
    assert (file.read_bytes() if content is not None else None) == content


def test_the_program_ends_with_2_and_no_traceback(file: Path) -> None:
    """As a shell sees it: status 2, the errors on stderr, nothing on stdout."""
    file.write_text(BAD)
    command = [
        sys.executable,
        "-c",
        "from plano_filters.cli import main; main()",
        "show",
        str(file),
    ]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith('error: unknown key "defualt"')
    assert "Traceback" not in done.stderr
