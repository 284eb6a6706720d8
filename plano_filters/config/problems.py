"""Problems of a configuration: where they are, what is wrong, what to do; as a compiler says it."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from plano_filters.errors import ConfigError

Path = tuple[str | int, ...]
"""A place in the effective document: `("filters", 2, "config", "keys")`."""

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

    def locate(self, path: Path, *, on_key: bool) -> Position | None: ...


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
        for detail in details:
            location = real_location(detail["loc"], model)
            if detail["type"] == "missing" and location in guessed:
                continue  # the suggestion for the misspelt key says it
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
            self.error(at, f"{dotted(at)} must be {_either(known)}", hint=hint)
        elif kind == "union_tag_not_found":
            tag = context.get("discriminator", "").strip("'")
            self.error(full, f'{dotted(full)} needs "{tag}"')
        else:
            self.error(full, f"{dotted(full)} {_sentence(kind, detail)}")


def dotted(path: Path) -> str:
    """Write a path: `filters[2].config.keys`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text


def meant(word: str, known: Iterable[str]) -> str:
    """Return `did you mean "x"?` for the closest known word, or nothing."""
    close = meant_word(word, known)
    return f'did you mean "{close}"?' if close else ""


def meant_word(word: str, known: Iterable[str]) -> str:
    """Return the closest known word, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else ""


def _either(words: list[str]) -> str:
    quoted = [f'"{word}"' for word in words]
    return ", ".join(quoted[:-1]) + (" or " if quoted[1:] else "") + "".join(quoted[-1:])


def fields_at(kind: Any, path: Path) -> list[str]:
    """Return the keys that a type allows at a path; empty if it has none of its own."""
    for part in path:
        kind = _child(kind, part)
        if kind is None:
            return []
    return [name for model in _models(kind) for name in model.model_fields]


def _models(kind: Any) -> list[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [model for inner in get_args(kind) for model in _models(inner)]


def _child(kind: Any, part: str | int) -> Any:
    if isinstance(part, str):
        for model in _models(kind) if get_origin(kind) is not dict else []:
            if part in model.model_fields:
                return model.model_fields[part].annotation
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        found = (_child(arm, part) for arm in get_args(kind))
        return next((child for child in found if child is not None), None)
    if origin is dict and isinstance(part, str):
        return get_args(kind)[1]
    if origin in (list, tuple) and isinstance(part, int):
        return get_args(kind)[0]
    return None


def real_location(location: Path, model: Any) -> Path:
    """Drop the parts of a pydantic location that name union arms and not keys."""
    kept: list[str | int] = []
    kind = model
    for index, part in enumerate(location):
        child = _child(kind, part) if kind is not None else None
        last = index == len(location) - 1
        if child is None and not last and isinstance(part, str) and kind is not None:
            continue  # the tag of a union, or the name of a function validator
        kept.append(part)
        kind = child
    return tuple(kept)


_SENTENCES: Final = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
}


def _sentence(kind: str, detail: Mapping[str, Any]) -> str:
    context = detail.get("ctx", {})
    if kind in _SENTENCES:
        return _SENTENCES[kind]
    if kind in ("too_short", "string_too_short"):
        return "must not be empty" if context.get("min_length") == 1 else "is too short"
    limits = {
        "greater_than": "greater than {gt:g}",
        "greater_than_equal": "at least {ge:g}",
        "less_than": "less than {lt:g}",
        "less_than_equal": "at most {le:g}",
    }
    if kind in limits:
        return "must be " + limits[kind].format(**context)
    message = str(detail["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message[:1].lower() + message[1:]
