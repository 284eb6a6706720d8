"""What the public names expose: signatures, fields, and the types in them."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import types
import typing
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

from pydantic import BaseModel

MODULES: Final = (
    "plano_filters",
    "plano_filters.prices",
    "plano_filters.sse",
    "plano_filters.testing",
    "plano_filters.testing.conformance",
)
"""The public modules."""


def public(module: str = "plano_filters") -> dict[str, Any]:
    """Return the public names of a module and what they are."""
    found = importlib.import_module(module)
    return {name: getattr(found, name) for name in found.__all__}


def members(kind: type[Any]) -> dict[str, Any]:
    """Return the public members that a class of ours defines or inherits from one of ours."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("plano_filters"):
            found |= {n: m for n, m in vars(base).items() if not n.startswith("_")}
            found |= {n: None for n in vars(base).get("__annotations__", {}) if n[0] != "_"}
    return {name: member for name, member in found.items() if name != "model_config"}


def exposed(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the types that a public name shows: of what, and the type."""
    if isinstance(value, types.FunctionType):
        yield from _hints("", value)
    if not isinstance(value, type) or not value.__module__.startswith("plano_filters"):
        return
    constructor = inspect.getattr_static(value, "__init__")
    if inspect.isfunction(constructor) and not _made(value):
        yield from _hints("__init__", constructor)
    for name, member in members(value).items():
        function = member.fget if isinstance(member, property) else member
        function = member.func if isinstance(member, cached_property) else function
        function = getattr(function, "__func__", function)
        if inspect.isfunction(function):
            yield from _hints(name, function)
    for name, hint in typing.get_type_hints(value, localns=_late()).items():
        if not name.startswith("_"):
            yield name, hint


def parts(hint: Any) -> Iterator[type[Any]]:
    """Yield the classes in a type."""
    if isinstance(hint, type) and not typing.get_args(hint):
        yield hint
    origin = typing.get_origin(hint)
    if isinstance(origin, type):
        yield origin
    for part in typing.get_args(hint):
        for one in part if isinstance(part, list) else [part]:
            yield from parts(one)


def _made(kind: type[Any]) -> bool:
    """Say whether the constructor is made from the fields, which are looked at themselves."""
    return dataclasses.is_dataclass(kind) or issubclass(kind, BaseModel) or _is_protocol(kind)


def _is_protocol(kind: type[Any]) -> bool:
    return bool(getattr(kind, "_is_protocol", False))


def _hints(name: str, function: Any) -> Iterator[tuple[str, Any]]:
    scope = vars(importlib.import_module(function.__module__))
    for argument, hint in typing.get_type_hints(function, {**scope, **_late()}).items():
        yield f"{name}({argument})", hint


def _late() -> dict[str, Any]:
    """Return what our modules import for type checkers alone."""
    from plano_filters.chain import Chain  # noqa: PLC0415

    return {"Chain": Chain}
