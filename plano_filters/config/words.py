"""Words for problems: which key was meant, where a type stands, what pydantic means."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

Path = tuple[str | int, ...]
"""A place in the effective document: `("filters", 2, "config", "keys")`."""


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
    words = list(known)
    for other in words:
        if sorted(other) == sorted(word):
            return other  # swapped letters, which count as far off in a short word
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5 if len(word) == 2 else 0.6)
    return close[0] if close else ""


def either(words: list[str]) -> str:
    """Write a choice: `"a", "b" or "c"`."""
    quoted = [f'"{word}"' for word in words]
    return ", ".join(quoted[:-1]) + (" or " if quoted[1:] else "") + "".join(quoted[-1:])


def fields_at(kind: Any, path: Path) -> list[str]:
    """Return the keys that a type allows at a path; empty if it has none of its own."""
    for part in path:
        kind = _child(kind, part)
        if kind is None:
            return []
    return [
        name
        for model in _models(kind)
        for name in (*model.model_fields, *getattr(model, "older_keys", ()))
    ]


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


def sentence(kind: str, detail: Mapping[str, Any]) -> str:
    """Say what an error of pydantic's means, to stand behind the path of the value."""
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


def without_input(error: ValidationError) -> str:
    """Say what is wrong, without the value: pydantic's own text prints it, secret or not."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{dotted(one['loc']) or error.title}: {one['msg']}" for one in found)
