"""The input of a custom tool, out of the JSON of the function that stands for it.

A custom tool takes a text; where a dialect has none of that kind, a function with one string,
`input`, is declared in its place.
"""

from __future__ import annotations

import json
import re
from typing import Final

from plano_filters import jsonbody

CUSTOM_INPUT: Final = "input"
"""What the function calls the text."""
_OPENING: Final = re.compile(rf'\s*\{{\s*"{CUSTOM_INPUT}"\s*:\s*"')
_READABLE: Final = re.compile(
    r"""(?:
        [^"\\]+
      | \\[^u]
      | \\u(?![dD][89abAB])[0-9a-fA-F]{4}
      | \\u[dD][89abAB][0-9a-fA-F]{2}(?:
            \\u[dD][c-fC-F][0-9a-fA-F]{2}
          | (?=[^\\] | \\[^u])
          | (?=\\u(?:(?![dD][c-fC-F])[0-9a-fA-F]{4} | [0-9a-fA-F]{0,3}[^0-9a-fA-F]))
        )
      | \\u(?=[0-9a-fA-F]{0,3}[^0-9a-fA-F])
    )*+""",
    re.VERBOSE,
)
"""What of a JSON string can be read: whole characters, both halves of a pair, whole escapes.

Escapes that JSON does not have can be read too: waiting for more would make nothing of them.
"""
_ESCAPES: Final = re.compile(r"(?:\\u[0-9a-fA-F]{4})+|\\.", re.DOTALL)


class CustomInput:
    """Reads the text while the JSON still arrives, in pieces that may end anywhere.

    JSON that looks otherwise is kept, and given as a whole at the end.
    """

    def __init__(self) -> None:
        self._opened = False
        self._closed = False
        self._rest = ""

    def feed(self, piece: str) -> str:
        """Take the next piece; return the text that it completes."""
        if self._closed:
            return ""
        self._rest += piece
        if not self._opened:
            opening = _OPENING.match(self._rest)
            if opening is None:
                return ""
            self._opened = True
            self._rest = self._rest[opening.end() :]
        readable = _READABLE.match(self._rest)
        raw = readable.group() if readable else ""
        self._closed = self._rest.startswith('"', len(raw))
        self._rest = self._rest[len(raw) :]
        return _decoded(raw)

    def end(self) -> str:
        """Return what is left when no more comes: all of it, if it is not as it should be."""
        if self._opened:
            return ""
        try:
            return custom_input(json.loads(self._rest))
        except (ValueError, RecursionError):
            return self._rest


def whole_input(written: str) -> str:
    """Return the text in all of the JSON of the function; what is no JSON as it is."""
    reader = CustomInput()
    return reader.feed(written) + reader.end()


def custom_input(value: object) -> str:
    """Return the text in the input of the function; what else the model wrote, as JSON."""
    if not value:
        return ""
    text = value.get(CUSTOM_INPUT) if isinstance(value, dict) else None
    return text if isinstance(text, str) else arguments(value)


def arguments(value: object) -> str:
    """Return the input of a function as compact JSON."""
    try:
        return jsonbody.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        return "{}"


def _decoded(raw: str) -> str:
    """Decode the inside of a JSON string; escapes that JSON does not have stay as they are."""
    try:
        text: str = json.loads(f'"{raw}"', strict=False)
    except ValueError:
        return raw if _ESCAPES.fullmatch(raw) else _ESCAPES.sub(lambda m: _decoded(m[0]), raw)
    return text
