"""Which filters are installed: entry points in, classes out.

Built-ins and third parties come through the same door: the entry-point group
`plano_filters.filters`. A filter of one file comes by its path.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final

from plano_filters import local
from plano_filters.api import API_VERSION, misfit
from plano_filters.config.problems import Report
from plano_filters.filter import Filter, FilterConfig

GROUP: Final = "plano_filters.filters"
HOOKS: Final = ("on_request", "on_forward", "on_response", "on_complete")


@dataclass(frozen=True, slots=True)
class FilterInfo:
    """An installed filter and where it comes from."""

    name: str
    distribution: str
    version: str
    filter: type[Filter[Any]]

    @property
    def summary(self) -> str:
        """The first line of the class's docstring."""
        return (self.filter.__doc__ or "").strip().partition("\n")[0]

    @property
    def hooks(self) -> list[str]:
        """The hooks that it overrides; the others are never called."""
        return hooks_of(self.filter)

    @property
    def readme(self) -> Path | None:
        """The page beside its module, if there is one."""
        module = sys.modules.get(self.filter.__module__)
        file = getattr(module, "__file__", None)
        page = Path(file).with_name("README.md") if file else None
        return page if page is not None and page.is_file() else None


def hooks_of(kind: type[Filter[Any]]) -> list[str]:
    """Return the hooks that a filter overrides."""
    return [name for name in HOOKS if getattr(kind, name) is not getattr(Filter, name)]


class Registry:
    """Filters by name.

    Args:
        points: Entry points of the group; several of one name are reported by `check`.
    """

    def __init__(self, points: Iterable[EntryPoint] = ()) -> None:
        self._points: dict[str, list[EntryPoint]] = {}
        for point in points:
            same = self._points.setdefault(point.name, [])
            if all(_origin(point) != _origin(other) for other in same):
                same.append(point)

    @classmethod
    def from_entry_points(cls, group: str = GROUP) -> Registry:
        """Find what is installed. Nothing is imported yet."""
        return cls(entry_points(group=group))

    def names(self) -> list[str]:
        """Return the names of the installed filters, sorted."""
        return sorted(self._points)

    def check(self, report: Report) -> None:
        """Import every installed filter; report broken plugins and names claimed twice.

        A plugin that fails to import stops the start even where no chain uses it: a guard that
        quietly is not there is worse than a gateway that does not start.
        """
        for name in self.names():
            try:
                self.load(name)
            except LookupError as error:
                report.error((), str(error))

    def load(self, use: str, folder: Path = Path()) -> type[Filter[Any]]:
        """Return the class that `use` names.

        Args:
            use: An installed filter, `package.module:Class`, or `./file.py:Class`.
            folder: Where a relative file is looked for.

        Raises:
            LookupError: There is none, it cannot be imported, or two distributions claim the name.
        """
        if local.is_local(use):
            return _load_local(use, local.file_of(use, folder))
        if ":" in use:
            module, _, attribute = use.partition(":")
            return _load(use, EntryPoint(use, f"{module}:{attribute}", GROUP))
        points = self._points.get(use, [])
        if not points:
            close = difflib.get_close_matches(use, self.names(), n=1)
            meant = f'; did you mean "{close[0]}"?' if close else ""
            raise LookupError(
                f'no filter "{use}" is installed (installed: {", ".join(self.names())}){meant}'
            )
        if len(points) > 1:
            origins = " and ".join(sorted(_origin(point) for point in points))
            raise LookupError(f'two distributions provide a filter "{use}": {origins}')
        return _load(use, points[0])

    def describe(self) -> list[FilterInfo]:
        """Return every installed filter, sorted by name.

        Raises:
            LookupError: One of them cannot be loaded.
        """
        return [self.info(name) for name in self.names()]

    def info(self, use: str) -> FilterInfo:
        """Return one filter, and where it comes from.

        Raises:
            LookupError: As `load`.
        """
        loaded = self.load(use)
        point = next(iter(self._points.get(use, ())), None)
        distribution = point.dist if point else None
        return FilterInfo(
            local.name_of(use),
            distribution.name if distribution else "",
            distribution.version if distribution else "",
            loaded,
        )


def _origin(point: EntryPoint) -> str:
    if point.dist is None:
        return point.value
    return f"{point.dist.name} {point.dist.version} ({point.value})"


def _load(use: str, point: EntryPoint) -> type[Filter[Any]]:
    try:
        importlib.import_module(point.module)
        loaded = point.load()
    except Exception as error:  # whatever a plugin does at import
        raise LookupError(
            f'filter "{use}"{_of(point)} cannot be imported: '
            f"{type(error).__name__}: {error}{_lacking(error)}"
        ) from error
    return _checked(use, point.value, loaded, _of(point))


def _of(point: EntryPoint) -> str:
    return f" of {point.dist.name} {point.dist.version}" if point.dist else ""


def _lacking(error: Exception) -> str:
    """Say which API is here, where an import failed for want of a name of ours."""
    ours = isinstance(error, ImportError) and (error.name or "").startswith("plano_filters")
    return f"; this plano-filters has version {API_VERSION} of the API" if ours else ""


def _load_local(use: str, file: Path) -> type[Filter[Any]]:
    name = use.rpartition(":")[2]
    try:
        module = local.module_of(file)
    except LookupError as error:
        raise LookupError(f'filter "{use}": {error}') from None
    except Exception as error:  # whatever a file does at import
        where, text = _line_in(file, error), error.msg if isinstance(error, SyntaxError) else error
        raise LookupError(
            f'filter "{use}" cannot be imported: {type(error).__name__}{where}: {text}'
            f"{_lacking(error)}"
        ) from error
    found = getattr(module, name, None)
    if found is None:
        close = difflib.get_close_matches(name, vars(module), n=1)
        meant = f'; did you mean "{close[0]}"?' if close else ""
        raise LookupError(f'filter "{use}": {file} has no class "{name}"{meant}')
    return _checked(use, name, found)


def _line_in(file: Path, error: Exception) -> str:
    """Say at which line of a file an import failed."""
    if isinstance(error, SyntaxError):
        return f" at line {error.lineno}"
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f" at line {line}"


def _checked(use: str, value: str, loaded: Any, origin: str = "") -> type[Filter[Any]]:
    if not (isinstance(loaded, type) and issubclass(loaded, Filter)):
        raise LookupError(f'"{use}" is not a filter: {value} is no subclass of Filter')
    if not issubclass(loaded.config_type, FilterConfig):
        raise LookupError(f'filter "{use}": its config_type is no subclass of FilterConfig')
    found = misfit(loaded.api)
    if found:
        raise LookupError(f'filter "{use}"{origin} cannot be used: {found}')
    return loaded
