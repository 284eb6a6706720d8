"""Reading what a router model says: a text, or a chat completion with one. Trust nothing.

Models are told to answer `{"route": "name"}` or `{"route": ["name", ...]}`. They also answer with
code fences, single quotes, a sentence before or after, a bare name, or are cut off.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from plano_builtin_filters.classify.routers.prompts import Template
from plano_builtin_filters.classify.routers.protocol import (
    OTHER,
    Question,
    RouterFailed,
    Scores,
)

LONGEST: Final = 16 * 1024
"""Characters that are read of a reply; one that is longer went astray long before."""
OBJECTS: Final = 32
"""Objects that are looked at, for the same reason."""
MOST_TOKENS: Final = 512
"""Of a reply whose probability is worth working out."""
NONE: Final = frozenset({OTHER, "none", "null", ""})
"""Words for "no route fits", folded."""

_STRING = r"""(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""
_LITERAL = re.compile(
    rf"['\"]routes?['\"]\s*:\s*(None|null|{_STRING}|\[\s*(?:{_STRING}\s*(?:,\s*)?)*\])\s*[,}}]",
    re.IGNORECASE,
)
"""The key and its value as Python writes them; no string in it means none."""
_QUOTED = re.compile(_STRING)
_ESCAPE = re.compile(r"\\.|\"")
_KEY = re.compile(r"(?<!\w)routes?['\"]?\s*[:=]\s*\[?\s*['\"`]?", re.IGNORECASE)
"""The key and what stands before a name, closed or not."""
_END = re.compile(r"""['"`]?\s*[,\]}\r\n]|['"`]\s*\Z""")
"""What follows a whole name; not just a quote, which may be an apostrophe."""
_FENCE = re.compile(r"^```\w*\n|\n?```$")
_AROUND: Final = " \t\r\n'\"`*.:"

_DECODER: Final = json.JSONDecoder()


def parse(text: str, names: Sequence[str]) -> str | None:
    """Return the route that a reply names, or None if it says that none fits.

    Of several routes the first known one counts. Names that nobody knows count as "none fits": the
    model wants something that is not offered. A route that is really called "other" is that route.

    Args:
        text: What the model said.
        names: The routes' names, which are unique.

    Raises:
        RouterFailed: "reply": it cannot be read. The text is not repeated; it may quote a prompt.
    """
    text = text.rpartition("</think>")[2].strip()[:LONGEST]
    known = _Names(names)
    read = False
    for said in _readings(text, known):
        read = True
        found = [name for name in map(known.find, said) if name is not None]
        if found:
            return found[0]
        if not said or any(fold(word) in NONE for word in said):
            return None
    if read:
        return None
    raise RouterFailed("reply", "the model's reply names no route")


def fold(name: str) -> str:
    """Return a name without the differences that models overlook: case, spacing, composition."""
    return unicodedata.normalize("NFC", " ".join(name.split()).casefold())


def scores(document: object, question: Question, template: Template) -> Scores:
    """Read the answer to a question.

    Where the answered route has a probability, the rest is that of no route: the model said
    nothing about the others, and a doubtful answer must not become another route. Where it has
    none, the answer counts as certain but not as calibrated.

    Raises:
        RouterFailed: "reply": it cannot be read.
    """
    choice = _first(document)
    text = _content(choice)
    if text is None:
        raise RouterFailed("reply", "the endpoint's answer has no text")
    name = parse(text, question.names)
    if name is None:
        return Scores(tuple(0.0 for _ in question.names), 1.0, calibrated=False)
    chance = probability(choice, text) if text.strip() == template.reply(name) else None
    certain = 1.0 if chance is None else chance
    return Scores(
        tuple(certain if each == name else 0.0 for each in question.names),
        1.0 - certain,
        calibrated=chance is not None,
    )


def probability(choice: Mapping[str, object], text: str) -> float | None:
    """Return the probability of a reply, from its tokens; None if the endpoint did not say.

    That is the probability that the model says exactly this. It is the route's own only for a
    reply in the form that the model was trained on, where everything but the name is certain.
    """
    logprobs = choice.get("logprobs")
    tokens = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(tokens, list) or not 0 < len(tokens) <= MOST_TOKENS:
        return None
    spelled = bytearray()
    total = 0.0
    for token in tokens:
        piece, logprob = _token(token)
        if piece is None or logprob is None:
            return None
        spelled += piece
        total += min(logprob, 0.0)
    if spelled.decode("utf-8", "replace").strip() != text.strip():
        return None  # of another text, or of a part of it
    return math.exp(total)


class _Names:
    """The routes' names, as they are written and as they are meant."""

    def __init__(self, names: Sequence[str]) -> None:
        self._exact = frozenset(name for name in names if name)
        folded: dict[str, str | None] = {}
        for name in self._exact:
            key = fold(name)
            folded[key] = None if key in folded else name  # two routes: only the exact name counts
        self._folded = folded
        self._words = sorted(self._exact | NONE - {""}, key=len, reverse=True)

    def find(self, said: str) -> str | None:
        """Return the route that is meant, if it is clear."""
        return said if said in self._exact else self._folded.get(fold(said))

    def at(self, text: str) -> str | None:
        """Return the longest route or word for none that a text begins with.

        At the end of the text it may have been cut off: then no other name may begin so.
        """
        for name in self._words:
            said = text[: len(name)]
            if said.lower() != name.lower():
                continue
            if _END.match(text, len(name)):
                return said
            if said == text and not any(_extends(word, name) for word in self._words):
                return said
        return None


def _extends(longer: str, name: str) -> bool:
    return len(longer) > len(name) and longer[: len(name)].lower() == name.lower()


def _readings(text: str, names: _Names) -> Iterator[list[str]]:
    """Yield what a text may say, the surest reading first: names, or nothing for "none"."""
    yield from _objects(text)
    for match in islice(_LITERAL.finditer(text), OBJECTS):
        yield [_unquote(string[0]) for string in _QUOTED.finditer(match[1])]
    for match in islice(_KEY.finditer(text), OBJECTS):
        name = names.at(text[match.end() :])
        if name is not None:
            yield [name]
    yield from _bare(text, names)


def _objects(text: str) -> Iterator[list[str]]:
    """Read the JSON objects of a text."""
    start = text.find("{")
    for _ in range(OBJECTS):
        if start < 0:
            return
        end = start + 1
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, Mapping):
            for key, routes in value.items():
                if key.lower() in ("route", "routes"):
                    yield from _names_in(routes)
        start = text.find("{", end)


