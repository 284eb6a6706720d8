"""`filters`, `docs` and `version`: what is installed, and how it is used."""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Iterator
from importlib.metadata import version as version_of
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from plano_filters.cli.app import app
from plano_filters.cli.serve import Json, as_json
from plano_filters.registry import FilterInfo, Registry


@app.command()
def filters(json: Json = False) -> None:
    """List the installed filters: where they come from, what they need and provide."""
    try:
        rows = [_row(info) for info in Registry.from_entry_points().describe()]
    except LookupError as error:
        raise _refuse(error) from None
    if json:
        print(as_json(rows))  # noqa: T201
        return
    for row in rows:
        print(f"{row['name']:<14}{row['distribution']} {row['version']}")  # noqa: T201
        print(f"{'':<14}{row['summary']}")  # noqa: T201
        for key in ("requires", "provides", "may_provide"):
            if row[key]:
                print(f"{'':<14}{_words(key)} {', '.join(row[key])}")  # noqa: T201


@app.command()
def docs(
    name: Annotated[str, typer.Argument(help="An installed filter, or ./file.py:Class.")],
    json: Json = False,
) -> None:
    """Print how a filter is used: its facts, every option, its page."""
    try:
        info = Registry.from_entry_points().info(name)
    except LookupError as error:
        raise _refuse(error) from None
    if json:
        print(as_json(_row(info)))  # noqa: T201
        return
    print("\n".join(_page(info)))  # noqa: T201


@app.command()
def version(json: Json = False) -> None:
    """Print the version."""
    number = version_of("plano-filters")
    print(as_json({"version": number}) if json else number)  # noqa: T201


def _row(info: FilterInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "distribution": info.distribution,
        "version": info.version,
        "class": f"{info.filter.__module__}:{info.filter.__qualname__}",
        "summary": info.summary,
        "hooks": info.hooks,
        "requires": [fact.__name__ for fact in info.filter.requires],
        "provides": [fact.__name__ for fact in info.filter.provides],
        "may_provide": [fact.__name__ for fact in info.filter.may_provide],
        "config": sorted(info.filter.config_type.model_fields),
        "schema": info.filter.config_type.model_json_schema(),
        "docs": str(info.readme) if info.readme else None,
    }


def _page(info: FilterInfo) -> Iterator[str]:
    origin = f"{info.distribution} {info.version}" if info.distribution else "one file"
    yield f"{info.name}  ({origin})"
    yield info.summary
    yield ""
    yield f"hooks     {', '.join(info.hooks) or 'none'}"
    for label in ("requires", "provides", "may_provide"):
        facts = getattr(info.filter, label)
        if facts:
            yield f"{_words(label)}  {', '.join(fact.__name__ for fact in facts)}"
    yield ""
    yield from _options(info.filter.config_type) or ("no options",)
    if info.readme is not None:
        yield ""
        yield info.readme.read_text(encoding="utf-8").rstrip()


def _words(attribute: str) -> str:
    return attribute.replace("_", " ")


def _options(model: type[BaseModel]) -> list[str]:
    """Describe the options of a config, two lines each."""
    lines = ["options"] if model.model_fields else []
    for name, field in model.model_fields.items():
        lines.append(f"  {name}: {_type(field.annotation)}{_default(field)}")
        text = " ".join((field.description or "").split())
        lines += [f"      {text}"] if text else []
    return lines


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "  (required)"
    value = field.get_default(call_default_factory=True, validated_data={})
    return "" if value is PydanticUndefined else f" = {value!r}"


def _type(annotation: Any) -> str:
    """Write a type as a reader of YAML would name it."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " | ".join(_type(one) for one in arguments)
    if origin is typing.Literal:
        return " | ".join(map(str, arguments))
    if annotation is type(None):
        return "none"
    if origin is not None:
        inner = ", ".join(_type(one) for one in arguments if one is not Ellipsis)
        return f"{'list' if origin is tuple else _type(origin)}[{inner}]"
    return getattr(annotation, "__name__", str(annotation))


def _refuse(error: LookupError) -> typer.Exit:
    print(f"error: {error}", file=sys.stderr)  # noqa: T201
    return typer.Exit(2)
