"""Write what the code says of each public name into the pages under docs/api/.

A heading such as "### `Filter`" is followed by what stands in the code: signature, docstring and
members. Below the mark is what people write: `python tools/api_pages.py` leaves it as it is.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

PAGES: Final = Path(__file__).parent.parent / "docs" / "api"
MARK: Final = "<!-- above: from the code, by tools/api_pages.py -->"
HEADING: Final = re.compile(r"^### `([\w.]+)`\n(?:(?:(?!^#).*\n)*?" + MARK + r"\n)?", re.MULTILINE)
_ITEM: Final = re.compile(r"^ {4}(\*{0,2}\w+): ", re.MULTILINE)
Described = dict[str, tuple[str, str]]
"""Fields of a class: annotation and docstring, by name."""


def page(text: str) -> str:
    """Return a page with what the code says now."""
    return HEADING.sub(lambda found: f"### `{found[1]}`\n\n{about(found[1])}\n{MARK}\n", text)


def about(name: str) -> str:
    """Return what the code says of a public name, `plano_filters` left out of it."""
    module, _, own = name.rpartition(".")
    value = getattr(importlib.import_module(f"plano_filters.{module}".rstrip(".")), own)
    if isinstance(value, type) or inspect.isfunction(value):
        if not value.__module__.startswith("plano_filters"):
            return f"Of `{value.__module__}`.\n"
        parts = [f"```text\n{signature(own, value)}\n```", prose(value)]
        parts += [table(value)] if isinstance(value, type) else []
        return "\n\n".join(part for part in parts if part) + "\n"
    shown = f"{own} = {value!r}" if isinstance(value, str | bytes) else own
    return f"```text\n{shown}\n```\n\n{_constant(own, value)}\n"


def signature(name: str, value: Any) -> str:
    """Return how something is called, with types as they are written in the code."""
    bases = [base.__name__ for base in getattr(value, "__mro__", ())[1:]]
    if isinstance(value, type) and ("Protocol" in bases or issubclass(value, BaseModel)):
        return f"class {name}" + ("(Protocol)" if "Protocol" in bases else "")
    try:
        found = inspect.signature(value)
    except ValueError:
        return f"class {name}"
    shown, named = [], False
    for parameter in found.parameters.values():
        if parameter.name.startswith("_") or parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not named:
            shown.append("*")
            named = True
        named = named or parameter.kind is parameter.VAR_POSITIONAL
        shown.append(_parameter(parameter))
    returns = ""
    if inspect.isfunction(value) and found.return_annotation is not found.empty:
        returns = f" -> {_annotation(found.return_annotation)}"
    prefix = "async " if inspect.iscoroutinefunction(value) else ""
    line = f"{prefix}{name}({', '.join(shown)}){returns}"
    if len(line) <= 100:
        return line
    inside = "".join(f"    {one},\n" for one in shown)
    return f"{prefix}{name}(\n{inside}){returns}"


def prose(value: Any) -> str:
    """Return a docstring as Markdown."""
    own = value.__doc__ if not isinstance(value, type) else vars(value).get("__doc__")
    text = inspect.cleandoc(own or "")
    if is_dataclass(value) and text.startswith(f"{value.__name__}("):
        return ""
    for title in ("Args", "Raises", "Returns"):
        head, found, rest = text.partition(f"\n\n{title}:\n")
        if found:
            block, _, after = rest.partition("\n\n")
            lines = _ITEM.sub(r"- `\1`: ", block) if _ITEM.search(block) else block
            text = f"{head}\n\n{title}:\n\n{textwrap.dedent(lines)}"
            text = re.sub(r"\n {4,}", " ", text) + (f"\n\n{after}" if after else "")
    return text


def table(kind: type[Any]) -> str:
    """Return the members that a class has of its own."""
    rows = [f"| `{name}` | {text} |" for name, text in _members(kind)]
    public = [base.__name__ for base in kind.__mro__[1:] if _shown(base)]
    also = f"Also what [`{public[0]}`](#{public[0].lower()}) has." if public else ""
    head = "| member | |\n| --- | --- |\n"
    return "\n\n".join(part for part in (head + "\n".join(rows) if rows else "", also) if part)


def _members(kind: type[Any]) -> Iterator[tuple[str, str]]:
    fields = described(kind)
    for name, (annotation, text) in fields.items():
        yield f"{name}: {annotation}".replace("|", "\\|"), _line(text)
    for name, member in vars(kind).items():
        if name.startswith("_") or name in fields or name == "model_config":
            continue
        raw = getattr(member, "__func__", member)
        if isinstance(raw, property | cached_property):
            yield name, _line(raw.__doc__ or "")
        elif inspect.isfunction(raw):
            yield signature(name, raw).replace("\n", "").replace("    ", " ").replace("|", "\\|"), \
                _line(raw.__doc__ or _inherited(kind, name))  # fmt: skip
        elif isinstance(raw, str | int):
            yield f"{name} = {raw!r}", ""


@cache
def described(kind: type[Any]) -> Described:
    """Return the fields that stand in a class's body, or in its constructor's."""
    node = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(node, ast.ClassDef)  # noqa: S101 - a class was asked for
    bodies = [node.body]
    bodies += [n.body for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    found: Described = {}
    for body in bodies:
        for statement, following in zip(body, [*body[1:], None], strict=True):
            name, annotation = _field(statement)
            text = _text(following)
            if name and not name.startswith("_") and (annotation or text):
                found[name] = annotation, text
    return found


def _field(statement: ast.stmt) -> tuple[str, str]:
    if isinstance(statement, ast.AnnAssign):
        target, annotation = statement.target, ast.unparse(statement.annotation)
    elif isinstance(statement, ast.Assign):
        target, annotation = statement.targets[0], ""
    else:
        return "", ""
    if isinstance(target, ast.Attribute):
        return target.attr, annotation
    return (target.id, annotation) if isinstance(target, ast.Name) else ("", "")


def _text(statement: ast.stmt | None) -> str:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return str(value.value) if isinstance(value, ast.Constant) else ""


def _constant(name: str, value: Any) -> str:
    """Return what is said of a constant or a type, below its assignment."""
    for file in sorted((PAGES.parents[1] / "plano_filters").rglob("*.py")):
        body = ast.parse(file.read_text(encoding="utf-8")).body
        for statement, following in zip(body, [*body[1:], None], strict=True):
            if _field(statement)[0] == name and _text(following):
                options = (
                    typing.get_args(value) if typing.get_origin(value) is typing.Literal else ()
                )
                listed = ", ".join(f"`{one}`" for one in options)
                return inspect.cleandoc(_text(following)) + (
                    f"\n\nOne of {listed}." if listed else ""
                )
    return ""


def _inherited(kind: type[Any], name: str) -> str:
    return next(
        (doc for base in kind.__mro__[1:] if (doc := getattr(base, name, None).__doc__)), ""
    )


def _shown(base: type[Any]) -> bool:
    if not base.__module__.startswith("plano_filters"):
        return False
    return any(f"### `{base.__name__}`" in file.read_text("utf-8") for file in PAGES.glob("*.md"))


def _parameter(parameter: inspect.Parameter) -> str:
    star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    text = f"{star}{parameter.name}"
    if parameter.annotation is not parameter.empty:
        text += f": {_annotation(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return text
    default = parameter.default
    shown = (
        repr(default) if isinstance(default, str | bytes | int | float | tuple | None) else "..."
    )
    return f"{text} = {shown}"


def _annotation(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _line(text: str) -> str:
    """Return the first paragraph of a docstring in one line, for a table."""
    return " ".join(inspect.cleandoc(text).partition("\n\n")[0].split()).replace("|", "\\|")


def main() -> None:
    """Bring every page up to date."""
    for file in sorted(PAGES.glob("*.md")):
        file.write_text(page(file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
