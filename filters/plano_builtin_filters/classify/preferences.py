"""Routing tables: those of the document, and those that a request brings along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from plano_builtin_filters.classify import older
from plano_builtin_filters.classify.routers.protocol import RouteOption
from plano_filters import BadRequest, Request, jsonbody
from plano_filters.config import RoutingPreference
from plano_filters.dialect import Dialect
from plano_filters.facts import Prefer
from plano_filters.models import ModelIndex

INLINE: Final = "routing_preferences"
"""The field of a request body that replaces the document's preferences."""
LARGEST: Final = 256 * 1024
"""Bytes of a request's table. Reading it holds up the event loop."""
MOST: Final = 100
"""Routes in one request; the trained models saw twenty."""
MOST_MODELS: Final = 32
"""Of one route in a request."""
LONGEST_NAME: Final = 256
"""Characters; a name goes into headers, logs and spans."""
LONGEST_DESCRIPTION: Final = 4096
"""Characters; the embedded router reads 64 tokens, a causal one some thousand of all routes."""
_PREFERENCES: Final = TypeAdapter(list[RoutingPreference])


@dataclass(frozen=True, slots=True)
class Row:
    """One route and its models, as far as they can serve."""

    option: RouteOption
    models: tuple[str, ...]
    """Full names."""
    prefer: Prefer


@dataclass(frozen=True, slots=True)
class Table:
    """Routes, in the order of the document."""

    rows: tuple[Row, ...]

    @property
    def options(self) -> tuple[RouteOption, ...]:
        """What a router sees."""
        return tuple(row.option for row in self.rows)

    def speaking(self, dialect: Dialect, index: ModelIndex) -> Table:
        """Return the routes with a model that speaks a dialect; the others cannot serve."""
        rows = []
        for row in self.rows:
            models = tuple(one for one in row.models if index.speaks(one, dialect))
            if models:
                rows.append(Row(row.option, models, row.prefer))
        return Table(tuple(rows))


def configured(preferences: Iterable[RoutingPreference], index: ModelIndex) -> Table:
    """Make the table of the document, whose references are checked already."""
    return Table(
        tuple(
            Row(
                RouteOption(one.name, one.description),
                tuple(dict.fromkeys(m for name in one.models for m in _resolve(name, index))),
                one.selection_policy.prefer if one.selection_policy else "none",
            )
            for one in preferences
        )
    )


def inline(payload: Mapping[str, object], index: ModelIndex) -> Table | None:
    """Make the table of a request; an empty one turns routing off.

    Older forms count only where there is no `routing_preferences`, and only the newest of them.

    Returns:
        None if the request brings none.

    Raises:
        BadRequest: It is malformed, too large, or names a model that is not declared.
    """
    given = payload.get(INLINE)
    if given is not None:
        return _read(given, index, INLINE, INLINE)
    for name, value in older.found(payload).items():
        return _read(older.modern(name, value), index, name, f"{name}, read as {INLINE}")
    return None


def strip(request: Request) -> str:
    """Take the table out of a request, in every form: no provider knows it.

    Returns:
        What became of older forms; empty if there was none.
    """
    given, forms = request.payload.get(INLINE), list(older.found(request.payload))
    request.remove(INLINE)
    older.strip(request)
    if not forms:
        return ""
    read = INLINE if given is not None else forms.pop(0)
    said = [] if read == INLINE else [f"{read} is read as {INLINE}, which took its place"]
    said += [f"{form} is ignored: there is {read}" for form in forms]
    return "; ".join(said)


def _read(given: object, index: ModelIndex, param: str, label: str) -> Table:
    """Read `routing_preferences`.

    Args:
        given: The value.
        index: Of the declared models.
        param: The field it is from.
        label: What to call it in errors.
    """
    if len(jsonbody.encode(given)) > LARGEST:
        raise BadRequest(f"{label} may have {LARGEST // 1024} KiB at most", param=param)
    try:
        found = _PREFERENCES.validate_python(_without_null_policies(given))
    except ValidationError as error:
        raise BadRequest(f"{label}{older.first_fault(error)}", param=param) from None
    if len(found) > MOST:
        raise BadRequest(f"{label} may have {MOST} routes at most", param=param)
    names: set[str] = set()
    for place, one in enumerate(found):
        wrong = _too_long(one)
        if one.name in names and not wrong:
            wrong = f': another route is named "{one.name}", too'
        names.add(one.name)
        unknown = [name for name in one.models if not wrong and not _resolve(name, index)]
        if unknown:
            wrong = f".models: {_not_declared(unknown[0], index)}"
        if wrong:
            raise BadRequest(f"{label}[{place}]{wrong}", param=param)
    return configured(found, index)


def _too_long(one: RoutingPreference) -> str:
    if len(one.name) > LONGEST_NAME:
        return f".name: {LONGEST_NAME} characters at most"
    if len(one.description) > LONGEST_DESCRIPTION:
        return f".description: {LONGEST_DESCRIPTION} characters at most"
    if len(one.models) > MOST_MODELS:
        return f".models: {MOST_MODELS} at most"
    return ""


def _not_declared(name: str, index: ModelIndex) -> str:
    close = index.similar(name) if len(name) <= LONGEST_NAME else ()
    meant = f'; did you mean "{close[0]}"?' if close else ""
    return f'the model "{name[:200]}" is not declared{meant}'


def _resolve(name: str, index: ModelIndex) -> tuple[str, ...]:
    resolution = index.resolve(name)
    return resolution.models if resolution else ()


def _without_null_policies(given: object) -> object:
    """Drop policies that say nothing: Plano takes null and an empty `prefer` in a body."""
    if not isinstance(given, list):
        return given
    rows: list[object] = []
    for row in given:
        if isinstance(row, dict) and "selection_policy" in row:
            policy = row["selection_policy"]
            if policy is None or (isinstance(policy, dict) and policy.get("prefer") in (None, "")):
                row = {key: value for key, value in row.items() if key != "selection_policy"}  # noqa: PLW2901
        rows.append(row)
    return rows