def _unquote(quoted: str) -> str:
    """Read a string between quotes of either kind; bad escapes stay as they are."""
    body = _ESCAPE.sub(lambda m: {"\\'": "'", '"': '\\"'}.get(m[0], m[0]), quoted[1:-1])
    try:
        return str(json.loads(f'"{body}"', strict=False))
    except ValueError:
        return body


def _names_in(value: object) -> Iterator[list[str]]:
    """Yield the names of a value; nothing at all if it is no answer."""
    if value is None:
        yield []
    elif isinstance(value, str):
        yield [value]
    elif isinstance(value, list):
        said = [item for item in value if isinstance(item, str)]
        if said or not value:
            yield said


def _bare(text: str, names: _Names) -> Iterator[list[str]]:
    """Read a reply without a key: a name, a word for none, or a list of names."""
    text = _FENCE.sub("", text)
    value: object = ""
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(text)
    if value != "":
        yield from _names_in(value)
    stripped = text.strip(_AROUND)
    for said in (text, stripped, names.at(stripped)):
        if said and (names.find(said) is not None or fold(said) in NONE):
            yield [said]


def _token(token: object) -> tuple[bytes | None, float | None]:
    """Return the bytes of a token and its log-probability in nats."""
    if not isinstance(token, Mapping):
        return None, None
    logprob, raw, text = token.get("logprob"), token.get("bytes"), token.get("token")
    piece = text.encode("utf-8", "replace") if isinstance(text, str) else None
    if isinstance(raw, list):  # part of a character, which `token` cannot spell
        with contextlib.suppress(TypeError, ValueError):
            piece = bytes(raw)
    return piece, float(logprob) if isinstance(logprob, int | float) else None


def _first(document: object) -> Mapping[str, object]:
    """Return the first choice.

    Raises:
        RouterFailed: There is none.
    """
    choices = document.get("choices") if isinstance(document, Mapping) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, Mapping):
        raise RouterFailed("reply", "the endpoint's answer has no choices")
    return choice


def _content(choice: Mapping[str, object]) -> str | None:
    """Return what the model said; None if it said nothing."""
    message = choice.get("message")
    content = message.get("content") if isinstance(message, Mapping) else None
    if isinstance(content, list):
        content = "".join(_texts(content))
    return content if isinstance(content, str) and content.strip() else None


def _texts(parts: Sequence[object]) -> list[str]:
    texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
    return [text for text in texts if isinstance(text, str)]
