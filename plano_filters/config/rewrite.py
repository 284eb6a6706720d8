"""The migration to v0.4.0 in the text of a file, so that comments and layout stay.

Each step changes only the lines it is about. What came out is read again: if it does not mean the
same as the parsed tree after `migrate.py`, the tree is written out instead, without comments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import yaml

from plano_filters.config.migrate import CURRENT, LEGACY_LISTENERS, PROVIDER_KEYS, migrate
from plano_filters.config.problems import Problem, Report
from plano_filters.config.source import LOADER, Source, parse
from plano_filters.errors import ConfigError

Edit = tuple[int, int, int, int, str]
"""Start line and column, end line and column, the text to put there. Counts from 0."""
Pair = tuple[yaml.Node, yaml.Node]
Step = Callable[[str, dict[str, Any]], str]
_BOM: Final = "\ufeff"
_COMMENT: Final = re.compile(r"(?:^|\s)(#.*)")


class _TooClever(Exception):
    """The layout is one that no step can edit."""


def rewrite(text: str, name: str, tell: Callable[[Problem], None] = lambda problem: None) -> str:
    """Return the text of a configuration in v0.4.0's shape. Text that has it does not change.

    Args:
        text: Of the file.
        name: Of the file.
        tell: Takes what is left out: descriptions that contradict others, comments.

    Raises:
        ConfigError: It is no YAML mapping, or cannot be migrated.
    """
    plain = text.removeprefix(_BOM).replace("\r\n", "\n")
    source = parse(plain, name)
    wanted = _migrated(source, tell)
    if wanted == source.tree:
        return text
    try:
        changed = plain
        for step in _STEPS:
            changed = step(changed, wanted)
        if parse(changed, name).tree != wanted:
            changed = _dump(wanted)
    except (_TooClever, ConfigError, yaml.YAMLError):
        changed = _dump(wanted)
    for lost in _lost_comments(source, changed):
        tell(lost)
    bom = _BOM if text.startswith(_BOM) else ""
    return bom + (changed.replace("\n", "\r\n") if "\r\n" in text else changed)


def _migrated(source: Source, tell: Callable[[Problem], None]) -> dict[str, Any]:
    report = Report(source)
    tree = migrate(source.tree, source, report)
    report.raise_errors()
    for warning in report.sorted(report.warnings):
        if "routing_preferences" in warning.path:  # the others are about what is mended here
            tell(warning)
    return tree


def _lost_comments(source: Source, after: str) -> Iterator[Problem]:
    found = [(row, _COMMENT.search(line)) for row, line in enumerate(source.lines)]
    lost = [(row, match) for row, match in found if match and match[1] not in after]
    if lost:
        row, match = lost[0]
        count = f"{len(lost)} comments" if len(lost) > 1 else "a comment"
        where = source.position(row, match.start(1), len(match[1]))
        yield Problem("warning", f"{count} could not be kept", (), where)


def _provider_key(text: str, _: dict[str, Any]) -> str:
    root = _root(text)
    pair = _find(root, "llm_providers")
    return text if pair is None else _apply(text, [_replace(pair[0], "model_providers")])


def _listener_providers(text: str, wanted: dict[str, Any]) -> str:
    """Move the providers out of a listener, to behind the listeners."""
    root = _root(text)
    pair = _find(root, "listeners")
    if pair is None or not isinstance(pair[1], yaml.MappingNode):
        return text
    for _, listener in pair[1].value:
        inner = next((p for p in map(_finder(listener), PROVIDER_KEYS) if p is not None), None)
        if inner is not None:
            _editable(root, pair[1], listener)
            end = _last_line(pair[1])
            moved = _section("model_providers", wanted["model_providers"])
            if not _is_flow(inner[1]):
                moved = _dedented(text, inner)
            edits = [_cut(inner), (end + 1, 0, end + 1, 0, "\n" + moved)]
            return _apply(_ended(text), edits)
    return text


def _listeners(text: str, _: dict[str, Any]) -> str:
    """Turn the keys of `listeners` into items of a list."""
    root = _root(text)
    pair = _find(root, "listeners")
    if pair is None or not isinstance(pair[1], yaml.MappingNode):
        return text
    edits: list[Edit] = []
    for key, listener in pair[1].value:
        empty = listener.tag.endswith(":null")
        indent = key.start_mark.column + 2 if empty else listener.start_mark.column
        _editable(root, pair[1], listener)
        edits.extend(_listener(key, listener, indent))
    return _apply(_ended(text), edits)


def _listener(key: yaml.Node, listener: yaml.Node, indent: int) -> Iterator[Edit]:
    line, column = key.start_mark.line, key.start_mark.column
    if indent - column < 2:
        raise _TooClever
    kind, port = LEGACY_LISTENERS[key.value]
    head = ["name: " + key.value]
    if _find(listener, "type") is None:
        head.insert(0, "type: " + kind)
    if _find(listener, "port") is None:
        head.append(f"port: {port}")
    dash = "-".ljust(indent - column)
    # The first item takes the place of the key, so a comment behind the colon stays.
    yield (line, column, line, key.end_mark.column + 1, dash + head[0])
    rest = "".join(" " * indent + part + "\n" for part in head[1:])
    yield (line + 1, 0, line + 1, 0, rest)
    message_format = _find(listener, "message_format")
    if message_format is not None:
        yield _cut(message_format)


def _filter_chain(text: str, _: dict[str, Any]) -> str:
    pair = _find(_root(text), "listeners")
    listeners = pair[1].value if pair and isinstance(pair[1], yaml.SequenceNode) else []
    found = [_find(listener, "filter_chain") for listener in listeners]
    return _apply(text, [_replace(inner[0], "input_filters") for inner in found if inner])


def _preferences(text: str, wanted: dict[str, Any]) -> str:
    """Take the inline preferences out of the providers and add what they became."""
    root = _root(text)
    pair = _find(root, "model_providers")
    if pair is None or not isinstance(pair[1], yaml.SequenceNode):
        return text
    edits = []
    for provider in pair[1].value:
        inner = _find(provider, "routing_preferences")
        if inner is None:
            continue
        if _is_flow(provider):
            edits.append(_cut_flow(provider, inner))
        elif provider.value[0][0] is inner[0]:
            raise _TooClever
        else:
            edits.append(_cut(inner))
    if not edits:
        return text
    present = _find(root, "routing_preferences")
    count = 0
    where, indent = _last_line(pair[1]), 2
    if present is not None:
        if _is_flow(present[1]) or not present[1].value:
            raise _TooClever
        count = len(present[1].value)
        where, indent = _last_line(present[1]), present[1].start_mark.column
    added = _dump(wanted.get("routing_preferences", [])[count:]) if _added(wanted, count) else ""
    block = "".join(" " * indent + line + "\n" for line in added.splitlines())
    if block and present is None:
        block = "\nrouting_preferences:\n" + block
    return _apply(_ended(text), [*edits, (where + 1, 0, where + 1, 0, block)])


def _added(wanted: dict[str, Any], count: int) -> bool:
    return len(wanted.get("routing_preferences", [])) > count


def _version(text: str, _: dict[str, Any]) -> str:
    root = _root(text)
    pair = _find(root, "version")
    if pair is not None:
        return _apply(text, [_replace(pair[1], CURRENT)])
    if _is_flow(root):
        raise _TooClever
    line = root.start_mark.line
    return _apply(text, [(line, 0, line, 0, f"version: {CURRENT}\n")])


_STEPS: Final[tuple[Step, ...]] = (
    _provider_key,
    _listener_providers,
    _listeners,
    _filter_chain,
    _preferences,
    _version,
)


def _root(text: str) -> yaml.Node:
    node = yaml.compose(text, Loader=LOADER)
    if not isinstance(node, yaml.MappingNode):
        raise _TooClever
    return node


def _find(node: yaml.Node, key: str) -> Pair | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((pair for pair in node.value if pair[0].value == key), None)


def _finder(node: yaml.Node) -> Callable[[str], Pair | None]:
    return lambda key: _find(node, key)


def _is_flow(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _editable(*nodes: yaml.Node) -> None:
    if any(_is_flow(node) for node in nodes):
        raise _TooClever


def _last_line(node: yaml.Node) -> int:
    """Return the last line with content; a block's own end mark is where the next token starts."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    end = node.end_mark
    return int(end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line)


