"""Validate the migrated tree section by section, so that one mistake hides no other."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from plano_filters.config.document import Document, FilterEntry
from plano_filters.config.problems import Report
from plano_filters.config.shapes import UNKNOWN
from plano_filters.config.unsupported import UNSUPPORTED
from plano_filters.config.words import Path, fields_at, meant, meant_word, real_location

_ROUNDS = 8
"""Taking out one mistake can uncover the next, but only so often."""


def validate(tree: dict[str, Any], report: Report) -> tuple[Document, set[Path]]:
    """Make the document of a tree, leaving out what is wrong in it.

    Returns:
        The document, and the paths of what is missing in it because it was wrong: whole sections
        that hold their defaults, and single keys, spelt as they were meant.
    """
    sections: dict[str, Any] = {}
    wrong: set[Path] = set()
    fields = Document.model_fields
    for key, value in tree.items():
        if key not in fields:
            hint = meant(key, _known_keys())
            report.error((key,), f'unknown key "{key}"', hint=hint, on_key=True)
            wrong.add((meant_word(key, _known_keys()).replace("llm_", "model_"),))
        elif value is not None:  # `filters:` with nothing behind it is not a mistake
            made = _section(key, fields[key].rebuild_annotation(), value, report, wrong)
            if made is not None:
                sections[key] = made
    return Document.model_construct(**{**_defaults(), **sections}), wrong


def _section(key: str, kind: Any, value: Any, report: Report, wrong: set[Path]) -> Any:
    """Return a section without what is wrong in it; None if nothing can be kept."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    for turn in range(_ROUNDS):
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            if not turn:
                report.validation((key,), error, kind)
            places = [_place(detail["type"], detail["loc"], kind) for detail in error.errors()]
        if not all(places):
            break
        for place in places:
            wrong.add((key, *_meant(place, kind)))
            value = _without(value, place)
    wrong.add((key,))
    return _salvaged(value) if key == "filters" else None


def _place(kind: str, location: Path, model: Any) -> Path:
    """Return the key to take out for an error; nothing if that would not help."""
    place = real_location(location, model)
    if kind == "missing":
        place = place[:-1]
    while place and isinstance(place[-1], int) and len(place) > 1:
        place = place[:-1]  # an item is not taken out of a list: the others would change places
    return place if place and isinstance(place[-1], str) else ()


def _meant(place: Path, model: Any) -> Path:
    known = fields_at(model, place[:-1])
    word = str(place[-1])
    return (*place[:-1], word if word in known else meant_word(word, known))


def _without(tree: Any, place: Path) -> Any:
    """Return a tree without a key, if it is there."""
    head, rest = place[0], place[1:]
    if isinstance(tree, dict) and head in tree:
        if not rest:
            return {key: value for key, value in tree.items() if key != head}
        return {**tree, head: _without(tree[head], rest)}
    if isinstance(tree, list) and isinstance(head, int) and head < len(tree) and rest:
        return [*tree[:head], _without(tree[head], rest), *tree[head + 1 :]]
    return tree


def _salvaged(value: Any) -> Any:
    """Keep the filters that are valid, so that their configs are checked in the same run."""
    if not isinstance(value, list):
        return None
    kept = []
    for entry in value:
        try:
            kept.append(FilterEntry.model_validate(entry))
        except ValidationError:
            kept.append(FilterEntry(use=UNKNOWN, enabled=False))
    return tuple(kept)


def _defaults() -> dict[str, Any]:
    fields = Document.model_fields.items()
    return {name: info.get_default(call_default_factory=True) for name, info in fields}


def _known_keys() -> list[str]:
    own = [name for name in Document.model_fields if name != "remote_filters"]
    return [*own, "llm_providers", *UNSUPPORTED]
