"""Filters that are one file: `use: ./my_filter.py:MyFilter`.

For trying out, and for a filter that belongs to one configuration. What needs more than one file is
a distribution.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

SUFFIX = ".py"


def is_local(use: str) -> bool:
    """Say whether `use` names a class in a file: `./my_filter.py:MyFilter`."""
    return use.rpartition(":")[0].endswith(SUFFIX)


def file_of(use: str, folder: Path) -> Path:
    """Return the file that `use` names; a relative one counts from a folder."""
    return folder / use.rpartition(":")[0]


def name_of(use: str) -> str:
    """Return what a filter is called unless it has an id: of one file, the file's name."""
    return Path(use.rpartition(":")[0]).stem if is_local(use) else use


def module_of(file: Path) -> ModuleType:
    """Import a file. While its content stays the same it is imported once.

    Raises:
        LookupError: It cannot be read.
        Exception: Whatever it raises.
    """
    try:
        source = file.read_bytes()
    except OSError as error:
        raise LookupError(f"cannot read {file}: {error.strerror}") from None
    # Named by content: a changed file is another module, and the old one serves on until its last
    # exchange has ended.
    digest = hashlib.sha256(str(file.resolve()).encode() + b"\0" + source).hexdigest()[:12]
    name = f"_plano_local_{file.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise LookupError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pydantic look their module up
    try:
        exec(compile(source, str(file), "exec"), module.__dict__)  # noqa: S102 - the user's filter
    except BaseException:
        del sys.modules[name]
        raise
    return module