def _replace(node: yaml.Node, text: str) -> Edit:
    start, end = node.start_mark, node.end_mark
    return (start.line, start.column, end.line, end.column, text)


def _cut(pair: Pair) -> Edit:
    """Remove the lines of a key and its value."""
    return (pair[0].start_mark.line, 0, _last_line(pair[1]) + 1, 0, "")


def _cut_flow(mapping: yaml.Node, pair: Pair) -> Edit:
    """Remove a key of a `{...}`, with the comma before or behind it."""
    at = next(i for i, other in enumerate(mapping.value) if other[0] is pair[0])
    start, end = pair[0].start_mark, pair[1].end_mark
    if at:
        start = mapping.value[at - 1][1].end_mark
    elif len(mapping.value) > 1:
        end = mapping.value[1][0].start_mark
    return (start.line, start.column, end.line, end.column, "")


def _dedented(text: str, pair: Pair) -> str:
    """Return a key's lines moved to the left edge, under the name of the providers."""
    key = pair[0].start_mark
    lines = text.splitlines(keepends=True)[key.line : _last_line(pair[1]) + 1]
    moved = [line[key.column :] if line[: key.column].isspace() else line for line in lines]
    return "".join(moved).replace(pair[0].value, "model_providers", 1)


def _apply(text: str, edits: list[Edit]) -> str:
    """Make edits that do not overlap, from the last to the first."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def offset(line: int, column: int) -> int:
        return min(starts[min(line, len(lines))] + column, len(text))

    for start, column, end, end_column, new in sorted(edits, reverse=True):
        text = text[: offset(start, column)] + new + text[offset(end, end_column) :]
    return text


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _section(key: str, value: Any) -> str:
    return _dump({key: value})


def _dump(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
