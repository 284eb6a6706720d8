"""`validate`, `show`, `schema` and `migrate`: what a configuration says. None needs a network."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from plano_filters.app import load_middleware
from plano_filters.chain import Chain
from plano_filters.cli.app import app
from plano_filters.cli.serve import CompatOption, File, Json, as_json, compat_of
from plano_filters.compile import compile_chain
from plano_filters.config import Loaded, Problem, discover, load, zero_config
from plano_filters.config.rewrite import rewrite
from plano_filters.config.schema import document_schema
from plano_filters.config.show import as_yaml, effective
from plano_filters.errors import ConfigError
from plano_filters.registry import Registry
from plano_filters.server.sockets import check_tls


@app.command()
def validate(file: File = None, compat: CompatOption = "strict", json: Json = False) -> None:
    """Check a configuration with the real compiler. Exit status 0 or 2."""
    try:
        loaded, made = compiled(file, compat)
        chain = str(made)
        with suppress(ConfigError):  # what it finds is in the report
            check_tls(loaded)
        errors = loaded.report.sorted(loaded.report.errors)
        warnings = loaded.report.sorted(loaded.report.warnings)
    except ConfigError as error:
        errors = [p for p in error.problems if isinstance(p, Problem)]
        warnings, chain = [], ""
    if json:
        problems = [problem.to_dict() for problem in [*errors, *warnings]]
        print(as_json({"ok": not errors, "chain": chain or None, "problems": problems}))  # noqa: T201
    else:
        for problem in [*errors, *warnings]:
            print(problem.render() + "\n", file=sys.stderr)  # noqa: T201
        if errors:
            count = f"{len(errors)} error{'s' if len(errors) > 1 else ''}"
            print(count, file=sys.stderr)  # noqa: T201
        else:
            print(f"ok: {chain}")  # noqa: T201
    if errors:
        raise typer.Exit(2)


@app.command()
def show(file: File = None, compat: CompatOption = "strict", json: Json = False) -> None:
    """Print the effective document: defaults filled in, secrets as references, the chain."""
    loaded, chain = compiled(file, compat)
    loaded.report.raise_errors()
    for warning in loaded.report.sorted(loaded.report.warnings):
        print(warning.render() + "\n", file=sys.stderr)  # noqa: T201
    if json:
        shown = effective(loaded.document, chain.configs)
        print(as_json({"chain": str(chain), "document": shown}))  # noqa: T201
    else:
        print(f"# chain: {chain}\n{as_yaml(loaded.document, chain.configs)}", end="")  # noqa: T201


@app.command()
def schema(
    json: Annotated[bool, typer.Option("--json", help="Print JSON, as it always does.")] = True,
) -> None:
    """Print the JSON Schema of configurations, with every installed filter, for editors."""
    try:
        found = Registry.from_entry_points().describe()
    except LookupError as error:
        raise ConfigError([Problem("error", str(error))]) from None
    configs = {info.name: info.filter.config_type for info in found}
    print(as_json(document_schema(configs)))  # noqa: T201


@app.command()
def migrate(
    file: Annotated[Path, typer.Argument(help="A configuration of Plano, v0.1 to v0.3.")],
    write: Annotated[bool, typer.Option("--write", help="Change the file.")] = False,
) -> None:
    """Rewrite an older configuration to v0.4.0, keeping comments and layout."""
    try:
        # Bytes, because reading as text would change the line ends.
        text = file.read_bytes().decode("utf-8")
        changed = rewrite(
            text,
            str(file),
            lambda lost: print(lost.render() + "\n", file=sys.stderr),  # noqa: T201
        )
        if write and changed != text:
            _replace(file, changed)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError([Problem("error", f"cannot migrate {file}: {reason}")]) from None
    if not write:
        print(changed, end="")  # noqa: T201
    else:
        done = f"{file} is v0.4.0 already" if changed == text else f"rewrote {file}"
        print(done, file=sys.stderr)  # noqa: T201


def _replace(file: Path, text: str) -> None:
    """Write a file so that a crash leaves the old one, and a link stays a link."""
    target = file.resolve()
    made = target.with_name(f".{target.name}.new")
    made.write_bytes(text.encode())
    shutil.copymode(target, made)
    made.replace(target)


def compiled(file: Path | None, compat: str) -> tuple[Loaded, Chain]:
    """Load the document that was asked for and compile its chain; problems are in its report."""
    path = discover(file)
    loaded = load(path, compat=compat_of(compat)) if path else zero_config(os.environ)
    chain = compile_chain(loaded.document, Registry.from_entry_points(), loaded.report)
    load_middleware(loaded.document, loaded.report)
    return loaded, chain
