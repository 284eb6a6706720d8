"""YAML text to plain data, with the place of every key and value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from plano_filters.config.problems import Position, Problem
from plano_filters.config.secrets import is_secret, mask
from plano_filters.config.words import Path
from plano_filters.errors import ConfigError

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 32
LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Span = tuple[int, int, int]
"""Line and column, from 0, and length."""
Fault = tuple[str, Path, Span]
_INT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")


@dataclass(slots=True)
class Source:
    """A parsed file."""

    name: str
    lines: list[str]
    tree: Any = None
    keys: dict[Path, Span] = field(default_factory=dict)
    values: dict[Path, Span] = field(default_factory=dict)
    secrets: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """Columns of each line that may hold a credential."""
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
        return Position(self.name, 1, 1, 0, "")

    def position(self, line: int, column: int, length: int) -> Position:
        """Return a position with its source line; credentials in it are masked."""
        text = self.lines[line] if line < len(self.lines) else ""
        for start, end in self.secrets.get(line, ()):
            text = text[:start] + "*" * (min(end, len(text)) - start) + text[end:]
        return Position(self.name, line + 1, column + 1, length, mask(text))


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
        node = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = source.position(mark.line, mark.column, 1) if mark else None
        raise _failure(f"not valid YAML: {error.problem or error.context}", where) from None
    except (yaml.YAMLError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else "unreadable characters"
        raise _failure(f"not valid YAML: {first}", None) from None
    if node is None:
        raise _failure(f"{name} is empty", None)
    faults: list[Fault] = []
    source.tree = _build(node, (), source, faults)
    if faults:
        raise ConfigError(
            [Problem("error", text, at, source.position(*span)) for text, at, span in faults]
        )
    if not isinstance(source.tree, dict):
        raise _failure(f"{name} must be a mapping of keys to values", source.position(0, 0, 1))
    return source


def _failure(message: str, where: Position | None) -> ConfigError:
    return ConfigError([Problem("error", message, (), where)])


def _check_events(text: str, source: Source) -> None:
    """Refuse what the tree would hide: aliases, several documents, bottomless nesting."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=LOADER):
        mark: Any = event.start_mark
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


def _build(node: yaml.Node, path: Path, source: Source, faults: list[Fault]) -> Any:
    if node.start_mark.index < node.end_mark.index:  # else nothing stands there: see the key
        source.values[path] = _span(node)
    if isinstance(node, yaml.SequenceNode):
        return [_build(n, (*path, i), source, faults) for i, n in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                faults.append(("a key must be text", path, _span(key_node)))
                continue
            key = key_node.value
            here = (*path, key)
            if key in result:
                first = source.keys[here][0] + 1
                message = f'the key "{key}" is already on line {first}'
                faults.append((message, here, _span(key_node)))
            source.keys[here] = _span(key_node)
            result[key] = _build(value_node, here, source, faults)
        return result
    if is_secret(path, str(node.value)):
        _remember(node, source)
    return _scalar(node)


def _remember(node: yaml.Node, source: Source) -> None:
    """Note the columns of a credential, on each of its lines."""
    start, end = node.start_mark, node.end_mark
    for line in range(start.line, end.line + 1):
        first = start.column if line == start.line else 0
        last = end.column if line == end.line else len(source.lines[line])
        if last > first:
            source.secrets.setdefault(line, []).append((first, last))


def _span(node: yaml.Node) -> Span:
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
    try:
        if tag == "int" and _INT.fullmatch(text):
            return int(text)
        return float(text) if tag == "float" else text
    except ValueError:  # too many digits, or a form of YAML 1.1 such as 1:30.5
        return text
