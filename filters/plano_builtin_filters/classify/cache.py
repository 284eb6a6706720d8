"""Decisions that were made before: the same routes and the same conversation have one answer."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

from plano_builtin_filters.classify.routers.protocol import Question, Scores


class DecisionCache:
    """Keeps the newest answers. Agents repeat a question with each tool result.

    Of a question only a digest is kept: conversations are long, and nobody else's business.

    Args:
        entries: How many.
    """

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._found: OrderedDict[bytes, Scores] = OrderedDict()

    def get(self, question: Question) -> Scores | None:
        """Return the answer to a question, if it was given."""
        key = _key(question)
        scores = self._found.get(key)
        if scores is not None:
            self._found.move_to_end(key)
        return scores

    def put(self, question: Question, scores: Scores) -> None:
        """Remember an answer, and forget the one that was not asked for the longest time."""
        if not self._entries:
            return
        key = _key(question)
        self._found[key] = scores
        self._found.move_to_end(key)
        if len(self._found) > self._entries:
            self._found.popitem(last=False)


def _key(question: Question) -> bytes:
    """Return a digest of routes and conversation; the session is none of it."""
    digest = blake2b(len(question.routes).to_bytes(8, "big"), digest_size=32)
    pairs = [(route.name, route.description) for route in question.routes]
    pairs += [(turn.role, turn.text) for turn in question.turns]
    for pair in pairs:
        for text in pair:
            raw = text.encode("utf-8", "surrogatepass")
            digest.update(len(raw).to_bytes(8, "big"))
            digest.update(raw)
    return digest.digest()
