"""Reading and editing a JSON object as bytes, so that what nobody edited stays as it was.

Decoding and encoding again would lose integers above 64 bits, the spelling of floats and escapes,
and time. Here a regular expression finds where the top-level values lie, and an edit replaces
just those bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import orjson

from plano_filters.errors import BadRequest, InvalidJSON

MAX_DEPTH: Final = 64
"""Levels of nesting. Chat requests use about 10; tool schemas rarely 20."""

_TOKEN = re.compile(rb'"(?:[^"\\]+|\\.)*+"|[{}\[\],:]', re.DOTALL)
_BOM = b"\xef\xbb\xbf"
_UNIQUE: Final = frozenset({"model", "stream", "messages", "input"})
"""Fields that must not appear twice: we would read the last, a provider might read the first."""
_QUOTED: Final = tuple(f'"{name}"'.encode() for name in sorted(_UNIQUE))
_ESCAPED_LETTER: Final = re.compile(rb"\\u00[4-7]")
"""Nobody writes plain letters so, but to hide a name."""


def decode(body: bytes) -> dict[str, Any]:
    """Decode a request body.

    Accepts what `json` accepts and orjson does not (NaN, lone surrogates, huge integers).

    Raises:
        InvalidJSON: Not JSON, or nested deeper than `MAX_DEPTH`.
        BadRequest: JSON, but not an object, or a field that decides the routing appears twice.
    """
    body = body.removeprefix(_BOM)
    _check_depth(body)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(body)
        except (ValueError, RecursionError) as error:
            where = (
                f" at line {error.lineno} column {error.colno}"
                if isinstance(error, json.JSONDecodeError)
                else ""
            )
            raise InvalidJSON(f"the request body is not valid JSON{where}") from None
    if not isinstance(value, dict):
        kind = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}.get(
            type(value), "a number"
        )
        raise BadRequest(f"the request body must be a JSON object, not {kind}")
    _check_unique(body)
    return cast("dict[str, Any]", value)


def encode(value: object) -> bytes:
    """Encode a value, compactly; integers above 64 bits included."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


def edit(
    body: bytes, changes: Mapping[str, object], removed: frozenset[str] = frozenset()
) -> bytes:
    """Replace, add and remove top-level fields; every other byte stays.

    Args:
        body: A JSON object.
        changes: New values. Fields the object lacks are added at its end.
        removed: Fields to leave out.

    Raises:
        BadRequest: A field that decides the routing appears twice.
    """
    members = _members(body)
    edits: list[tuple[int, int, bytes]] = []
    for name, (_, value_start, value_end) in members.items():
        if name in changes and name not in removed:
            edits.append((value_start, value_end, encode(changes[name])))
    edits += _removals(list(members.items()), removed)
    added = [name for name in changes if name not in members and name not in removed]
    if added:
        kept = any(name not in removed for name in members)
        text = b",".join(encode(name) + b":" + encode(changes[name]) for name in added)
        end = body.rindex(b"}")
        edits.append((end, end, (b"," if kept else b"") + text))
    result = bytearray()
    position = 0
    for start, end, replacement in sorted(edits, key=lambda item: item[:2]):
        result += body[position:start]
        result += replacement
        position = end
    return bytes(result + body[position:])


def _removals(
    members: list[tuple[str, tuple[int, int, int]]], removed: frozenset[str]
) -> list[tuple[int, int, bytes]]:
    """Say which bytes go with the removed members, one comma each included."""
    cuts: list[tuple[int, int, bytes]] = []
    kept_before = False
    for index, (name, (key_start, _, value_end)) in enumerate(members):
        if name not in removed:
            kept_before = True
        elif kept_before:
            cuts.append((members[index - 1][1][2], value_end, b""))
        else:
            following = members[index + 1][1][0] if index + 1 < len(members) else value_end
            cuts.append((key_start, following, b""))
    return cuts


def _members(body: bytes) -> dict[str, tuple[int, int, int]]:
    """Find the members of the outermost object: name -> (key start, value start, value end)."""
    found: dict[str, tuple[int, int, int]] = {}
    name, key_start, value_start = "", -1, -1
    for kind, start, end in _outermost(body):
        if kind == "string" and key_start < 0:
            name, key_start = json.loads(body[start:end]), start
        elif kind == ":":
            value_start = end
        elif kind in ",}" and key_start >= 0:
            if name in found and name in _UNIQUE:
                raise BadRequest(f'"{name}" appears twice in the request body', param=name)
            found[name] = (key_start, *_strip(body, value_start, start))
            key_start = -1
    return found


def _outermost(body: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield the tokens that belong to the outermost object itself: kind, start, end."""
    depth = 0
    for token in _TOKEN.finditer(body):
        first = body[token.start()]
        if first in b"{[":
            depth += 1
        elif first in b"}]":
            depth -= 1
            if depth == 0:
                yield "}", token.start(), token.end()
                return
        elif depth == 1:
            yield "string" if first == 0x22 else chr(first), token.start(), token.end()


def _strip(body: bytes, start: int, end: int) -> tuple[int, int]:
    while start < end and body[start] in b" \t\r\n":
        start += 1
    while end > start and body[end - 1] in b" \t\r\n":
        end -= 1
    return start, end


def _check_unique(body: bytes) -> None:
    """Refuse a second `model`. The names are counted first: few bodies need a closer look."""
    for name in _QUOTED:
        if body.count(name) > 1:
            _members(body)
            return
    if b"\\u00" in body and _ESCAPED_LETTER.search(body):
        _members(body)


def _check_depth(body: bytes) -> None:
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return  # cannot be deeper than it has brackets
    depth = 0
    for token in _TOKEN.finditer(body):
        first = body[token.start()]
        if first in b"{[":
            depth += 1
            if depth > MAX_DEPTH:
                raise InvalidJSON(f"the request body is nested deeper than {MAX_DEPTH} levels")
        elif first in b"}]":
            depth -= 1
