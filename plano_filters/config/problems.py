"""Problems of a configuration: where they are, what is wrong, what to do; as a compiler says it."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from pydantic import ValidationError

from plano_filters.config.words import (
    Path,
    dotted,
    either,
    fields_at,
    meant,
    meant_word,
    real_location,
    sentence,
)
from plano_filters.errors import ConfigError

EXCERPT: Final = 160
"""Characters of a source line to show."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    length: int
    text: str
    """The source line, credentials masked. Empty: the file as a whole."""


class Locator(Protocol):
    """Finds the source of a path."""

    name: str
    """The file."""

    def locate(self, path: Path, *, on_key: bool) -> Position | None:
        """Return where something of the document stands, or None.

        Args:
            path: Of the value.
            on_key: Point at its key.
        """
        ...


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or doubtful."""

    severity: Literal["error", "warning"]
    message: str
    path: Path = ()
    position: Position | None = None
    hint: str = ""

    def render(self) -> str:
        """Write the problem with its source line and a caret."""
        head = f"{self.severity}: {self.message}"
        where = self.position
        if where is None or not where.text:
            place = where.file if where else dotted(self.path)
            tail = f"\n  --> {place}" if place else ""
            return head + tail + (f"\n  help: {self.hint}" if self.hint else "")
        number = str(where.line)
        start = max(0, where.column - 1 - EXCERPT // 2) if len(where.text) > EXCERPT else 0
        text = where.text[start : start + EXCERPT]
        caret = "^" * max(1, min(where.length, len(text) - (where.column - 1 - start)))
        margin = " " * len(number)
        return (
            f"{head}\n  --> {where.file}:{where.line}:{where.column}\n"
            f"{number} | {text}\n"
            f"{margin} | {' ' * (where.column - 1 - start)}{caret} {self.hint}".rstrip()
        )

    def to_dict(self) -> dict[str, object]:
        """Return the problem for machines."""
        where = self.position
        return {
            "severity": self.severity,
            "message": self.message,
            "path": dotted(self.path),
            "file": where.file if where else None,
            "line": where.line if where else None,
            "column": where.column if where else None,
            "hint": self.hint or None,
        }


class Report:
    """Collects problems, so that all are told at once.

    Args:
        locator: Finds the source of a path; without one, problems name the path.
    """

    def __init__(self, locator: Locator | None = None) -> None:
        self.locator = locator
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []
        self._explained: set[Position] = set()

    @property
    def folder(self) -> pathlib.Path:
        """Where the file is; relative paths in it count from here."""
        return pathlib.Path(self.locator.name).parent if self.locator else pathlib.Path()

    def error(self, path: Path, message: str, *, hint: str = "", on_key: bool = False) -> None:
        """Add something that keeps the gateway from starting."""
        self.add(self._problem("error", path, message, hint, on_key=on_key))

    def warning(self, path: Path, message: str, *, hint: str = "", on_key: bool = False) -> None:
        """Add something the user should know."""
        self.add(self._problem("warning", path, message, hint, on_key=on_key))

    def explains(self, path: Path, message: str, *, hint: str = "") -> None:
        """Add an error that explains whatever else is wrong at its place: that is not told."""
        problem = self._problem("error", path, message, hint, on_key=False)
        self.errors.append(problem)
        if problem.position is not None:
            self._explained.add(problem.position)

    def add(self, problem: Problem) -> None:
        """Add a problem, unless it is there already or explained by another."""
        into = self.errors if problem.severity == "error" else self.warnings
        if problem not in into and problem.position not in self._explained:
            into.append(problem)

    def validation(self, path: Path, error: ValidationError, model: Any) -> None:
        """Add what pydantic found, in our words and without the input.

        Args:
            path: Where the validated value stands.
            error: What was raised.
            model: The type it was validated as; gives the suggestions.
        """
        details = error.errors(include_url=False)
        guessed = {
            (*where[:-1], meant_word(str(where[-1]), fields_at(model, where[:-1])))
            for detail in details
            if detail["type"] == "extra_forbidden"
            for where in (real_location(detail["loc"], model),)
        }
        places = [real_location(detail["loc"], model) for detail in details]
        for detail, location in zip(details, places, strict=True):
            if detail["type"] == "missing" and location in guessed:
                continue  # the suggestion for the misspelt key says it
            inside = (place for place in places if len(place) > len(location))
            if detail["type"] == "too_short" and any(
                p[: len(location)] == location for p in inside
            ):
                continue  # it has parts, but pydantic counts only those without a mistake
            self._detail(path, location, detail["type"], detail, model)

    def raise_errors(self) -> None:
        """Raise `ConfigError` with every error, in the order of the file, if there is any."""
        if self.errors:
            raise ConfigError(self.sorted(self.errors))

    @staticmethod
    def sorted(problems: Iterable[Problem]) -> list[Problem]:
        """Return problems in the order of the file."""

        def key(problem: Problem) -> tuple[int, int]:
            where = problem.position
            return (where.line, where.column) if where else (1 << 30, 0)

        return sorted(problems, key=key)

    def _problem(
        self,
        severity: Literal["error", "warning"],
        path: Path,
        message: str,
        hint: str,
        *,
        on_key: bool,
    ) -> Problem:
        where = self.locator.locate(path, on_key=on_key) if self.locator else None
        return Problem(severity, message, path, where, hint)

    def _detail(
        self, path: Path, place: Path, kind: str, detail: Mapping[str, Any], model: Any
    ) -> None:
        full = (*path, *place)
        context = detail.get("ctx", {})
        if kind == "extra_forbidden":
            known = fields_at(model, place[:-1])
            hint = meant(str(place[-1]), known)
            parent = f" in {dotted(full[:-1])}" if full[:-1] else ""
            self.error(full, f'unknown key "{place[-1]}"{parent}', hint=hint, on_key=True)
        elif kind == "missing":
            owner = f"{dotted(full[:-1])} needs" if full[:-1] else "the document needs"
            self.error(full[:-1], f'{owner} "{full[-1]}"')
        elif kind in ("literal_error", "union_tag_invalid"):
            expected = context.get("expected") or context.get("expected_tags", "")
            tag = context.get("discriminator", "").strip("'")
            at = (*full, tag) if tag else full
            # The only input that is looked at: a word that should have been one of a few.
            given = context.get("tag") if tag else detail["input"]
            known = re.findall(r"'([^']*)'", expected)
            hint = meant(given, known) if isinstance(given, str) else ""
            self.error(at, f"{dotted(at)} must be {either(known)}", hint=hint)
        elif kind == "union_tag_not_found":
            self._needs_tag(full, context.get("discriminator", "").strip("'"), detail["input"])
        else:
            self.error(full, f"{dotted(full)} {sentence(kind, detail)}")

    def _needs_tag(self, path: Path, tag: str, given: Any) -> None:
        for key in given if isinstance(given, dict) else ():
            if meant_word(key, [tag]):
                message = f'unknown key "{key}" in {dotted(path)}'
                self.error((*path, key), message, hint=meant(key, [tag]), on_key=True)
                return
        self.error(path, f'{dotted(path)} needs "{tag}"')
