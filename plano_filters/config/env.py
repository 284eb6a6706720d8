"""Variables and files in the values of the document.

Expansion happens in parsed text values, never in the file's text: a variable cannot add keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, Final

from plano_filters.config.problems import Report
from plano_filters.config.types import Expanded
from plano_filters.config.words import Path

_VARIABLE: Final = re.compile(
    r"\$(?:(?P<escape>\$)|\{(?P<braced>[A-Za-z_]\w*)(?P<default>:-[^}]*)?\}|(?P<bare>[A-Za-z_]\w*))"
)
_ADDRESSES: Final = frozenset({"url", "base_url"})
"""Keys whose `file:` is an address and not a reference."""


def expand(tree: Any, env: Mapping[str, str], report: Report, path: Path = ()) -> Any:
    """Return the tree with `$VAR`, `${VAR}`, `${VAR:-default}`, `$$` and `file:/path` replaced.

    Every missing variable and unreadable file is reported at its place; its text is left as it is.
    """
    if isinstance(tree, dict):
        return {key: expand(value, env, report, (*path, key)) for key, value in tree.items()}
    if isinstance(tree, list):
        return [expand(value, env, report, (*path, i)) for i, value in enumerate(tree)]
    if not isinstance(tree, str):
        return tree
    if tree.startswith("file:/") and path[-1:] and path[-1] not in _ADDRESSES:
        return _read(tree, report, path)
    return _substitute(tree, env, report, path) if "$" in tree else tree


def names_in(text: str) -> set[str]:
    """Return the variables that a text refers to."""
    found = (match["braced"] or match["bare"] for match in _VARIABLE.finditer(text))
    return {name for name in found if name}


def read_dotenv(file: FilePath) -> dict[str, str]:
    """Read a `.env` file: `NAME=value` lines, `#` comments, optional `export` and quotes."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        else:
            value = value.partition(" #")[0].rstrip()
        found[name.strip()] = value
    return found


def _substitute(text: str, env: Mapping[str, str], report: Report, path: Path) -> str:
    complete = True

    def value(match: re.Match[str]) -> str:
        nonlocal complete
        if match["escape"]:
            return "$"
        name = match["braced"] or match["bare"]
        found = env.get(name)
        if found:
            return found
        if match["default"] is not None:
            return match["default"][2:]
        if found is not None:
            report.explains(path, f"the environment variable {name} is empty")
        else:
            report.explains(
                path,
                f"the environment variable {name} is not set",
                hint=f"export {name}=..., or put it into a .env file beside this one",
            )
        complete = False
        return match[0]

    result = _VARIABLE.sub(value, text)
    return Expanded(result, text) if complete else text


def _read(text: str, report: Report, path: Path) -> str:
    file = text.removeprefix("file:")
    try:
        found = FilePath(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        report.explains(path, f"cannot read {file}: {reason}")
        return text
    if not found:
        report.explains(path, f"the file {file} is empty")
    return Expanded(found, text)
