"""YAML text to plain data, with the place of every key and value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from plano_filters.config.problems import Path, Position, Problem
from plano_filters.errors import ConfigError

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 32
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SECRET: Final = re.compile(
    r"((?:access_key|api_key|key|secret|token|password|connection_string|authorization)"
    r"""["']?\s*:\s*["']?)(?!\$|file:)([^"'\s,}\]#]+)""",
    re.IGNORECASE,
)
_URL_PASSWORD: Final = re.compile(r"(://[^/\s:@]*:)[^@\s]+@")
_INT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")


@dataclass(slots=True)
class Source:
    """A parsed file."""

    name: str
    lines: list[str]
    tree: Any = None
    keys: dict[Path, tuple[int, int, int]] = field(default_factory=dict)
    """Of each key: line, column (from 0), length."""
    values: dict[Path, tuple[int, int, int]] = field(default_factory=dict)
    origins: dict[Path, Path] = field(default_factory=dict)
    """Where the moved parts of the effective document stood in the file."""

    def moved(self, new: Path, old: Path) -> None:
        """Remember that a part of the effective document stood elsewhere in the file."""
        self.origins[new] = self.original(old)

    def original(self, path: Path) -> Path:
        """Return where a path of the effective document stood in the file."""
        for length in range(len(path), 0, -1):
            origin = self.origins.get(path[:length])
            if origin is not None:
                return (*origin, *path[length:])
        return path

    def locate(self, path: Path, *, on_key: bool = False) -> Position | None:
        """Return the place of a key or value, or of the nearest part around it."""
        here = self.original(path)
        while here:
            found = self.keys.get(here) if on_key else self.values.get(here)
            found = found or self.keys.get(here) or self.values.get(here)
            if found is not None:
                return self.position(*found)
            here, on_key = here[:-1], True
        return self.position(0, 0, 1) if self.lines else None

    def position(self, line: int, column: int, length: int) -> Position:
        """Return a position with its source line; credentials in it are masked."""
        text = self.lines[line] if line < len(self.lines) else ""
        return Position(self.name, line + 1, column + 1, length, mask(text))


def mask(text: str) -> str:
    """Hide what may be a credential in a source line, keeping its length."""
    text = _SECRET.sub(lambda m: m[1] + "*" * len(m[2]), text)
    return _URL_PASSWORD.sub(lambda m: m[1] + "*" * (len(m[0]) - len(m[1]) - 1) + "@", text)


def parse(text: str, name: str) -> Source:
    """Parse YAML text.

    Raises:
        ConfigError: Not YAML, not a mapping, too large, too deep, with anchors or duplicate keys.
    """
    source = Source(name, text.splitlines())
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise ConfigError([Problem("error", f"{name} is larger than {MAX_BYTES} bytes")])
    try:
        _check_events(text, source)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = source.position(mark.line, mark.column, 1) if mark else None
        raise _failure(f"not valid YAML: {error.problem or error.context}", where) from None
    except (yaml.YAMLError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else "unreadable characters"
        raise _failure(f"not valid YAML: {first}", None) from None
    if node is None:
        raise _failure(f"{name} is empty", None)
    problems: list[Problem] = []
    source.tree = _build(node, (), source, problems)
    if problems:
        raise ConfigError(problems)
    if not isinstance(source.tree, dict):
        raise _failure(f"{name} must be a mapping of keys to values", source.position(0, 0, 1))
    return source


def _failure(message: str, where: Position | None) -> ConfigError:
    return ConfigError([Problem("error", message, (), where)])


def _check_events(text: str, source: Source) -> None:
    """Refuse what the tree would hide: aliases, several documents, bottomless nesting."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        mark = event.start_mark
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        anchor = getattr(event, "anchor", None)
        message = ""
        if anchor:
            message = "YAML anchors and aliases are not allowed; write the value out"
        elif depth > MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels"
        elif documents > 1:
            message = "only one YAML document is allowed"
        if message:
            raise _failure(message, source.position(mark.line, mark.column, 1))


def _build(node: yaml.Node, path: Path, source: Source, problems: list[Problem]) -> Any:
    source.values[path] = _span(node)
    if isinstance(node, yaml.SequenceNode):
        return [_build(n, (*path, i), source, problems) for i, n in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
            here = (*path, key)
            if key in result:
                where = source.position(*_span(key_node))
                first = source.keys[here][0] + 1
                problems.append(
                    Problem("error", f'the key "{key}" is already on line {first}', here, where)
                )
                continue
            source.keys[here] = _span(key_node)
            result[key] = _build(value_node, here, source, problems)
        return result
    return _scalar(node)


def _span(node: yaml.Node) -> tuple[int, int, int]:
    start, end = node.start_mark, node.end_mark
    length = end.column - start.column if end.line == start.line else 1
    return start.line, start.column, max(1, length)


def _scalar(node: yaml.Node) -> Any:
    """Read a scalar as YAML 1.2 does: only true/false are booleans, only decimals numbers."""
    text, tag = str(node.value), str(node.tag).rpartition(":")[2]
    if tag == "null":
        return None
    if tag == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if tag == "int" and _INT.fullmatch(text):
        return int(text)
    if tag == "float":
        try:
            return float(text)
        except ValueError:
            return text
    return text
